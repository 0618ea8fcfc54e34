# SPDX-License-Identifier: Apache-2.0
"""`make demo`: starts everything, runs the orders of `orders.json` as flows, and shows what became of them.

Ends with 0 only if every order completed, with 1 if not, and with 2 if something did not start. All that it
started is stopped again, also on Ctrl-C. `report.py` prints, `children.py` has the processes.
"""

import json
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.live import Live

from argyll_api.cli.output import print_events
from argyll_api.client import Client, Flow
from examples.order import children
from examples.order.report import Outcome, build_outcome, legend, print_outcomes, progress_table
from examples.order.services import PORTS

HERE: Final = Path(__file__).parent
GOAL: Final = "notify-customer"
POLL_SECONDS: Final = 0.2

Json = dict[str, Any]
Show = Callable[[Mapping[str, Json]], None]


@click.command()
@click.option("--url", default="", help="Use the engine at this address instead of starting one.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcomes as JSON; progress goes to stderr.")
@click.option("--timeout", "timeout_seconds", default=120.0, show_default=True, help="Seconds for all orders.")
def main(url: str, as_json: bool, timeout_seconds: float) -> None:
    """Run twenty orders through the order flow."""
    for stop_signal in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop_signal, _exit)
    console = Console(stderr=as_json, highlight=False)
    with ExitStack() as started:
        console.print(f"using the engine at {url}" if url else "starting an engine and the four services of the shop")
        client = started.enter_context(Client(url or started.enter_context(children.engine())))
        register_steps(client, started.enter_context(children.services()))
        flows = start_orders(client)
        console.print(f"started {len(flows)} orders")
        with _progress(console) as show:
            states = follow(client, flows, show, time.monotonic() + timeout_seconds)
        logs = {order_id: client.ask("GET", "/engine/flow/{}/events", flow_id) for order_id, flow_id in flows.items()}
    outcomes = [build_outcome(order_id, state, logs[order_id]["events"]) for order_id, state in states.items()]
    _report(outcomes, logs, as_json)
    raise SystemExit(0 if all(outcome.status == "completed" for outcome in outcomes) else 1)


def register_steps(client: Client, addresses: Mapping[str, str]) -> None:
    """Registers the definitions of `steps/`, with the services at these addresses, and updates known ones."""
    for file in sorted(HERE.glob("steps/*.json")):
        text = file.read_text(encoding="utf-8")
        for name, port in PORTS.items():
            text = text.replace(f"http://localhost:{port}/", f"{addresses[name]}/")
        client.steps.put(json.loads(text))


def start_orders(client: Client) -> dict[str, str]:
    """The flow ids by order, all started; new ones every time, so that an engine can be used again."""
    run, flows = secrets.token_hex(3), {}
    for order in json.loads((HERE / "orders.json").read_text(encoding="utf-8")):
        init = {name: value for name, value in order.items() if name != "id"}
        labels = {"example": "order", "run": run, "customer": order["customer_id"]}
        flows[order["id"]] = client.flows.start(f"{order['id']}-{run}", [GOAL], init, labels=labels)
    return flows


def follow(client: Client, flows: Mapping[str, str], show: Show, deadline: float) -> dict[str, Json]:
    """The last state of every flow by order: when all have ended, or when the time is over."""
    states: dict[str, Flow] = {}
    while True:
        for order_id, flow_id in flows.items():
            if order_id not in states or states[order_id].deactivated_at is None:
                states[order_id] = client.flows.get(flow_id)
        answers = {order_id: dict(state.answer) for order_id, state in states.items()}
        show(answers)
        if all(state.deactivated_at for state in states.values()) or time.monotonic() > deadline:
            return answers
        time.sleep(POLL_SECONDS)


def _has_ended(state: Json) -> bool:
    return bool(Flow.from_json(state).deactivated_at)


@contextmanager
def _progress(console: Console) -> Iterator[Show]:
    """A function that shows how far the orders are: a table that changes, or lines where there is no terminal."""
    if console.is_terminal:
        console.print(legend())
        with Live(console=console, auto_refresh=False) as live:
            yield lambda states: live.update(progress_table(states), refresh=True)
        return
    told: set[str] = set()

    def show(states: Mapping[str, Json]) -> None:
        for order_id, state in states.items():
            if _has_ended(state) and order_id not in told:
                told.add(order_id)
                console.print(f"{len(told):>2} of {len(states)}: {order_id} {state['status']}")

    yield show


def _report(outcomes: list[Outcome], logs: Mapping[str, Json], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([outcome.to_json() for outcome in outcomes], ensure_ascii=False, indent=2))
        return
    click.echo()
    print_outcomes(outcomes)
    told = max(outcomes, key=lambda outcome: (bool(outcome.notified), outcome.retries))
    click.echo(f"\nThe log of {told.flow_id} (retries: {told.retries}):")
    print_events(logs[told.order])
    completed = sum(outcome.status == "completed" for outcome in outcomes)
    retries = sum(outcome.retries for outcome in outcomes)
    click.echo(f"\n{completed} of {len(outcomes)} orders completed, with {retries} retries")


def _exit(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
