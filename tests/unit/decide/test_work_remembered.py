# SPDX-License-Identifier: Apache-2.0
"""Work items whose result is remembered when a worker is about to start them."""

import pytest

from argyll_engine.model.events import WorkSucceeded
from argyll_engine.model.step import WorkConfig
from tests.definitions import a_step, output, required
from tests.fakes import token_of
from tests.scenario import FLOW, complete, fail, given, not_complete, run, to_run

STEP = a_step(
    "a",
    {"x": output()},
    memoizable=True,
    work_config=WorkConfig(max_retries=3, init_backoff_ms=60_000, max_backoff_ms=60_000),
)


def fanned(parallelism):
    """A flow over three items that run so many at once."""
    attributes = {"n": required(for_each=True), "x": output()}
    step = a_step("a", attributes, memoizable=True, work_config=WorkConfig(max_retries=1, parallelism=parallelism))
    return given([step], ["a"], {"n": ([1, 2, 3],)})


@pytest.mark.parametrize("outputs", [{"x": 1, "undeclared": 2}, {}, None])
def test_a_remembered_result_is_a_success_without_a_start(outputs):
    """The raw outputs are recorded as they were, whether there are any or not."""
    flow = given([STEP, a_step("b")], ["a", "b"]).remembering(outputs).when(run("a"))

    assert WorkSucceeded(flow_id=FLOW, step_id="a", token=token_of("a"), outputs=outputs) == flow.last[0].event
    assert "WorkStarted" not in {type(recorded.event).__name__ for recorded in flow.log}


def test_all_that_follows_a_success_follows():
    """The attribute is set, the step completes, its consumer starts and gets its message, in one commit."""
    flow = given([STEP, a_step("b", {"x": required()})], ["b"]).remembering({"x": 1}).when(run("a"))

    flow.then_named("WorkSucceeded a", "AttributeSet a", "StepCompleted a", "StepStarted b")
    assert (to_run("b", goes_on=True),) == flow.effects


def test_the_last_result_ends_the_flow():
    """A flow may consist of nothing but memories."""
    flow = given([STEP], ["a"]).remembering({"x": 1}).when(run("a"))

    flow.then_named("WorkSucceeded a", "AttributeSet a", "StepCompleted a", "FlowCompleted", "FlowDeactivated")
    assert () == flow.effects


def test_a_retry_does_not_ask():
    """The second attempt is made, whatever is remembered meanwhile."""
    flow = given([STEP], ["a"]).when(run("a"), not_complete("a")).after(seconds=60)

    flow.remembering({"x": 1}).when(run("a", attempt=2)).then_named("WorkStarted a")


def test_work_of_a_dead_worker_does_not_ask():
    """What was started once is called again."""
    given([STEP], ["a"]).when(run("a")).remembering({"x": 1}).when(run("a", attempt=2)).then_named("WorkStarted a")


def test_a_repeated_message_records_nothing_x16():
    """The item has succeeded, and the message of its first attempt finds that."""
    flow = given([STEP, a_step("b")], ["a", "b"]).remembering({"x": 1})

    flow.when(run("a"), run("a")).then()


def test_an_item_that_was_started_or_has_ended_is_left_alone_x16():
    """Somebody else was faster: to start it, or to answer it by webhook."""
    given([STEP, a_step("b")], ["a", "b"]).when(run("a")).remembering({"x": 1}).when(run("a")).then()
    given([STEP, a_step("b")], ["a", "b"]).when(complete("a")).remembering({"x": 1}).when(run("a")).then()


def test_an_ended_flow_remembers_nothing():
    """No item of it is answered any more."""
    flow = given([STEP, a_step("b")], ["a", "b"]).when(fail("b"))

    flow.remembering({"x": 1}).when(run("a")).then()


def test_several_hits_of_one_round_are_recorded_once_each_x16():
    """Items that were handed out together succeed one after the other; the last completes the step."""
    flow = fanned(parallelism=3).remembering({"x": 7})

    flow.when(run("a", index=0), run("a", index=1)).then_named("WorkSucceeded a")
    flow.when(run("a", index=1), run("a", index=0)).then()
    flow.when(run("a", index=2)).then_named(
        "WorkSucceeded a", "AttributeSet a", "StepCompleted a", "FlowCompleted", "FlowDeactivated"
    )
    assert [{"n": 1, "x": 7}, {"n": 2, "x": 7}, {"n": 3, "x": 7}] == flow.state.executions["a"].outputs["x"]


def test_a_hit_needs_a_free_slot_and_hands_it_on_x16():
    """While another item runs nothing is answered; a hit gives the slot to the next item in the same commit."""
    flow = fanned(parallelism=1).when(run("a", index=0)).remembering({"x": 7})
    flow.when(run("a", index=1)).then()

    flow = fanned(parallelism=1).remembering({"x": 7}).when(run("a", index=0))

    assert [token_of("a", 1)] == [effect.token for effect in flow.effects]


def test_the_result_of_a_failed_step_is_not_undone():
    """A memoizable step has nothing to compensate, and its failure does not wait for its memories."""
    flow = fanned(parallelism=3).remembering({"x": 7}).when(run("a", index=0), fail("a", index=1))

    assert "CompStarted a" not in [type(recorded.event).__name__ + " a" for recorded in flow.last]
    assert flow.state.deactivated_at is not None
