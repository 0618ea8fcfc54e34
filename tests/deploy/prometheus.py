# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus with the alerts of deploy/, on a clock that runs faster: minutes of the rules become seconds."""

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.acceptance.client import eventually
from tests.acceptance.part import free_port
from tests.deploy.tools import DEPLOY, tool

FASTER = 20
"""How many times shorter every range and every `for` of the rules is."""


def faster(rules: str) -> str:
    """The rules with their durations divided; thresholds stay what they are."""
    shorter = re.sub(r"\[(\d+)m\]", lambda found: f"[{int(found[1]) * 60 // FASTER}s]", rules)
    return re.sub(r"for: (\d+)m", lambda found: f"for: {int(found[1]) * 60 // FASTER}s", shorter)


class Prometheus:
    """What it says."""

    def __init__(self, url: str) -> None:
        self._url = url

    def firing(self) -> frozenset[str]:
        """Names of the alerts that fire now."""
        return frozenset(alert["labels"]["alertname"] for alert in self._alerts() if alert["state"] == "firing")

    def is_quiet(self) -> bool:
        """Whether no alert fires, and none is about to."""
        return not self._alerts()

    def targets_up(self) -> int:
        """How many processes answer."""
        targets = self._ask("targets")["activeTargets"]
        return sum(target["health"] == "up" for target in targets)

    def _alerts(self) -> list[dict[str, object]]:
        alerts: list[dict[str, object]] = self._ask("alerts")["alerts"]
        return alerts

    def _ask(self, path: str) -> dict[str, list[dict[str, object]]]:
        with urllib.request.urlopen(f"{self._url}/api/v1/{path}", timeout=30) as answer:
            content: dict[str, list[dict[str, object]]] = json.loads(answer.read())["data"]
        return content


@contextmanager
def watching(folder: Path, ports: Mapping[str, tuple[int, ...]]) -> Iterator[Prometheus]:
    """A Prometheus that asks these ports, by the names of their groups of processes."""
    program, address = tool("prometheus"), f"127.0.0.1:{free_port()}"
    rules, page = folder / "alerts.yml", folder / "prometheus.yml"
    rules.write_text(faster((DEPLOY / "prometheus/alerts.yml").read_text("utf-8")), encoding="utf-8")
    targets = {name: [f"127.0.0.1:{port}" for port in numbers] for name, numbers in ports.items()}
    content = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [
            {"job_name": name, "static_configs": [{"targets": addresses}]} for name, addresses in targets.items()
        ],
    }
    page.write_text(yaml.safe_dump(content), encoding="utf-8")
    words = [program, f"--config.file={page}", f"--storage.tsdb.path={folder}/tsdb", f"--web.listen-address={address}"]
    with (folder / "log").open("wb") as log, subprocess.Popen(words, stdout=log, stderr=log) as process:
        try:
            prometheus = Prometheus(f"http://{address}")
            eventually("an answer of Prometheus", lambda: process.poll() is not None or _is_ready(address))
            yield prometheus
        finally:
            process.terminate()


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/-/ready", timeout=5):
            return True
    except OSError:
        return False
