# SPDX-License-Identifier: Apache-2.0
"""Scripts that run together: one load, one commit, and members that do not trouble each other."""

from collections.abc import Callable
from itertools import count

import pytest
from msgspec.structs import replace

from argyll_engine.model.flow import FlowStatus, WorkStatus
from argyll_engine.model.ids import FlowID, StepID, Token
from argyll_engine.model.invocation import Failed, Invocation, Outcome, Succeeded
from argyll_engine.model.step import WorkConfig
from argyll_engine.patience import Patience
from argyll_engine.script_runner import BATCH_SECONDS, Fate, ScriptRunner
from argyll_engine.wiring import Parts
from argyll_engine.work_order import WorkOrder
from tests.counting import CountingStore
from tests.definitions import a_script_step, a_step, output, required
from tests.workshop import AnsweringClient, Workshop

ADD = a_script_step("add", {"x": required(), "y": output()})
FAN = a_script_step("fan", {"x": required(for_each=True), "y": output()}, work_config=WorkConfig(parallelism=1_000))


class Bench:
    """A workshop, flows that wait for their scripts, and a runner with a cache and counters of its own."""

    def __init__(self, answers: Callable[[Invocation], Outcome], ticks: Callable[[], float] = lambda: 0.0) -> None:
        self.shop = Workshop()
        self.client = AnsweringClient(answers)
        self.patience = Patience()
        self.parts = self.shop.parts_of_another_process()
        self.store = CountingStore(self.shop.backend)
        self.parts.flows._store = self.parts.flow_executor._store = self.store
        self.ticks = ticks
        self.runner = self.runner_on(self.parts)
        for step in (ADD, FAN, a_step("call")):
            self.shop.engine.register_step(step)

    def runner_on(self, parts: Parts) -> ScriptRunner:
        """A runner on the parts of one process."""
        return ScriptRunner(
            flows=parts.flow_executor,
            projections=parts.flows,
            health=self.shop.runner._scripts._health,
            held=self.shop.held,
            memo=parts.memo,
            scripts=self.client,
            patience=self.patience,
            clock=self.ticks,
        )

    def runner_elsewhere(self) -> ScriptRunner:
        """A runner of another process, which has seen nothing yet."""
        return self.runner_on(self.shop.parts_of_another_process())

    def orders(self, *flow_ids: str, goal: str = "add", x: object = 1) -> list[WorkOrder]:
        """The orders that starting these flows leads to."""
        for flow_id in flow_ids:
            self.shop.engine.start_flow(FlowID(flow_id), (StepID(goal),), {"x": (x,)} if goal != "call" else {}, {})
        return self.waiting()

    def waiting(self) -> list[WorkOrder]:
        """The orders that wait."""
        self.store.loads, self.store.commits = [], []
        return [
            WorkOrder(flow_id=flow_id, step_id=step_id, token=token, attempt=attempt, delivery_tag=f"tag-{token}")
            for flow_id, step_id, token, attempt in self.shop.messages()
        ]

    def status(self, flow_id: str) -> FlowStatus:
        """Of a flow, as of now."""
        return self.shop.engine.queries.flow(FlowID(flow_id)).status


def adds(call: Invocation) -> Outcome:
    """One more than what is given."""
    return Succeeded(outputs={"y": call.arguments["x"] + 1})


def test_a_batch_is_two_round_trips():
    """Five flows that this process has never seen: one load and one commit, each message acknowledged in it."""
    bench = Bench(adds)
    orders = bench.orders(*"abcde")

    assert [Fate.COMMITTED] * 5 == bench.runner.run_together(orders)

    assert ([5], [5]) == (bench.store.loads, bench.store.commits)
    assert {order.delivery_tag for order in orders} <= bench.shop.backend.acknowledged
    assert [FlowStatus.COMPLETED] * 5 == [bench.status(flow_id) for flow_id in "abcde"]


def test_items_of_one_flow_are_one_commit():
    """A hundred results of one step: decided one after the other, recorded together, without a gap."""
    bench = Bench(adds)
    orders = bench.orders("f", goal="fan", x=list(range(100)))

    assert [Fate.COMMITTED] * 100 == bench.runner.run_together(orders)

    assert [1] == bench.store.commits
    log = bench.shop.log_of("f")
    assert (100, 100) == (log.count("work_started"), log.count("work_succeeded"))
    assert FlowStatus.COMPLETED == bench.status("f")


@pytest.mark.parametrize("error", [RuntimeError("a fault of ours"), KeyError("x")])
def test_a_member_that_breaks_takes_nobody_down(error):
    """It comes back to be run alone; the others are recorded."""

    def breaks(call: Invocation) -> Outcome:
        if call.flow_id == "b":
            raise error
        return adds(call)

    bench = Bench(breaks)

    assert [Fate.COMMITTED, Fate.ALONE, Fate.COMMITTED] == bench.runner.run_together(bench.orders(*"abc"))

    assert [FlowStatus.COMPLETED, FlowStatus.ACTIVE] == [bench.status("c"), bench.status("b")]


def test_a_script_that_fails_is_an_outcome():
    """Its flow fails, in the same commit as the others complete."""
    bench = Bench(lambda call: Failed(error="no") if call.flow_id == "b" else adds(call))

    assert [Fate.COMMITTED] * 3 == bench.runner.run_together(bench.orders(*"abc"))

    assert ([3], FlowStatus.FAILED) == (bench.store.commits, bench.status("b"))


def test_what_cannot_be_written_fails_alone():
    """An output that is no JSON concerns its own flow only."""
    bench = Bench(lambda call: Succeeded(outputs={"y": object()}) if call.flow_id == "b" else adds(call))

    assert [Fate.COMMITTED, Fate.ALONE, Fate.COMMITTED] == bench.runner.run_together(bench.orders(*"abc"))


def test_what_is_no_script_runs_alone():
    """A call waits for somebody else; a batch would wait with it."""
    bench = Bench(adds)
    orders = bench.orders("a") + bench.orders("b", goal="call")

    assert [Fate.COMMITTED, Fate.ALONE] == bench.runner.run_together(orders)

    assert ["a"] == [call.flow_id for call in bench.client.calls]


def test_a_message_that_came_twice_is_recorded_once():
    """Both are in one batch: the second finds the attempt made."""
    bench = Bench(adds)
    (order,) = bench.orders("a")

    assert [Fate.COMMITTED, Fate.DONE] == bench.runner.run_together([order, order])

    assert 1 == bench.shop.log_of("a").count("work_succeeded")


def test_what_nobody_wants_is_done():
    """Messages of unknown flows and of attempts that were made are dropped without a run."""
    bench = Bench(adds)
    (order,) = bench.orders("a")
    bench.runner.run_together([order])
    unknown = WorkOrder(flow_id=FlowID("never"), step_id=StepID("add"), token=Token("t"), attempt=1)

    assert [Fate.DONE, Fate.DONE] == bench.runner.run_together([order, unknown])

    assert 1 == len(bench.client.calls)


def test_only_losers_look_again():
    """Somebody else was faster with one of three flows: the other two are committed once."""
    bench = Bench(adds)
    orders = bench.orders(*"abc")
    bench.runner.run_together([])
    bench.parts.flows.load([order.stream_id for order in orders])
    bench.store.loads = []
    bench.shop.runner.run(orders[1].flow_id, orders[1].step_id, orders[1].token, orders[1].attempt)

    assert [Fate.COMMITTED, Fate.DONE, Fate.COMMITTED] == bench.runner.run_together(orders)

    assert [3] == bench.store.commits  # the loser finds nothing left to do
    assert 1 == bench.shop.log_of("b").count("work_succeeded")


def test_slow_scripts_do_not_hold_results_back():
    """After a moment of running scripts, what there is gets recorded."""
    ticks = count()
    bench = Bench(adds, lambda: next(ticks) * BATCH_SECONDS / 2)

    assert [Fate.COMMITTED] * 4 == bench.runner.run_together(bench.orders(*"abcd"))

    assert [2, 2] == bench.store.commits


def test_a_worker_that_stops_leaves_the_rest():
    """What it has not begun is somebody else's."""
    bench = Bench(adds)

    def stop_then_add(call: Invocation) -> Outcome:
        bench.patience.end()
        return adds(call)

    bench.client.answers = stop_then_add
    ticks = count()
    bench.runner._clock = lambda: next(ticks) * BATCH_SECONDS

    assert [Fate.COMMITTED, Fate.LEFT] == bench.runner.run_together(bench.orders(*"ab"))

    item = next(iter(bench.shop.engine.queries.flow(FlowID("b")).executions[StepID("add")].work_items.values()))
    assert WorkStatus.PENDING == item.status


# ---- messages that bring their flow ------------------------------------------------------------


def with_log(bench: Bench, order: WorkOrder) -> WorkOrder:
    """The order as the first message of its flow brings it: with all that there is of the flow."""
    log = bench.shop.backend.logs[order.stream_id].events
    return replace(order, log=b"\n".join(log).decode())


def test_a_flow_that_its_message_brings_is_not_loaded():
    """Only the one is that no message brought and this process has never seen."""
    bench = Bench(adds)
    first, second, third = bench.orders(*"abc")

    assert [Fate.COMMITTED] * 3 == bench.runner.run_together([with_log(bench, first), second, with_log(bench, third)])

    assert ([1], [3]) == (bench.store.loads, bench.store.commits)
    assert [FlowStatus.COMPLETED] * 3 == [bench.status(flow_id) for flow_id in "abc"]


def test_a_message_that_comes_again_brings_an_old_flow():
    """Another process has run it meanwhile: the commit finds out, and nothing is recorded twice."""
    bench = Bench(adds)
    (order,) = (with_log(bench, order) for order in bench.orders("a"))
    bench.runner.run_together([order])
    before = bench.shop.log_of("a")

    assert [Fate.DONE] == bench.runner_elsewhere().run_together([order])

    assert before == bench.shop.log_of("a")


def test_a_message_may_bring_a_flow_whose_id_is_that_of_another_by_now():
    """It does nothing to the new one, neither as long as that waits nor in the process that has seen the message."""
    bench = Bench(adds)
    (old,) = (with_log(bench, order) for order in bench.orders("a"))
    del bench.shop.backend.logs[old.stream_id], bench.shop.backend.flows[old.flow_id]
    bench.shop.parts.flows.forget(old.stream_id)
    bench.shop.clock.move(seconds=1)
    (new,) = (with_log(bench, order) for order in bench.orders("a"))
    runner = bench.runner_elsewhere()

    assert [Fate.ALONE] == runner.run_together([old])  # alone it finds no such work
    assert [Fate.COMMITTED] == runner.run_together([new])

    assert FlowStatus.COMPLETED == bench.status("a")


def test_a_log_that_cannot_be_read_is_left_to_the_store():
    """One of another version, say: run alone, the order loads its flow, and that says what is wrong."""
    bench = Bench(adds)
    first, second = bench.orders(*"ab")

    assert [Fate.ALONE, Fate.ALONE] == bench.runner.run_together([replace(first, log="{}"), second])
