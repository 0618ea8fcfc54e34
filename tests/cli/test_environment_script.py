# SPDX-License-Identifier: Apache-2.0
"""How `.ci/environment` makes a virtual environment, with programs that only note how they were called."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "environment"

FAKE_PYTHON = """#!/bin/sh
case "$*" in
    *"import ensurepip"*) [ -e "{place}/ensurepip" ] ;;
    "-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python && echo "venv" >> "{place}/calls" ;;
    "-m pip --version") true ;;
    "-m pip"*) echo "$*" >> "{place}/calls" ;;
    *) exec {python} "$@" ;;
esac
"""
FAKE_APT_GET = """#!/bin/sh
echo "apt-get $*" >> "{place}/calls"
if [ "$1" = install ] && [ "$FAIL_FIRST" ] && [ ! -e "{place}/updated" ]; then exit 100; fi
[ "$1" != update ] || touch "{place}/updated"
[ "$1" != install ] || touch "{place}/ensurepip"
"""
FAKE_SUDO = '#!/bin/sh\nexec "$@"\n'
PACKAGE = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
PIP = "-m pip install -q --disable-pip-version-check"
INSTALLED = [f"{PIP} -r requirements/base.txt", f"{PIP} --no-deps --no-build-isolation -e ."]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A tree with the script in it, and the fake programs it will find on PATH."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(SCRIPT, tmp_path / ".ci" / "environment")
    programs = {"python3": FAKE_PYTHON, "apt-get": FAKE_APT_GET, "sudo": FAKE_SUDO}
    (tmp_path / "bin").mkdir()
    for name, text in programs.items():
        path = tmp_path / "bin" / name
        path.write_text(text.replace("{place}", str(tmp_path)).replace("{python}", sys.executable))
        path.chmod(0o755)
    return tmp_path


def _run(place: Path, stage: str = "base", **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{place}/bin:/usr/bin:/bin"} | variables
    return subprocess.run(
        [place / ".ci" / "environment", stage], env=environment, capture_output=True, text=True, check=False, timeout=30
    )


def _calls(place: Path) -> list[str]:
    return (place / "calls").read_text().splitlines()


def test_a_new_environment_gets_the_pins_and_this_tree(place: Path) -> None:
    """With ensurepip there is no system package to install, and the stamp is left at the end."""
    (place / "ensurepip").touch()
    done = _run(place)
    assert (0, ["venv", *INSTALLED], True) == (done.returncode, _calls(place), (place / ".venv/.base").exists())


def test_a_missing_ensurepip_is_installed_and_said(place: Path) -> None:
    """Without ensurepip the venv package of that Python is installed, and its name printed."""
    done = _run(place)
    assert ([f"apt-get install -y -q {PACKAGE}", "venv", *INSTALLED], True) == (
        _calls(place),
        f"installing the system package {PACKAGE} with apt-get" in done.stdout,
    )


def test_stale_package_lists_are_updated(place: Path) -> None:
    """When the package is not found at first, the lists are updated and it is tried again."""
    _run(place, FAIL_FIRST="yes")
    install = f"apt-get install -y -q {PACKAGE}"
    assert [install, "apt-get update -q", install, "venv", *INSTALLED] == _calls(place)


def test_an_environment_that_works_is_kept(place: Path) -> None:
    """A later stage only adds its pins."""
    (place / "ensurepip").touch()
    _run(place)
    _run(place, "test")
    assert ["venv", *INSTALLED, f"{PIP} -r requirements/test.txt"] == _calls(place)


def test_a_failed_install_leaves_no_stamp(place: Path) -> None:
    """The next make tries again when a step failed."""
    (place / "bin" / "apt-get").write_text("#!/bin/sh\nexit 100\n")
    assert (True, False) == (_run(place).returncode > 0, (place / ".venv/.base").exists())
