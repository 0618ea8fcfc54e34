# SPDX-License-Identifier: Apache-2.0
"""The wire suite that the contract comes with, file by file, against a stack of its own.

It is run as it is, in a process of its own, and reads nothing of this repository.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.stack import Stack

SUITE = Path(__file__).parents[2].parent / "shared" / "conformance" / "wire"
PYTEST = (sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0")
SHOWN_CHARACTERS = 20_000
"""How much of a failed run is shown: its end has the failures."""


def files() -> list[object]:
    """The files of the suite, or one that is skipped where there are none."""
    found = sorted(path.name for path in SUITE.glob("test_*.py"))
    reason = "the wire suite of the contract is not beside the repository"
    return [*found] or [pytest.param("", marks=pytest.mark.skip(reason=reason))]


@pytest.fixture(scope="module")
def wire_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that nobody else puts steps into."""
    with Stack(tmp_path_factory.mktemp("wire")) as stack:
        yield stack


@pytest.mark.slow
@pytest.mark.parametrize("file", files())
def test_the_wire_suite(wire_stack: Stack, file: str) -> None:
    """Not one test of the file fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["BASE_URL"] = wire_stack.client.base_url
    ran = subprocess.run((*PYTEST, file), cwd=SUITE, env=environment, capture_output=True, text=True)
    assert 0 == ran.returncode, (ran.stdout + ran.stderr)[-SHOWN_CHARACTERS:]
