# SPDX-License-Identifier: Apache-2.0
"""What is remembered of memoizable steps: by this process, by all of them, and when their memory is away."""

import logging

from argyll_engine.errors import BrokenError, StoreUnavailableError
from argyll_engine.memo import PAUSE, Memoization
from argyll_engine.model.flow import WorkStatus
from argyll_engine.model.ids import FlowID, StepID, Token
from argyll_engine.model.invocation import Accepted, Failed, NotCompleted, Succeeded
from argyll_engine.store.memory import MemoryBackend, MemoryMemo
from tests.definitions import a_flow_step, a_script_step, a_step, output, required
from tests.fakes import ManualClock
from tests.scenario import complete, given, run
from tests.workshop import Workshop

STEP = a_step("a", {"n": required(for_each=True), "x": output()}, memoizable=True)
OTHER = a_step("a", {"n": required(for_each=True), "x": output()})
ONE, TWO = Succeeded(outputs={"x": 1}), Succeeded(outputs={"x": 2})


def succeeded(outputs, step=STEP, n=5):
    """A state and the events of the commit in which an item over `n` succeeded."""
    flow = given([step], ["a"], {"n": ([n],)}).when(run("a"), complete("a", outputs))
    return flow.state, flow.last


def a_memo(shared=None, capacity=10, clock=None):
    """A process's memory on what all share."""
    shared = shared or MemoryMemo(MemoryBackend(), capacity=10)
    return Memoization(shared, capacity=capacity, clock=clock or ManualClock())


class FailingMemo:
    """A shared memory that is away until it is mended; it counts how often it was asked."""

    def __init__(self, error):
        self.error, self.asked = error, 0
        self.mended = MemoryMemo(MemoryBackend(), capacity=10)

    def _ask(self):
        self.asked += 1
        if self.error:
            raise self.error

    def find(self, keys):
        """Raises what is set."""
        self._ask()
        return self.mended.find(keys)

    def keep(self, results):
        """Raises what is set."""
        self._ask()
        return self.mended.keep(results)


def test_a_success_is_found_by_the_same_call():
    """The outputs as they were recorded, under the inputs of the item and not those of the step."""
    memo = a_memo()
    memo.keep(*succeeded({"x": 1}))

    assert ONE == memo.find(STEP, {"n": 5})
    assert memo.find(STEP, {"n": [5]}) is None


def test_other_processes_find_it():
    """What one process keeps is shared."""
    shared = MemoryMemo(MemoryBackend(), capacity=10)
    a_memo(shared).keep(*succeeded({"x": 1}))

    assert ONE == a_memo(shared).find(STEP, {"n": 5})


def test_a_step_that_is_not_memoizable_is_neither_kept_nor_sought():
    """Even if another step does the same."""
    shared = FailingMemo(None)
    memo = a_memo(shared)
    memo.keep(*succeeded({"x": 1}, OTHER))

    assert (None, 0) == (memo.find(OTHER, {"n": 5}), shared.asked)


def test_no_outputs_are_a_result():
    """A call that gave nothing is not made again for it."""
    memo = a_memo()
    memo.keep(*succeeded(None))

    assert Succeeded(outputs=None) == memo.find(STEP, {"n": 5})


def test_the_first_result_stays():
    """In one process, and among processes: who was slower remembers what the faster one kept."""
    shared = MemoryMemo(MemoryBackend(), capacity=10)
    first, second = a_memo(shared), a_memo(shared)

    first.keep(*succeeded({"x": 1}))
    first.keep(*succeeded({"x": 2}))
    second.keep(*succeeded({"x": 2}))

    assert (ONE, ONE) == (first.find(STEP, {"n": 5}), second.find(STEP, {"n": 5}))


def test_what_this_process_knows_is_not_asked_for():
    """A second look costs no round trip."""
    shared = FailingMemo(None)
    memo = a_memo(shared)
    memo.keep(*succeeded({"x": 1}))

    assert (ONE, 1) == (memo.find(STEP, {"n": 5}), shared.asked)


def test_a_process_keeps_so_many_results_and_no_more():
    """The least recently used one goes, and is asked for again."""
    shared = FailingMemo(None)
    memo = a_memo(shared, capacity=1)
    memo.keep(*succeeded({"x": 1}))
    memo.keep(*succeeded({"x": 2}, n=6))

    assert (TWO, 2) == (memo.find(STEP, {"n": 6}), shared.asked)
    assert (ONE, 3) == (memo.find(STEP, {"n": 5}), shared.asked)


def test_a_memory_that_is_away_is_a_miss(caplog):
    """One line in the log, and it is left alone for a while; then it is asked again."""
    clock, shared = ManualClock(), FailingMemo(StoreUnavailableError("engine", "refused"))
    memo = a_memo(shared, clock=clock)
    with caplog.at_level(logging.WARNING):
        assert [None, None] == [memo.find(STEP, {"n": 5}), memo.find(STEP, {"n": 6})]
    assert (1, 1) == (shared.asked, len(caplog.records))

    shared.error = None
    a_memo(shared.mended).keep(*succeeded({"x": 1}))
    clock.move(seconds=PAUSE.total_seconds())
    assert ONE == memo.find(STEP, {"n": 5})


def test_a_result_that_cannot_be_shared_is_kept_here():
    """Whether the memory is away or refuses."""
    for error in (StoreUnavailableError("engine", "refused"), BrokenError("wrong type")):
        memo = a_memo(FailingMemo(error))
        memo.keep(*succeeded({"x": 1}))

        assert ONE == memo.find(STEP, {"n": 5})


# ---- in the hands of workers -----------------------------------------------------------------


def a_shop(answers=lambda call: Succeeded(outputs={"x": call.arguments["n"] * 2})):
    """A workshop whose step doubles `n`, unless a test says otherwise."""
    return Workshop(answers)


def start_more(shop, flow_id, goal="a", **init):
    """One more flow over the steps that are registered."""
    shop.engine.start_flow(FlowID(flow_id), (StepID(goal),), {name: (value,) for name, value in init.items()}, {})
    shop.deliver_all()
    return shop.log_of(flow_id)


def test_a_second_flow_does_not_call():
    """Its log has the success and no start."""
    shop = a_shop()
    shop.start([a_step("a", {"n": required(), "x": output()}, memoizable=True)], ["a"], {"n": (3,)})
    shop.deliver_all()

    log = start_more(shop, "g", n=3)

    assert [
        "flow_started",
        "step_started",
        "work_succeeded",
        "attribute_set",
        "step_completed",
        "flow_completed",
        "flow_deactivated",
    ] == log
    assert 1 == len(shop.client.calls)
    assert {"x": 6} == shop.engine.queries.flow(FlowID("g")).executions["a"].outputs


def test_another_worker_finds_what_one_has_kept():
    """A process that has just been started has the memory of all."""
    shop = a_shop()
    shop.start([a_step("a", {"n": required(), "x": output()}, memoizable=True)], ["a"], {"n": (3,)})
    shop.deliver_all()
    shop.runner = shop.another_worker("w2")

    assert "work_started" not in start_more(shop, "g", n=3)


def test_a_script_is_not_run_again():
    """Neither its start is recorded nor its text run."""
    shop = a_shop()
    shop.start([a_script_step("a", {"n": required(), "x": output()}, memoizable=True)], ["a"], {"n": (3,)})
    shop.deliver_all()

    assert "work_started" not in start_more(shop, "g", n=3)
    assert 1 == len(shop.client.calls)


def test_a_webhook_is_remembered():
    """The process that takes the outcome keeps it; the next item succeeds without a call."""
    shop = a_shop(lambda call: Accepted())
    shop.start([a_step("a", {"x": output()}, type="async", memoizable=True)], ["a"])
    shop.deliver_all()
    (call,) = shop.client.calls
    shop.engine.complete_work(call.flow_id, call.step_id, call.token, {"x": 9})
    shop.deliver_all()

    assert "work_started" not in start_more(shop, "g")
    assert ({"x": 9}, 1) == (shop.engine.queries.flow(FlowID("g")).executions["a"].outputs, len(shop.client.calls))


def test_a_child_flow_is_remembered():
    """No second child is started."""
    shop = a_shop(lambda call: Succeeded(outputs={"y": 4}))
    outer = a_flow_step("a", ["inner"], {"n": required(), "y": output()}, memoizable=True)
    shop.start([a_step("inner", {"n": required(), "y": output()}), outer], ["a"], {"n": (3,)})
    shop.deliver_all()

    assert "work_started" not in start_more(shop, "g", n=3)
    assert ({"y": 4}, 1) == (shop.engine.queries.flow(FlowID("g")).executions["a"].outputs, len(shop.client.calls))


def test_a_failure_is_not_remembered():
    """The next flow calls again."""
    answers = iter([Failed(error="no"), Succeeded(outputs={"x": 1})])
    shop = a_shop(lambda call: next(answers))
    shop.start([a_step("a", {"x": output()}, memoizable=True)], ["a"])
    shop.deliver_all()

    assert "flow_completed" in start_more(shop, "g")
    assert 2 == len(shop.client.calls)


def test_a_retry_calls_though_the_result_is_known():
    """Another flow was answered meanwhile; the retry is an attempt like any other."""
    answers = iter([NotCompleted(error="away"), Succeeded(outputs={"x": 1}), Succeeded(outputs={"x": 2})])
    shop = a_shop(lambda call: next(answers))
    shop.start([a_step("a", {"x": output()}, memoizable=True)], ["a"])
    shop.deliver_some()
    (retry,) = shop.messages()
    start_more(shop, "g")

    shop.clock.move(seconds=60)
    shop.runner.run(*retry)

    assert {"x": 2} == shop.engine.queries.flow(FlowID("f")).executions["a"].outputs


def test_a_late_result_is_remembered():
    """An item that succeeds after its flow has failed did succeed."""
    shop = a_shop(lambda call: Accepted() if call.step_id == "a" else Failed(error="no"))
    shop.start([a_step("a", {"x": output()}, type="async", memoizable=True), a_step("b")], ["a", "b"])
    shop.deliver_all()
    call = next(call for call in shop.client.calls if call.step_id == "a")
    shop.engine.complete_work(call.flow_id, call.step_id, call.token, {"x": 9})

    assert "work_started" not in start_more(shop, "g")


def test_hits_acknowledge_their_message():
    """With a hit the message has done its work."""
    shop = a_shop()
    shop.start([a_step("a", {"n": required(), "x": output()}, memoizable=True)], ["a"], {"n": (3,)})
    shop.deliver_all()
    shop.engine.start_flow(FlowID("g"), (StepID("a"),), {"n": (3,)}, {})
    (message,) = shop.messages()

    shop.runner.run(*message, "tag-1")

    assert {"tag-1"} == shop.backend.acknowledged
    assert {} == shop.backend.claims.get(FlowID("g"), {})


def test_repeated_values_of_a_fan_out_are_called_once_each_x16():
    """Whatever the parallelism: each item succeeds once, in a log without repeats."""
    shop = a_shop()
    step = a_step("a", {"n": required(for_each=True), "x": output()}, memoizable=True)
    shop.start([step], ["a"], {"n": ([1, 2, 1, 2, 2],)})
    shop.deliver_all()

    flow = shop.engine.queries.flow(FlowID("f"))
    assert [2, 4, 2, 4, 4] == [entry["x"] for entry in flow.executions["a"].outputs["x"]]
    assert [1, 2] == [call.arguments["n"] for call in shop.client.calls]
    assert (2, 5) == (shop.log_of().count("work_started"), shop.log_of().count("work_succeeded"))
    assert {WorkStatus.SUCCEEDED} == {item.status for item in flow.executions["a"].work_items.values()}


def test_an_unknown_token_is_no_hit():
    """A message about nothing is dropped as before."""
    shop = a_shop()
    shop.start([a_step("a", {"n": required(), "x": output()}, memoizable=True)], ["a"], {"n": (3,)})

    shop.runner.run(FlowID("f"), StepID("a"), Token("unknown"), 1)

    assert [] == shop.client.calls
