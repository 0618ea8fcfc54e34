# SPDX-License-Identifier: Apache-2.0
"""The acceptance suite and the contract's wire suite again, on brokers that Celery brings: users see no difference.

Each run is a pytest of its own, for a broker is chosen once for all stacks; see `BROKER_VARIABLE` in `stack.py`.
"""

import os
import subprocess
import sys

import pytest

from tests.acceptance.part import ROOT
from tests.acceptance.rabbit import server_program
from tests.acceptance.stack import BROKER_VARIABLE

SUITES = {
    "acceptance": ("-m", "not slow", "tests/acceptance", "tests/chaos/test_kill.py"),
    "wire": ("tests/conformance/test_wire.py",),
}
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0")
SHOWN_CHARACTERS = 20_000
"""How much of a failed run is shown: its end has the failures."""

NO_RABBIT = pytest.mark.skipif(
    server_program() is None, reason="no rabbitmq-server here; Debian: apt-get install rabbitmq-server"
)


@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("broker", ["redis", pytest.param("rabbitmq", marks=NO_RABBIT)])
def test_a_suite_passes_on_a_stock_broker(broker: str, suite: str) -> None:
    """Not one test of it fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment[BROKER_VARIABLE] = broker
    ran = subprocess.run((*PYTEST, *SUITES[suite]), cwd=ROOT, env=environment, capture_output=True, text=True)
    assert 0 == ran.returncode, (ran.stdout + ran.stderr)[-SHOWN_CHARACTERS:]
