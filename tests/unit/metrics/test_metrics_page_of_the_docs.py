# SPDX-License-Identifier: Apache-2.0
"""docs/metrics.md has a row for each metric, with its type and labels, and for nothing else."""

import re
from pathlib import Path

from prometheus_client import Metric

from argyll_engine.metrics.gauges import DeploymentGauges, ProcessGauges
from argyll_engine.metrics.instruments import REGISTRY
from argyll_engine.metrics.processes import Process
from argyll_engine.model.vitals import QueueVitals, StoreVitals, Vitals

PAGE = Path(__file__).parents[3] / "docs/metrics.md"
ROW = re.compile(r"^\| `([a-z_]+)` \| (counter|gauge|histogram)[^|]* \| ([^|]*) \|", re.MULTILINE)
VITALS = Vitals(stores=(StoreVitals(name="s"),), queues=(QueueVitals(name="q"),), workers_alive=0, active_flows=0)
PROCESS = Process(name="p", memory_bytes=1, cpu_seconds=1, open_files=1)


def shown_name(metric: Metric) -> str:
    """The name as it is written in queries."""
    return metric.name + ("_total" if metric.type == "counter" else "")


def metrics() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Name → type and labels, of all there are."""
    counted = {metric.name: metric for metric in REGISTRY.collect()}
    labels = {collector._name: collector._labelnames for collector in REGISTRY._collector_to_names}  # type: ignore[attr-defined]
    found = {shown_name(metric): (metric.type, tuple(labels[name])) for name, metric in counted.items()}
    for gauges in (DeploymentGauges(lambda: VITALS), ProcessGauges("0", lambda: [PROCESS])):
        found |= {shown_name(m): (m.type, tuple(m.samples[0].labels)) for m in gauges.collect()}
    return found


def test_the_page_is_the_list_of_the_metrics() -> None:
    """Names, types and labels, in both directions."""
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    documented = {name: (kind, tuple(_labels(labels))) for name, kind, labels in rows}
    assert metrics() == documented


def _labels(cell: str) -> list[str]:
    """The names of labels in a cell; what stands in brackets are values."""
    return re.findall(r"`([a-z_]+)`", re.sub(r"\([^)]*\)", "", cell))
