#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the Grafana dashboards beside it from the tables of `tables.py`: `python deploy/grafana/build.py`.

The JSON files are what Grafana imports; a test holds them against the tables. Only the standard library is used, and
nothing of Argyll.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tables import DASHBOARDS, Dashboard, Panel

FOLDER: Final = Path(__file__).parent
WIDTH: Final = 24
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


def written(dashboard: Dashboard) -> str:
    """The file of a dashboard, as Grafana imports it."""
    panels = [{"id": number, **panel} for number, panel in enumerate(_panels(dashboard), start=1)]
    variables = [_source_variable(), *(_variable(name, query) for name, query in dashboard.variables)]
    content = {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["argyll"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "links": [{"type": "dashboards", "tags": ["argyll"], "title": "Argyll", "asDropdown": True}],
        "templating": {"list": variables},
        "panels": panels,
    }
    return json.dumps(content, indent=1) + "\n"


def _panels(dashboard: Dashboard) -> Iterator[dict[str, Any]]:
    top = 0
    for title, panels in dashboard.rows:
        yield {"type": "row", "title": title, "collapsed": False, "gridPos": _place(0, top, WIDTH, 1)}
        top += 1
        is_small = all(panel.kind == "stat" for panel in panels)
        columns, height = (len(panels), 4) if is_small else (2, 8)
        width = WIDTH // columns
        for index, panel in enumerate(panels):
            yield _panel(panel) | {
                "gridPos": _place(index % columns * width, top + index // columns * height, width, height)
            }
        top += -(-len(panels) // columns) * height


def _place(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def _panel(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.warns_at is not None:
        steps.append({"color": "red", "value": panel.warns_at})
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": SOURCE,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "options": {},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
            for index, (expression, legend) in enumerate(panel.queries.items())
        ],
    }


def _source_variable() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
        "refresh": 2,
        "sort": 1,
    }


def main() -> None:
    """Write all of them."""
    for name, dashboard in DASHBOARDS.items():
        (FOLDER / name).write_text(written(dashboard), encoding="utf-8")


if __name__ == "__main__":
    main()
