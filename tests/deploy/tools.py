# SPDX-License-Identifier: Apache-2.0
"""Programs that are not Python packages: where they are, or a skipped test that says what is missing.

`.ci/tools` brings them to `.cache/tools`, where it can.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
FOLDERS = ("bin", "root/usr/bin", "root/usr/sbin")


def tool(name: str) -> str:
    """The path of a program, on PATH or in `.cache/tools`; without it the test is skipped."""
    places = [str(ROOT / ".cache/tools" / folder) for folder in FOLDERS]
    found = shutil.which(name) or shutil.which(name, path=":".join(places))
    if found is None:
        pytest.skip(f"{name} is not installed; .ci/tools brings it where it can")
    return found


def printed(*words: str | Path, cwd: Path | None = None) -> str:
    """What a program prints; the test fails with it when the program does."""
    ended = subprocess.run(words, capture_output=True, text=True, cwd=cwd, timeout=120, check=False)
    assert ended.returncode == 0, f"{words[0]} ended with {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout
