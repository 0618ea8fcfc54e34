# SPDX-License-Identifier: Apache-2.0
"""`argyll flow …`: commands about runs, over HTTP."""

from typing import Final, TextIO

import click

from argyll_api.cli.arguments import PAIR, init_file_option, init_option, read_init, read_starts
from argyll_api.cli.client import engine_at, engine_options
from argyll_api.cli.output import (
    print_event,
    print_events,
    print_flow,
    print_flows,
    print_json,
    print_line,
    print_start,
)
from argyll_api.client import Flow, FlowQuery, FlowStatus

FAILED: Final = 1
"""Exit code of the commands that wait, when the flow has failed."""

timeout_option = click.option(
    "--timeout", "timeout_seconds", type=click.FloatRange(min=0), help="Seconds to wait at most; exits with 4 then."
)


@click.group()
def flow() -> None:
    """Flows of a running engine."""


@flow.command()
@click.argument("flow_id", metavar="ID")
@click.option("--goal", "-g", "goals", multiple=True, required=True, help="A step to reach; may be repeated.")
@init_option
@init_file_option
@click.option("--label", "-l", "labels", type=PAIR, multiple=True, help="A label of the flow; may be repeated.")
@engine_options
def start(
    flow_id: str,
    goals: tuple[str, ...],
    pairs: tuple[tuple[str, str], ...],
    init_file: TextIO | None,
    labels: tuple[tuple[str, str], ...],
    url: str,
    as_json: bool,
) -> None:
    """Start a flow; the same start again changes nothing."""
    init = read_init(pairs, init_file)
    with engine_at(url) as engine:
        started = engine.flows.start(flow_id, goals, init, labels=dict(labels))
    if as_json:
        print_json({"message": "", "flow_id": started})
    else:
        print_line(f"Flow started: {started}")


@flow.command("start-many")
@click.argument("file", type=click.File("r", encoding="utf-8"), default="-")
@engine_options
def start_many(file: TextIO, url: str, as_json: bool) -> None:
    """Start the flows of FILE (else of stdin): a JSON object a line, with `id`, `goals`, `init` and `labels`.

    Exits with 1 if any was refused; the others are started, and the same file again changes nothing.
    """
    started = refused = 0
    with engine_at(url) as engine:
        for result in engine.flows.start_many(read_starts(file)):
            started, refused = started + result.is_started, refused + (not result.is_started)
            print_start(result, as_json)
    if not as_json:
        print_line(f"{started} started, {refused} refused")
    raise SystemExit(FAILED if refused else 0)


@flow.command()
@click.argument("flow_id", metavar="ID")
@engine_options
def get(flow_id: str, url: str, as_json: bool) -> None:
    """Show the state of a flow."""
    with engine_at(url) as engine:
        _print_state(engine.flows.get(flow_id), as_json)


@flow.command()
@click.argument("flow_id", metavar="ID")
@timeout_option
@engine_options
def wait(flow_id: str, timeout_seconds: float | None, url: str, as_json: bool) -> None:
    """Wait until a flow is completed or failed, and show its state; exits with 1 if it failed."""
    with engine_at(url) as engine:
        state = engine.flows.wait(flow_id, timeout_seconds)
    _print_state(state, as_json)
    raise SystemExit(FAILED if state.status is FlowStatus.FAILED else 0)


@flow.command()
@click.argument("flow_id", metavar="ID")
@engine_options
def events(flow_id: str, url: str, as_json: bool) -> None:
    """Show the event log of a flow."""
    with engine_at(url) as engine:
        log = engine.ask("GET", "/engine/flow/{}/events", flow_id)
    (print_json if as_json else print_events)(log)


@flow.command()
@click.argument("flow_id", metavar="ID")
@click.option("--after", type=int, default=-1, help="Leave out events up to this number.")
@timeout_option
@engine_options
def follow(flow_id: str, after: int, timeout_seconds: float | None, url: str, as_json: bool) -> None:
    """Show the events of a flow as they happen, up to the last one; with --json one object a line."""
    with engine_at(url) as engine:
        for event in engine.flows.follow(flow_id, after=after, timeout_seconds=timeout_seconds):
            print_event(event, as_json)


@flow.command("list")
@click.option("--status", "statuses", multiple=True, type=click.Choice(["active", "completed", "failed"]))
@click.option("--prefix", default="", help="Beginning of the ids.")
@click.option("--label", "-l", "labels", type=PAIR, multiple=True, help="A label that the flows carry.")
@click.option("--archived/--not-archived", default=None, help="Only those in the archive, or only the others.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(0, 1000), help="0 shows all.")
@engine_options
def list_flows(
    statuses: tuple[str, ...],
    prefix: str,
    labels: tuple[tuple[str, str], ...],
    archived: bool | None,
    limit: int,
    url: str,
    as_json: bool,
) -> None:
    """List flows: active ones first, then the latest."""
    query = FlowQuery(statuses=statuses, id_prefix=prefix, labels=dict(labels), limit=limit, archived=archived)
    with engine_at(url) as engine:
        page = engine.flows.page(query)
    (print_json if as_json else print_flows)(page.answer)


def _print_state(state: Flow, as_json: bool) -> None:
    (print_json if as_json else print_flow)(state.answer)
