# SPDX-License-Identifier: Apache-2.0
"""What a runner of calls does when a turn of its thread ends as nobody foresaw."""

from collections.abc import Iterator

import pytest

from argyll_engine import call_runner
from argyll_engine.errors import StoreUnavailableError
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.invocation import Accepted, Failed
from argyll_engine.script_runner import Fate
from argyll_engine.work_order import WorkOrder
from tests.call_bench import WELL, Bench, a_bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A bench of this test's own."""
    with a_bench() as made:
        yield made


def test_a_claim_that_the_runner_lost_is_ended(bench: Bench) -> None:
    """It counts as not completed; the others of its batch are called, and the thread goes on to serve what comes."""
    orders = bench.orders("a", "b", "c")
    bench.lose_answers("c")
    bench.begin(orders)
    assert [Fate.DONE] == bench.await_fates(orders[2:])
    log = bench.shop.log_of("c")
    assert (1, 1) == (log.count("work_started"), log.count("work_not_completed"))

    (later,) = (order for order in bench.orders("d") if order.flow_id == "d")
    bench.begin([later])
    bench.client.wait_for("a", "b", "d")
    assert {orders[2].delivery_tag} == bench.fates.keys()
    for flow_id in "abd":
        bench.client.answer(flow_id)
    assert [Fate.COMMITTED] * 3 == bench.await_fates([*orders[:2], later])
    assert [FlowStatus.COMPLETED] * 3 == [bench.status(flow_id) for flow_id in "abd"]


def test_ends_that_the_runner_lost_are_told(bench: Bench) -> None:
    """What was recorded and what was accepted stay as they are, and no end keeps the worker from stopping."""
    orders = bench.orders("a", "b") + bench.orders("k", goal="ack")
    bench.begin(orders)
    bench.client.wait_for("a", "b", "k")

    with bench.paused():
        bench.lose_answers("a", "b")
        bench.client.answer("a")
        bench.client.answer("b", Failed(error="no"))
        bench.client.answer("k", Accepted())

    assert [Fate.DONE] * 3 == bench.await_fates(orders)
    assert (FlowStatus.COMPLETED, FlowStatus.FAILED) == (bench.status("a"), bench.status("b"))
    assert "work_not_completed" not in [event for flow_id in "abk" for event in bench.shop.log_of(flow_id)]
    bench.runner.finish()


def test_a_repeated_message_that_the_runner_lost_ends_no_call(bench: Bench) -> None:
    """The call that is under way is not told and completes; its second message is done."""
    (order,) = bench.orders("a")
    bench.begin([order])
    bench.client.wait_for("a")
    (new,) = bench.orders("b")
    again = WorkOrder(flow_id=order.flow_id, step_id=order.step_id, token=order.token, attempt=1, delivery_tag="again")

    with bench.paused():
        bench.lose_answers("b")
        bench.begin([new, again])

    assert [Fate.DONE] * 2 == bench.await_fates([new, again])
    assert order.delivery_tag not in bench.fates
    bench.client.answer("a")
    assert [Fate.COMMITTED] == bench.await_fates([order])


def test_orders_that_nobody_has_claimed_yet_come_back_to_run_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the end of another call breaks the turn before they are asked for: nothing is called, nothing recorded."""
    accepted = bench.orders("k", goal="ack")
    bench.begin(accepted)
    bench.client.wait_for("k")
    new = bench.orders("a")

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault")

    with bench.paused():
        monkeypatch.setattr(call_runner, "report", broken)
        bench.client.answer("k", Accepted())
        bench.begin(new)

    assert [Fate.DONE, Fate.ALONE] == bench.await_fates([*accepted, *new])
    assert ("a" in bench.client.calls, "work_started" in bench.shop.log_of("a")) == (False, False)


def test_a_crash_that_cannot_be_recorded_is_told_all_the_same(bench: Bench) -> None:
    """The thread outlives it and serves what comes next."""
    orders = bench.orders("a", "b")

    def crash(order: WorkOrder, _exc: Exception) -> None:
        if order.flow_id == "a":
            raise ZeroDivisionError("a fault")
        raise StoreUnavailableError("flow", "gone")

    bench.crash = crash
    bench.lose_answers("a", "b")
    bench.begin(orders)
    assert [Fate.DONE, Fate.LEFT] == bench.await_fates(orders)

    (later,) = bench.orders("d")
    bench.client.on_begin = lambda _, done: done(WELL)
    bench.begin([later])
    assert [Fate.COMMITTED] == bench.await_fates([later])
