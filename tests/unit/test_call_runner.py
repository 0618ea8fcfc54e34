# SPDX-License-Identifier: Apache-2.0
"""Calls that run together: claims and results share round trips, and members do not trouble each other."""

import threading
from collections.abc import Iterator

import pytest

from argyll_engine.errors import StoreUnavailableError
from argyll_engine.model.flow import FlowStatus, WorkStatus
from argyll_engine.model.ids import FlowID, StepID
from argyll_engine.model.invocation import Accepted, Failed, Invocation, NotCompleted, Outcome, Succeeded
from argyll_engine.script_runner import Fate
from argyll_engine.work_order import WorkOrder
from tests.call_bench import SECONDS, WELL, Bench, Done, a_bench, an_order


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A bench of this test's own."""
    with a_bench() as made:
        yield made


def test_claims_are_two_round_trips_and_results_one(bench: Bench) -> None:
    """Five flows that this process has never seen; each message is acknowledged with its result."""
    orders = bench.orders(*"abcde")
    bench.begin(orders)
    bench.client.wait_for(*"abcde")
    assert ([5], [5]) == (bench.store.loads, bench.store.commits)
    assert not {order.delivery_tag for order in orders} & bench.shop.backend.acknowledged

    with bench.paused():
        for flow_id in "abcde":
            bench.client.answer(flow_id)
    assert [Fate.COMMITTED] * 5 == bench.await_fates(orders)

    assert [5] == bench.store.commits
    assert {order.delivery_tag for order in orders} <= bench.shop.backend.acknowledged
    assert [FlowStatus.COMPLETED] * 5 == [bench.status(flow_id) for flow_id in "abcde"]


def test_claims_and_results_share_a_commit(bench: Bench) -> None:
    """What has come while the runner was at something else goes together, whatever it is."""
    (first,) = bench.orders("a")
    bench.begin([first])
    bench.client.wait_for("a")
    (second,) = bench.orders("b")

    with bench.paused():
        bench.client.answer("a")
        bench.begin([second])
    bench.client.wait_for("b")

    assert [Fate.COMMITTED] == bench.await_fates([first])
    assert ([1], [2]) == (bench.store.loads, bench.store.commits)


def test_the_quick_do_not_wait_for_the_slow(bench: Bench) -> None:
    """A call that takes its time holds no result of its batch back."""
    slow, quick = bench.orders("slow", "quick")
    bench.begin([slow, quick])
    bench.client.wait_for("slow", "quick")

    bench.client.answer("quick")

    assert [Fate.COMMITTED] == bench.await_fates([quick])
    assert (FlowStatus.COMPLETED, FlowStatus.ACTIVE) == (bench.status("quick"), bench.status("slow"))


def test_items_of_one_flow(bench: Bench) -> None:
    """Ten claims of one flow are one commit, and all of its items end."""
    orders = bench.orders("f", goal="fan", x=list(range(10)))
    bench.client.on_begin = lambda _, done: done(WELL)
    bench.begin(orders)

    assert 10 == len(bench.await_fates(orders))

    log = bench.shop.log_of("f")
    assert (10, 10) == (log.count("work_started"), log.count("work_succeeded"))
    assert FlowStatus.COMPLETED == bench.status("f")


@pytest.mark.parametrize(
    ("outcome", "event"),
    [(Failed(error="no"), "work_failed"), (NotCompleted(error="later"), "work_not_completed")],
)
def test_other_ends_are_recorded(bench: Bench, outcome: Outcome, event: str) -> None:
    """A failure is an outcome like any other."""
    orders = bench.orders("a")
    bench.client.on_begin = lambda _, done: done(outcome)
    bench.begin(orders)

    assert [Fate.COMMITTED] == bench.await_fates(orders)

    assert event in bench.shop.log_of("a")


def test_an_accepted_call_waits_for_its_webhook(bench: Bench) -> None:
    """It was told where to send its outcome; its message is done, its work is not."""
    orders = bench.orders("a", goal="ack")
    bench.client.on_begin = lambda _, done: done(Accepted())
    bench.begin(orders)

    assert [Fate.DONE] == bench.await_fates(orders)

    assert f"http://engine/webhook/a/ack/{orders[0].token}" == bench.client.calls["a"][0].webhook_url
    item = bench.shop.engine.queries.flow(FlowID("a")).executions[StepID("ack")].work_items[orders[0].token]
    assert WorkStatus.ACTIVE == item.status


def test_a_message_that_is_there_twice_calls_once(bench: Bench) -> None:
    """In one batch, and while the call is under way; the repeated ones are done."""
    (order,) = bench.orders("a")
    again = [
        WorkOrder(flow_id=order.flow_id, step_id=order.step_id, token=order.token, attempt=1, delivery_tag=f"again-{n}")
        for n in range(2)
    ]
    bench.begin([order, again[0]])
    bench.client.wait_for("a")
    bench.begin([again[1]])

    assert [Fate.DONE] * 2 == bench.await_fates(again)
    bench.client.answer("a")
    assert [Fate.COMMITTED] == bench.await_fates([order])
    assert 1 == bench.shop.log_of("a").count("work_started")


def test_a_remembered_result_needs_no_call(bench: Bench) -> None:
    """The second flow completes with what the first one's call gave."""
    bench.client.on_begin = lambda _, done: done(WELL)
    first = bench.orders("a", goal="known")
    bench.begin(first)
    assert [Fate.COMMITTED] == bench.await_fates(first)

    second = bench.orders("b", goal="known")
    bench.begin(second)

    assert [Fate.DONE] == bench.await_fates(second)
    assert (["a"], FlowStatus.COMPLETED) == (list(bench.client.calls), bench.status("b"))


def test_what_nobody_wants_is_done(bench: Bench) -> None:
    """Unknown flows, and attempts that somebody else has started."""
    (order,) = bench.orders("a")
    bench.shop.runner.run(order.flow_id, order.step_id, order.token, order.attempt)
    unknown = an_order("never")
    bench.begin([order, unknown])

    assert [Fate.DONE, Fate.DONE] == bench.await_fates([order, unknown])

    assert {} == bench.client.calls


def test_who_loses_the_race_for_a_claim_does_not_call(bench: Bench) -> None:
    """Another process was faster with one of two flows that this one knows; the other is called."""
    orders = bench.orders("a", "b")
    bench.parts.flows.load([order.stream_id for order in orders])
    bench.shop.runner.run(orders[0].flow_id, orders[0].step_id, orders[0].token, orders[0].attempt)
    bench.begin(orders)
    bench.client.wait_for("b")

    assert [Fate.DONE] == bench.await_fates(orders[:1])
    assert ["b"] == list(bench.client.calls)


def test_other_kinds_of_steps_run_alone(bench: Bench) -> None:
    """A script needs no call, and its neighbour does not notice."""
    orders = bench.orders("a") + bench.orders("s", goal="script")
    bench.client.on_begin = lambda _, done: done(WELL)
    bench.begin(orders)

    assert [Fate.COMMITTED, Fate.ALONE] == bench.await_fates(orders)


@pytest.mark.parametrize("where", ["begin", "outcome"])
def test_a_fault_of_ours_ends_its_attempt_only(bench: Bench, where: str) -> None:
    """The attempt counts as not completed, and the neighbour as it ended."""

    def begin(call: Invocation, done: Done) -> None:
        if call.flow_id == "a" and where == "begin":
            raise ZeroDivisionError("a fault")
        done(ZeroDivisionError("a fault") if call.flow_id == "a" else WELL)

    orders = bench.orders("a", "b")
    bench.client.on_begin = begin
    bench.begin(orders)

    assert [Fate.DONE, Fate.COMMITTED] == bench.await_fates(orders)

    assert "work_not_completed" in bench.shop.log_of("a")
    assert FlowStatus.COMPLETED == bench.status("b")


def test_what_cannot_be_written_ends_alone(bench: Bench) -> None:
    """An output that is no JSON concerns its own flow only."""
    orders = bench.orders("a", "b")
    bench.begin(orders)
    bench.client.wait_for("a", "b")

    with bench.paused():
        bench.client.answer("a", Succeeded(outputs={"y": object()}))
        bench.client.answer("b")

    assert [Fate.DONE, Fate.COMMITTED] == bench.await_fates(orders)
    assert "work_not_completed" in bench.shop.log_of("a")


def test_a_store_that_is_away_for_a_moment_costs_nothing(bench: Bench) -> None:
    """Claims and results wait for it; a claim that was recorded without our hearing of it is still ours."""
    commit, faults = bench.store.commit, iter((True, True))

    def shaky(commits: object) -> object:
        results = commit(commits)  # type: ignore[arg-type]
        if next(faults, False):
            raise StoreUnavailableError("flow", "gone")
        return results

    orders = bench.orders("a")
    bench.store.commit = shaky  # type: ignore[method-assign, assignment]
    bench.client.on_begin = lambda _, done: done(WELL)
    bench.begin(orders)

    assert [Fate.DONE] == bench.await_fates(orders)  # the second try finds that it is recorded

    log = bench.shop.log_of("a")
    assert (1, 1) == (log.count("work_started"), log.count("work_succeeded"))


def test_a_worker_that_stops_begins_nothing_and_ends_what_runs(bench: Bench) -> None:
    """What is under way is recorded before `finish` comes back; the rest is left to others."""
    running, late = bench.orders("a", "b")
    bench.begin([running])
    bench.client.wait_for("a")
    bench.runner.stop()
    bench.begin([late])
    assert [Fate.LEFT] == bench.await_fates([late])

    finishing = threading.Thread(target=bench.runner.finish)
    finishing.start()
    assert finishing.is_alive()
    bench.client.answer("a")
    finishing.join(SECONDS)

    assert (Fate.COMMITTED, FlowStatus.COMPLETED) == (bench.fates[running.delivery_tag], bench.status("a"))
    assert FlowStatus.ACTIVE == bench.status("b")


def test_a_store_that_is_away_at_the_end_leaves_the_message(bench: Bench) -> None:
    """Nobody knows what was recorded: whoever gets the message finds out."""
    orders = bench.orders("a")
    bench.begin(orders)
    bench.client.wait_for("a")

    def gone(_commits: object) -> object:
        raise StoreUnavailableError("flow", "gone")

    bench.store.commit = gone  # type: ignore[method-assign, assignment]
    bench.runner.stop()
    bench.client.answer("a")

    assert [Fate.LEFT] == bench.await_fates(orders)


def test_an_end_is_recorded_though_the_worker_stops_while_a_start_waits(bench: Bench) -> None:
    """The store is away for the look at new orders, and there again for the result: a call that was made counts."""
    (ended,) = bench.orders("a")
    bench.begin([ended])
    bench.client.wait_for("a")
    (late,) = bench.orders("b")
    looked = threading.Event()

    def gone(_requests: object) -> object:
        looked.set()
        raise StoreUnavailableError("flow", "gone")

    with bench.paused():
        bench.store.load = gone  # type: ignore[method-assign, assignment]
        bench.client.answer("a")
        bench.begin([late])
    assert looked.wait(SECONDS)
    bench.runner.stop()

    assert [Fate.COMMITTED, Fate.LEFT] == bench.await_fates([ended, late])
