# SPDX-License-Identifier: Apache-2.0
"""The Grafana dashboards: as their tables say, readable, and about metrics that are documented."""

import re
import subprocess
import sys
from pathlib import Path
from shutil import copy

import pytest
import yaml

from tests.deploy.expressions import dashboards, named_metrics, panels, rules
from tests.deploy.tools import DEPLOY, ROOT

NAMES = ["queues-and-workers.json", "steps.json", "store-and-archive.json", "workflow-overview.json"]


def test_there_is_a_dashboard_for_each_subject() -> None:
    """The first has the name of earlier versions."""
    assert sorted(dashboards()) == NAMES


def test_the_files_are_what_their_tables_say(tmp_path: Path) -> None:
    """Nobody has edited the JSON by hand, and nobody has forgotten to write it."""
    for name in ("build.py", "tables.py"):
        copy(DEPLOY / "grafana" / name, tmp_path)
    subprocess.run([sys.executable, tmp_path / "build.py"], check=True)
    for name in NAMES:
        assert (tmp_path / name).read_text("utf-8") == (DEPLOY / "grafana" / name).read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_panels_have_their_place(name: str) -> None:
    """Inside the width of Grafana, and none over another."""
    taken: set[tuple[int, int]] = set()
    for panel in dashboards()[name]["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and place["x"] + place["w"] <= 24
        taken |= cells


@pytest.mark.parametrize("name", NAMES)
def test_panels_say_what_they_show(name: str) -> None:
    """In a sentence each; alerts that it names are there."""
    alerts = {rule["alert"] for rule in rules()}
    for panel in panels(dashboards()[name]):
        named = re.findall(r"Alerts?: ([\w, ]+)\.", panel["description"])
        assert panel["description"] and set(", ".join(named).split(", ")) - {""} <= alerts


def test_every_metric_that_is_named_is_documented() -> None:
    """In docs/metrics.md; that it is served is tested on a running system."""
    documented = set(re.findall(r"`(\w+)[`{]", (ROOT / "docs/metrics.md").read_text("utf-8")))
    assert set() == named_metrics() - documented


def test_every_metric_that_a_runbook_names_is_documented() -> None:
    """A name that nothing serves sends the person on call astray."""
    documented = set(re.findall(r"`(\w+)[`{]", (ROOT / "docs/metrics.md").read_text("utf-8")))
    page = (ROOT / "docs/RUNBOOKS.md").read_text("utf-8")
    named = set(re.findall(r"`((?:argyll|process|machine|workflow|http)_\w+)[`{]", page))
    assert named and set() == named - documented


def test_grafana_finds_the_dashboards_where_compose_mounts_them() -> None:
    """The path of the provider is that of the mount."""
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/argyll.yml").read_text("utf-8"))
    compose = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text("utf-8"))
    mounts = {line.split(":")[1] for line in compose["services"]["grafana"]["volumes"]}
    assert provider["providers"][0]["options"]["path"] in mounts
