# SPDX-License-Identifier: Apache-2.0
"""`deploy/exercise.py`, as docs/operations.md shows it: every piece of the compose file with its own command."""

import os
import signal
import subprocess
import sys

import pytest

from tests.deploy.tools import DEPLOY, ROOT

PATIENCE_SECONDS = 900


@pytest.mark.slow
def test_every_piece_works_with_the_command_of_its_container() -> None:
    """It ends with a count of the pieces; what is not on this machine is left out and says so."""
    words = [sys.executable, str(DEPLOY / "exercise.py")]
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        try:
            said, _ = process.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert process.returncode == 0, said[-8000:]
    assert "pieces work" in said
