# SPDX-License-Identifier: Apache-2.0
"""Results of work items: success, permanent failure, no answer."""

from datetime import timedelta

import pytest

from argyll_engine.decide import decide
from argyll_engine.errors import ExecutionNotFoundError, FlowNotFoundError, WorkItemNotFoundError
from argyll_engine.model.attribute import MappingConfig
from argyll_engine.model.commands import CompleteWork
from argyll_engine.model.events import (
    AttributeSet,
    FlowCompleted,
    FlowDeactivated,
    FlowFailed,
    StepCompleted,
    StepFailed,
    WorkFailed,
    WorkNotCompleted,
    WorkRetryScheduled,
    WorkSucceeded,
)
from argyll_engine.model.flow import FlowStatus, StepStatus, WorkStatus
from argyll_engine.model.step import WorkConfig
from tests.definitions import a_step, lua, output, required
from tests.fakes import START, facts_at, token_of
from tests.scenario import FLOW, complete, fail, given, not_complete, run, to_run

CHAIN = [a_step("a", {"x": output()}), a_step("b", {"x": required(), "y": output()})]


def retrying(**config):
    """A step with these retry settings."""
    defaults = {"max_retries": 3, "init_backoff_ms": 100, "max_backoff_ms": 10_000, "backoff_type": "fixed"}
    return a_step("a", work_config=WorkConfig(**(defaults | config)))


def _status_and_retries(flow):
    item = flow.state.executions["a"].work_items[token_of("a")]
    return item.status, item.retry_count


def test_success_of_the_only_step_completes_the_flow():
    """Outputs become attributes, the step completes, the flow completes and is deactivated, in one commit."""
    flow = given([a_step("a", {"x": output(), "y": output()})], ["a"]).after(milliseconds=12)

    flow.when(complete("a", {"x": 1, "extra": True}))

    flow.then(
        WorkSucceeded(flow_id=FLOW, step_id="a", token=token_of("a"), outputs={"x": 1, "extra": True}),
        AttributeSet(flow_id=FLOW, step_id="a", key="x", value=1),
        StepCompleted(flow_id=FLOW, step_id="a", outputs={"x": 1}, duration_ms=12),
        FlowCompleted(flow_id=FLOW, result={"x": 1}),
        FlowDeactivated(flow_id=FLOW, status=FlowStatus.COMPLETED),
    )


def test_success_starts_what_waited_for_it():
    """The consumer starts in the same commit and sees the value."""
    flow = given(CHAIN, ["b"]).when(complete("a", {"x": 5}))

    flow.then_named("WorkSucceeded a", "AttributeSet a", "StepCompleted a", "StepStarted b")
    assert {"x": 5} == flow.state.executions["b"].inputs
    assert (to_run("b", goes_on=True),) == flow.effects


def test_outputs_by_mapping():
    """An output is found under its inner name, or picked by a script from the whole raw output."""
    step = a_step(
        "a",
        {
            "x": output(mapping=MappingConfig(name="inner")),
            "y": output(mapping=MappingConfig(script=lua("deep"))),
            "z": output(mapping=MappingConfig(script=lua("raise oh"))),
        },
    )

    flow = given([step], ["a"]).when(complete("a", {"inner": 1, "deep": [2], "x": 9}))

    assert {"x": 1, "y": [2]} == flow.state.executions["a"].outputs


def test_result_of_several_goals():
    """The outputs of the goals are merged in goal order; a later goal wins."""
    steps = [a_step("a", {"x": output(), "p": output()}), a_step("b", {"x": output()})]

    flow = given(steps, ["b", "a"]).when(complete("a", {"x": "a", "p": 1}), complete("b", {"x": "b"}))

    assert FlowCompleted(flow_id=FLOW, result={"x": "a", "p": 1}) == flow.log[-2].event


def test_x4_a_step_without_the_promised_output_fails_its_consumer():
    """A provider that completes without the value is no source any more."""
    flow = given(CHAIN, ["b"]).when(complete("a", {}))

    flow.then_named("WorkSucceeded a", "StepCompleted a", "StepFailed b", "FlowFailed", "FlowDeactivated")
    assert "required input no longer available" == flow.state.executions["b"].error
    assert ("x",) == flow.state.executions["b"].unsatisfied


def test_permanent_failure_of_the_goal():
    """Item, step and flow fail with the text of the service."""
    flow = given([a_step("a")], ["a"]).when(fail("a", "card declined"))

    flow.then(
        WorkFailed(flow_id=FLOW, step_id="a", token=token_of("a"), error="card declined"),
        StepFailed(flow_id=FLOW, step_id="a", error="card declined"),
        FlowFailed(flow_id=FLOW, error="step a failed: card declined"),
        FlowDeactivated(flow_id=FLOW, status=FlowStatus.FAILED),
    )


def test_failure_cascades_to_the_goal():
    """Every step that can no longer be reached fails, and the flow names the first cause."""
    steps = [*CHAIN, a_step("c", {"y": required()})]

    flow = given(steps, ["c"]).when(fail("a", "gone"))

    flow.then_named("WorkFailed a", "StepFailed a", "StepFailed b", "StepFailed c", "FlowFailed", "FlowDeactivated")
    assert "step a failed: gone" == flow.state.error


def test_a_failed_flow_waits_for_running_work():
    """The flow fails at once and is deactivated with the last result, which is recorded and starts nothing."""
    steps = [a_step("a"), a_step("b", {"x": output()}), a_step("c", {"x": required()})]
    flow = given(steps, ["a", "c"]).when(run("b"), fail("a"))
    flow.then_named("WorkFailed a", "StepFailed a", "FlowFailed")

    flow.when(complete("b", {"x": 1}))

    flow.then_named("WorkSucceeded b", "AttributeSet b", "StepCompleted b", "FlowDeactivated")
    assert StepStatus.PENDING == flow.state.executions["c"].status


def test_x2_a_failed_step_that_no_goal_needs_does_not_fail_the_flow():
    """One of two providers fails; the other one delivers and the flow completes."""
    steps = [a_step("a", {"x": output()}), a_step("b", {"x": output()}), a_step("c", {"x": required()})]

    flow = given(steps, ["c"]).when(fail("a"), complete("b", {"x": 1}), complete("c"))

    assert FlowStatus.COMPLETED == flow.state.status
    assert flow.state.deactivated_at is not None


@pytest.mark.parametrize("command", [complete("a", {"x": 2}), fail("a"), not_complete("a"), run("a")])
def test_a_finished_item_stays_as_it_is(command):
    """Repeated and late results append nothing."""
    flow = given([a_step("a", {"x": output()})], ["a"]).when(complete("a", {"x": 1}))

    flow.when(command).then()


def test_no_answer_schedules_the_next_attempt():
    """The item waits, its next attempt is on its way for then, nothing else happens."""
    flow = given([retrying()], ["a"]).when(run("a"), not_complete("a", error="timed out"))

    due = START + timedelta(milliseconds=100)
    flow.then(
        WorkNotCompleted(flow_id=FLOW, step_id="a", token=token_of("a"), error="timed out"),
        WorkRetryScheduled(
            flow_id=FLOW, step_id="a", token=token_of("a"), error="timed out", retry_count=1, next_retry_at=due
        ),
    )
    assert (to_run("a", attempt=2, at=due, goes_on=True),) == flow.effects


def test_retries_run_out():
    """One retry means two attempts; the second failure is final and carries its text."""
    flow = given([retrying(max_retries=1)], ["a"]).when(run("a"), not_complete("a", error="first"))
    flow.after(milliseconds=100).when(run("a", attempt=2), not_complete("a", attempt=2, error="second"))

    flow.then_named("WorkNotCompleted a", "WorkFailed a", "StepFailed a", "FlowFailed", "FlowDeactivated")
    assert "step a failed: second" == flow.state.error


def test_retries_without_limit():
    """A negative number of retries never runs out."""
    flow = given([retrying(max_retries=-1)], ["a"])
    for attempt in range(1, 30):
        flow.when(run("a", attempt), not_complete("a", attempt)).after(milliseconds=100)

    assert (WorkStatus.PENDING, 29) == _status_and_retries(flow)


def test_success_during_the_wait_for_a_retry_cancels_it():
    """A webhook may answer while the item waits; the attempt then finds nothing to do."""
    flow = given([retrying()], ["a"]).when(run("a"), not_complete("a"), complete("a"))
    assert FlowStatus.COMPLETED == flow.state.status

    flow.after(seconds=1).when(run("a", attempt=2)).then()


@pytest.mark.parametrize("outcome", [complete("a", attempt=1), fail("a", attempt=1), not_complete("a", attempt=1)])
def test_the_outcome_of_an_older_attempt_is_ignored(outcome):
    """An outcome that names its attempt counts only while that one runs."""
    flow = given([retrying()], ["a"]).when(run("a"), not_complete("a")).after(milliseconds=100)

    flow.when(run("a", attempt=2), outcome).then()


def test_the_first_answer_from_outside_counts():
    """Without an attempt, success ends the item whichever attempt it was meant for."""
    flow = given([retrying()], ["a"]).when(run("a"), not_complete("a")).after(milliseconds=100)

    flow.when(run("a", attempt=2), complete("a"))

    assert FlowStatus.COMPLETED == flow.state.status


def test_no_answer_on_an_ended_flow_is_recorded_and_not_retried():
    """It counts as the end of the work: the flow is deactivated."""
    flow = given([a_step("a"), a_step("b")], ["a", "b"]).when(run("b"), fail("a"))

    flow.when(not_complete("b")).then_named("WorkNotCompleted b", "FlowDeactivated")


@pytest.mark.parametrize(
    ("step_id", "token", "error"),
    [("z", token_of("a"), ExecutionNotFoundError), ("a", "nope", WorkItemNotFoundError)],
)
def test_unknown_step_or_token(step_id, token, error):
    """A result for something that is not there is refused."""
    flow = given([a_step("a")], ["a"])

    with pytest.raises(error):
        flow.when(CompleteWork(step_id=step_id, token=token, outputs=None))


def test_unknown_flow():
    """A result for a flow that was never started is refused."""
    with pytest.raises(FlowNotFoundError):
        decide(None, complete("a"), facts_at(START))
