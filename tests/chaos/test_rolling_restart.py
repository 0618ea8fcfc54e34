# SPDX-License-Identifier: Apache-2.0
"""Every process is restarted under load, one after the other, and clients feel nothing of it."""

from pathlib import Path

import pytest

from tests.chaos.rolling_restart import BETWEEN, LONGEST_WAIT_SECONDS, drill

pytestmark = pytest.mark.slow

CLIENTS = 6
MEMBERS = 6


def test_restarts_under_load_lose_nothing(tmp_path: Path) -> None:
    """No request fails for a client that asks again, no flow is lost, and no message waits longer than 5 s."""
    findings = drill(tmp_path, CLIENTS)
    print("", *findings.lines(), sep="\n")
    assert [] == findings.faults
    assert MEMBERS == len(findings.restarts)
    assert findings.completed >= BETWEEN * (MEMBERS + 1)
    assert findings.second_tries, "no API was away when it was asked"
    assert findings.longest_wait_seconds < LONGEST_WAIT_SECONDS
