# SPDX-License-Identifier: Apache-2.0
"""`argyll flow …`: commands about runs, over HTTP."""

from typing import TextIO

import click

from argyll_api.cli.arguments import PAIR, init_file_option, init_option, read_init
from argyll_api.cli.client import EngineClient, engine_options
from argyll_api.cli.output import print_events, print_flow, print_flows, print_json, print_line


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
    body = {"id": flow_id, "goals": goals, "init": read_init(pairs, init_file), "labels": dict(labels)}
    answer = EngineClient(url).post("/engine/flow", body)
    if as_json:
        print_json(answer)
    else:
        print_line(f"Flow started: {answer['flow_id']}")


@flow.command()
@click.argument("flow_id", metavar="ID")
@engine_options
def get(flow_id: str, url: str, as_json: bool) -> None:
    """Show the state of a flow."""
    state = EngineClient(url).get("/engine/flow/{}", flow_id)
    (print_json if as_json else print_flow)(state)


@flow.command()
@click.argument("flow_id", metavar="ID")
@engine_options
def events(flow_id: str, url: str, as_json: bool) -> None:
    """Show the event log of a flow."""
    log = EngineClient(url).get("/engine/flow/{}/events", flow_id)
    (print_json if as_json else print_events)(log)


@flow.command("list")
@click.option("--status", "statuses", multiple=True, type=click.Choice(["active", "completed", "failed"]))
@click.option("--prefix", default="", help="Beginning of the ids.")
@click.option("--label", "-l", "labels", type=PAIR, multiple=True, help="A label that the flows carry.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(0, 1000), help="0 shows all.")
@engine_options
def list_flows(
    statuses: tuple[str, ...],
    prefix: str,
    labels: tuple[tuple[str, str], ...],
    limit: int,
    url: str,
    as_json: bool,
) -> None:
    """List flows: active ones first, then the latest."""
    query = {"statuses": statuses, "id_prefix": prefix, "labels": dict(labels), "limit": limit, "sort": "recent_desc"}
    page = EngineClient(url).post("/engine/flow/query", query)
    (print_json if as_json else print_flows)(page)
