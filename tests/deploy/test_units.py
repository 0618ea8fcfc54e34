# SPDX-License-Identifier: Apache-2.0
"""The systemd units, read by systemd's own checker. Nothing is started."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.tools import DEPLOY, tool

UNITS = sorted((DEPLOY / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]


def test_there_is_a_unit_for_each_process() -> None:
    """And one that groups them, and a timer for backups."""
    assert [unit.name for unit in UNITS] == [
        "argyll-api.service",
        "argyll-archiver.service",
        "argyll-backup.service",
        "argyll-backup.timer",
        "argyll-beat.service",
        "argyll-flower.service",
        "argyll-worker.service",
        "argyll.target",
    ]


def test_systemd_takes_all_units() -> None:
    """Without a warning about any of them."""
    verified = subprocess.run(
        [tool("systemd-analyze"), "verify", "--man=no", *map(str, UNITS)], capture_output=True, text=True, check=False
    )
    said = [line for line in verified.stderr.splitlines() if "argyll" in line and "/opt/argyll" not in line]
    assert [] == said


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_services_may_do_nothing_but_run(unit: Path) -> None:
    """A user of their own, no capabilities, nothing to write but their own directory."""
    text = unit.read_text("utf-8")
    for line in ("User=argyll", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict"):
        assert line in text.splitlines()
    assert re.search(r"^StateDirectory=argyll/\w+$", text, re.MULTILINE)


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_services_read_files_that_we_ship(unit: Path) -> None:
    """deploy/env/*.env, and one of the operator's own that need not be there."""
    shipped = {f"/etc/argyll/{path.name}" for path in (DEPLOY / "env").glob("*.env")}
    read = re.findall(r"^EnvironmentFile=(.*)$", unit.read_text("utf-8"), re.MULTILINE)
    assert read[-1] == "-/etc/argyll/local.env" and set(read[:-1]) <= shipped


def test_ports_of_metrics_differ() -> None:
    """All services may run on one machine."""
    ports = [re.findall(r"WORKER_METRICS_PORT=(\d+)", unit.read_text("utf-8")) for unit in SERVICES]
    found = [port for each in ports for port in each]
    assert len(found) == 3 and len(set(found)) == 3
