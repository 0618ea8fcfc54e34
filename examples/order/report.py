# SPDX-License-Identifier: Apache-2.0
"""What the demo makes of flow states and logs: rows for people and JSON for machines. Asks the engine nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from rich.console import Console
from rich.table import Table

PATH: Final = (
    "look-up-customer",
    "look-up-product",
    "calculate-order",
    "take-payment",
    "reserve-stock",
    "write-receipt",
    "notify-customer",
)
"""The steps as one would tell them."""

_SIGNS: Final = {"pending": "·", "active": "◐", "completed": "●", "skipped": "○", "failed": "✗"}
_COLOURS: Final = {"active": "cyan", "completed": "green", "failed": "red"}
_PIPE_WIDTH: Final = 120  # columns; whoever reads a pipe wants whole lines

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an order ended; what was not reached is empty."""

    order: str
    flow_id: str
    customer: str
    product: str
    quantity: int
    total_cents: int
    terms: str
    payment: str
    reservation: str
    shelf: str
    notified: str
    retries: int
    duration_ms: int
    status: str
    log: tuple[Json, ...]

    def to_json(self) -> Json:
        """The same as a JSON object."""
        return asdict(self)


def build_outcome(order_id: str, state: Json, events: Iterable[Json]) -> Outcome:
    """The outcome of an order, from the state of its flow and its event log."""
    customer, product, order = (_value(state, name) for name in ("customer", "product", "order"))
    reservation = _value(state, "reservation")
    log = tuple(_brief(event) for event in events)
    return Outcome(
        order=order_id,
        flow_id=state["id"],
        customer=customer.get("name", ""),
        product=product.get("id", ""),
        quantity=order.get("quantity", 0),
        total_cents=order.get("total_cents", 0),
        terms=order.get("terms", ""),
        payment=_value(state, "payment").get("id", ""),
        reservation=reservation.get("id", ""),
        shelf=reservation.get("shelf", ""),
        notified=_value(state, "notification").get("channel", ""),
        retries=sum(event["type"] == "work_retry_scheduled" for event in log),
        duration_ms=_duration_ms(state),
        status=state["status"],
        log=log,
    )


def _value(state: Json, name: str) -> Json:
    """The object that a step set as this attribute; empty if none did."""
    values = state["attributes"].get(name)
    return values[0]["value"] if values else {}


def _brief(event: Json) -> Json:
    return {"sequence": event["sequence"], "type": event["type"], "step": event["data"].get("step_id", "")}


def _duration_ms(state: Json) -> int:
    if state["status"] == "active":
        return 0
    begin, end = (datetime.fromisoformat(state[name]) for name in ("created_at", "completed_at"))
    return (end - begin) // timedelta(milliseconds=1)


def progress_table(states: Mapping[str, Json]) -> Table:
    """How far each order is: one sign a step. The states are those that the engine gave last, by order."""
    table = Table(box=None, pad_edge=False)
    for column in ("order", "customer", "steps", "status"):
        table.add_column(column)
    for order_id, state in states.items():
        signs = " ".join(_SIGNS[state["executions"][step_id]["status"]] for step_id in PATH)
        table.add_row(order_id, _value(state, "customer").get("name", ""), signs, _coloured(state["status"]))
    return table


def legend() -> str:
    """What the signs of `progress_table` mean, and which steps they stand for."""
    signs = "  ".join(f"{sign} {status}" for status, sign in _SIGNS.items())
    return f"{' → '.join(PATH)}\n{signs}"


def print_outcomes(outcomes: Iterable[Outcome]) -> None:
    """A table with a row for every order."""
    table = Table(box=None, pad_edge=False)
    for column in ("order", "customer", "product", "total", "payment", "stock", "told by", "retries", "s", "status"):
        table.add_column(column, justify="right" if column in ("total", "retries", "s") else "left")
    for outcome in outcomes:
        table.add_row(
            outcome.order,
            outcome.customer,
            f"{outcome.quantity} × {outcome.product}",
            f"{outcome.total_cents / 100:.2f}",
            outcome.payment and outcome.terms,
            outcome.reservation and f"shelf {outcome.shelf}",
            outcome.notified or "–",
            str(outcome.retries or ""),
            f"{outcome.duration_ms / 1000:.1f}",
            _coloured(outcome.status),
        )
    console = Console()
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    console.print(table)


def _coloured(status: str) -> str:
    colour = _COLOURS[status]
    return f"[{colour}]{status}[/{colour}]"
