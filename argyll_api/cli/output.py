# SPDX-License-Identifier: Apache-2.0
"""What the client commands print: JSON for machines, tables for people. Asks nobody anything.

Texts of users are never read as markup. Tables show a line of each value; `--json` has everything.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from argyll_api.client import Event, StartResult

ZERO_TIME: Final = "0001-01-01T00:00:00Z"

_VALUE_WIDTH: Final = 60
_STYLES: Final[Mapping[str, str]] = {
    "active": "cyan",
    "completed": "green",
    "succeeded": "green",
    "failed": "red",
    "skipped": "dim",
    "pending": "dim",
}
_NOT_IN_DETAIL: Final = ("flow_id", "step_id", "token", "plan", "work_items")  # known from elsewhere, or too long
_PIPE_WIDTH: Final = 200  # columns where no terminal says how wide it is

Json = Mapping[str, Any]


def print_json(value: object) -> None:
    """The value, indented, keys in the order of the engine."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_line(text: str) -> None:
    """One line as it is."""
    click.echo(text)


def print_flows(page: Json) -> None:
    """Rows of a page of flows, and how many there are in all."""
    rows = ((flow["id"], flow["status"], _time(flow["timestamp"])) for flow in page["flows"])
    print_table(("flow", "status", "since"), rows)
    print_line(f"{page['count']} of {page.get('total', 0)} flows")


def print_flow(state: Json) -> None:
    """A flow with its executions and the values of its attributes."""
    print_line(f"{state['id']}: {state['status']}" + (f" ({state['error']})" if state.get("error") else ""))
    executions = (
        (step_id, ex["status"], _duration(ex), _value(ex.get("outputs")), ex.get("error", ""))
        for step_id, ex in state["executions"].items()
    )
    print_table(("step", "status", "ms", "outputs", "error"), executions)
    values = (
        (name, _value(value["value"]), value.get("step", "init"))
        for name, candidates in sorted(state["attributes"].items())
        for value in candidates
    )
    print_table(("attribute", "value", "from"), values)


def print_events(log: Json) -> None:
    """An event log, one line an event."""
    rows = (
        (event["sequence"], _time(event["timestamp"]), event["type"], *_detail(event["data"]))
        for event in log["events"]
    )
    print_table(("#", "time", "event", "step", "detail"), rows)


def print_event(event: Event, as_json: bool) -> None:
    """One event, in one line."""
    at = event.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if event.at else ZERO_TIME
    if as_json:
        said = {"sequence": event.sequence, "timestamp": at, "type": event.type}
        said |= {"aggregate_id": list(event.aggregate_id), "data": dict(event.content)}
        print_line(json.dumps(said, ensure_ascii=False))
    else:
        print_line("  ".join((f"{event.sequence:>4}", _time(at), event.type, *_detail(event.content))).rstrip())


def print_start(result: StartResult, as_json: bool) -> None:
    """What became of one start of many, in one line; for people only those that were refused."""
    if as_json:
        said = {"flow_id": result.flow_id, "status": result.status, "error": result.error}
        print_line(json.dumps(said, ensure_ascii=False))
    elif not result.is_started:
        print_line(f"refused: {result.flow_id or '?'}: {result.error}")


def print_plan(plan: Json) -> None:
    """The steps of a plan, what it still needs, and what was left out and why."""
    steps = ((step_id, step["type"], *_sides(step)) for step_id, step in plan["steps"].items())
    print_table(("step", "type", "inputs", "outputs"), steps)
    print_line(f"still required: {', '.join(plan['required']) or 'nothing'}")
    for reason, excluded in plan["excluded"].items():
        for step_id, names in excluded.items():
            print_line(f"left out: {step_id} ({reason}: {', '.join(names)})")


def print_table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Rows under their columns, without lines between them."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell), style=_STYLES.get(str(cell), "")) for cell in row))
    console = Console()
    if not console.is_terminal:
        console.width = _PIPE_WIDTH  # whoever reads a pipe wants whole lines
    console.print(table)


def _time(text: str) -> str:
    """Date and time to the millisecond; empty for an unset time."""
    return "" if text == ZERO_TIME else text.replace("T", " ").removesuffix("Z")[:23]


def _duration(execution: Json) -> str:
    return str(execution["duration"]) if "duration" in execution else ""


def _value(value: object) -> str:
    """A value in one line; empty for none."""
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _VALUE_WIDTH else text[: _VALUE_WIDTH - 1] + "…"


def _detail(said: Json) -> tuple[str, str]:
    """(step id, the rest in one line) of what an event says."""
    rest = {name: value for name, value in said.items() if name not in _NOT_IN_DETAIL}
    return said.get("step_id", ""), _value(rest) if rest else ""


def _sides(step: Json) -> tuple[str, str]:
    """(names of the inputs, names of the outputs) of a step."""
    specs = sorted(step["attributes"].items())
    inputs = [name for name, spec in specs if spec["role"] in ("required", "optional")]
    outputs = [name for name, spec in specs if spec["role"] == "output"]
    return ", ".join(inputs), ", ".join(outputs)
