# SPDX-License-Identifier: Apache-2.0
"""The PromQL expressions of deploy/: where they stand, and which metrics they name."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import yaml

from tests.deploy.tools import DEPLOY

SUFFIXES = ("_bucket", "_sum", "_count")
OF_PROMETHEUS = {"up"}
"""Series that Prometheus makes itself."""


def rules() -> list[dict[str, Any]]:
    """Every alert."""
    content = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text("utf-8"))
    return [rule for group in content["groups"] for rule in group["rules"]]


def dashboards() -> dict[str, dict[str, Any]]:
    """Every dashboard, by the name of its file."""
    return {path.name: json.loads(path.read_text("utf-8")) for path in sorted((DEPLOY / "grafana").glob("*.json"))}


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Its panels, without the titles of rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    """Where an expression stands, and the expression as Prometheus gets it."""
    for rule in rules():
        yield f"alert {rule['alert']}", rule["expr"]
    for name, dashboard in dashboards().items():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}", target["expr"].replace("$__rate_interval", "5m")


def selected(expression: str) -> set[str]:
    """The series an expression selects. Raises ValueError when it is no PromQL."""
    names: set[str] = set()

    def take(node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector) and node.name:
            names.add(node.name)
        return True

    promql_parser.walk(promql_parser.parse(expression), take)
    return names


def metric_of(series: str) -> str:
    """The metric that a series belongs to: a histogram has three kinds of them."""
    return re.sub(f"({'|'.join(SUFFIXES)})$", "", series)


def named_metrics() -> set[str]:
    """Every metric of ours that an alert or a dashboard names."""
    found = {series for _, expression in expressions() for series in selected(expression)}
    for dashboard in dashboards().values():
        queries = [variable.get("definition", "") for variable in dashboard["templating"]["list"]]
        found |= {series for query in queries for series in re.findall(r"label_values\((\w+),", query)}
    return {metric_of(series) for series in found - OF_PROMETHEUS}
