# SPDX-License-Identifier: Apache-2.0
"""`make demo` as a stranger runs it: one run of the whole product, looked at from several sides."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ORDERS = json.loads((ROOT / "examples/order/orders.json").read_text(encoding="utf-8"))
SHOP = json.loads((ROOT / "examples/order/shop.json").read_text(encoding="utf-8"))
CUSTOMERS = {row["id"]: row for row in SHOP["customers"]}
PRODUCTS = {row["id"]: row for row in SHOP["products"]}
PATIENCE_SECONDS = 180.0

Json = dict[str, Any]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """One whole run of the demo, with a temporary directory that it should leave empty."""
    return subprocess.run(
        (sys.executable, "-m", "examples.order.demo", "--json"),
        cwd=ROOT,
        env=_environment(tmp_path_factory.mktemp("demo")),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@pytest.fixture(scope="module")
def outcomes(run: subprocess.CompletedProcess[str]) -> dict[str, Json]:
    """What it printed, by order."""
    assert run.stdout, run.stderr
    return {outcome["order"]: outcome for outcome in json.loads(run.stdout)}


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The demo while its flows run."""
    words = (sys.executable, "-u", "-m", "examples.order.demo")
    with subprocess.Popen(words, cwd=ROOT, env=_environment(tmp_path), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any(line.startswith("started") for line in process.stdout)
        yield process
        process.kill()


def _environment(directory: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("HOME", "PATH", "LANG")}
    return kept | {"TMPDIR": str(directory)}


def _cents(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


def _expected_total_cents(order: Json) -> int:
    """The price by the rules of the example, figured with decimals instead of the doubles of Lua."""
    product, quantity = PRODUCTS[order["product_id"]], order.get("quantity", 1)
    grams = product["weight_grams"] * quantity
    kilograms = -(-grams // 1_000)
    rates = ((1, 490), (5, 790), (20, 1_490))
    shipping = next((rate for limit, rate in rates if kilograms <= limit), 1_490 + 60 * (kilograms - 20))
    net = product["price_cents"] * quantity + shipping
    return _cents(Decimal(net) * Decimal("1.08"))


def test_every_order_completes(run: subprocess.CompletedProcess[str], outcomes: dict[str, Json]) -> None:
    """All twenty flows complete, and the exit code says so."""
    statuses = {order_id: outcome["status"] for order_id, outcome in outcomes.items()}
    assert ({order["id"]: "completed" for order in ORDERS}, 0) == (statuses, run.returncode)
    assert 20 == len(ORDERS)


def test_totals_are_right(outcomes: dict[str, Json]) -> None:
    """The script step charges what an independent calculation gives, on the terms of the credit check."""
    expected = {}
    for order in ORDERS:
        total = _expected_total_cents(order)
        credit = CUSTOMERS[order["customer_id"]]["credit_limit_cents"]
        expected[order["id"]] = (total, "invoice" if total <= credit else "prepaid", order.get("quantity", 1))
    assert expected == {
        order_id: (outcome["total_cents"], outcome["terms"], outcome["quantity"])
        for order_id, outcome in outcomes.items()
    }
    assert {"invoice", "prepaid"} == {terms for _, terms, _ in expected.values()}


def test_the_busy_warehouse_is_tried_again(outcomes: dict[str, Json]) -> None:
    """Every second reservation is refused with 503: at least as many retries as orders, all of that step."""
    retried = [
        event["step"]
        for outcome in outcomes.values()
        for event in outcome["log"]
        if event["type"] == "work_retry_scheduled"
    ]
    assert {"reserve-stock"} == set(retried)
    assert len(retried) == sum(outcome["retries"] for outcome in outcomes.values())
    assert len(ORDERS) <= len(retried)


def test_only_those_who_want_are_told(outcomes: dict[str, Json]) -> None:
    """The predicate skips the notification of customers without a channel; the others get it by theirs."""
    channels = {order["id"]: CUSTOMERS[order["customer_id"]]["channel"] for order in ORDERS}
    told = {order_id: outcome["notified"] or "none" for order_id, outcome in outcomes.items()}
    skipped = {
        order_id
        for order_id, outcome in outcomes.items()
        if ("step_skipped", "notify-customer") in {(event["type"], event["step"]) for event in outcome["log"]}
    }
    assert (channels, {name for name, channel in channels.items() if channel == "none"}) == (told, skipped)
    assert 0 < len(skipped) < len(ORDERS)


def test_each_order_is_paid_and_reserved_once(outcomes: dict[str, Json]) -> None:
    """Every order has a payment and a reservation of its own, and each of its steps succeeded at most once."""
    assert len(ORDERS) == len({outcome["payment"] for outcome in outcomes.values()} - {""})
    assert len(ORDERS) == len({outcome["reservation"] for outcome in outcomes.values()} - {""})
    for outcome in outcomes.values():
        succeeded = [event["step"] for event in outcome["log"] if event["type"] == "work_succeeded"]
        assert sorted(set(succeeded)) == sorted(succeeded)


def test_logs_are_contiguous(outcomes: dict[str, Json]) -> None:
    """Each log counts from 0 without a gap, and runs from the start of its flow to its end."""
    for outcome in outcomes.values():
        assert list(range(len(outcome["log"]))) == [event["sequence"] for event in outcome["log"]]
        assert ("flow_started", "flow_deactivated") == (outcome["log"][0]["type"], outcome["log"][-1]["type"])


def test_ctrl_c_stops_all_that_was_started(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    """Interrupted while flows run, it leaves no process and no file behind."""
    children = _children(demo.pid)
    demo.send_signal(signal.SIGINT)
    code = demo.wait(PATIENCE_SECONDS)
    assert (True, 2, []) == (code != 0, len(children), list(tmp_path.iterdir()))
    assert [] == [pid for pid in children if Path(f"/proc/{pid}").exists()]


@pytest.mark.slow
def test_a_killed_demo_takes_its_children_along(demo: subprocess.Popen[str]) -> None:
    """Killed with -9 it leaves no engine and no services running."""
    children = _children(demo.pid)
    demo.kill()
    demo.wait(PATIENCE_SECONDS)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(_is_running(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (2, []) == (len(children), [pid for pid in children if _is_running(pid)])


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_running(pid: int) -> bool:
    """Whether it runs; one that ended may still be listed where nobody asked how."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
