# SPDX-License-Identifier: Apache-2.0
"""What is recorded when work of an unhealthy step is kept waiting, or refused."""

from argyll_engine.model.commands import DeferDispatch, RefuseWork
from argyll_engine.model.events import DispatchDeferred
from argyll_engine.model.step import HttpConfig, WorkConfig
from tests.definitions import a_step, required
from tests.fakes import token_of
from tests.scenario import FLOW, complete, fail, given, not_complete, run

WORK = WorkConfig(max_retries=3, init_backoff_ms=60_000, max_backoff_ms=60_000, parallelism=1)
STEP = a_step("a", {"x": required(for_each=True)}, work_config=WORK)
TWO = {"x": ([1, 2],)}
DEFERRED = DispatchDeferred(flow_id=FLOW, step_id="a")


def defer(index: int = 0) -> DeferDispatch:
    """An item of step `a` is kept waiting."""
    return DeferDispatch(step_id="a", token=token_of("a", index))


def refuse(attempt: int = 1) -> RefuseWork:
    """The first item of step `a` is refused."""
    return RefuseWork(step_id="a", token=token_of("a"), attempt=attempt, error="step unhealthy: HTTP 503")


def test_a_first_dispatch_waits_in_silence() -> None:
    """Nothing was handed out of the step yet, so nothing is recorded."""
    given([STEP], ["a"], TWO).when(defer()).then()


def test_a_continuation_is_deferred() -> None:
    """The next item, whose turn came with the result of another."""
    flow = given([STEP], ["a"], TWO).when(run("a"), complete("a"), defer(1))

    flow.then(DEFERRED)
    assert () == flow.effects


def test_a_due_retry_is_deferred() -> None:
    """The event changes nothing, not even the time of the last update."""
    flow = given([STEP], ["a"], TWO).when(run("a"), not_complete("a")).after(seconds=60)
    before = flow.state

    flow.when(defer()).then(DEFERRED)
    assert before == flow.state


def test_a_retry_before_its_time_is_not_deferred() -> None:
    """Its timer goes on."""
    given([STEP], ["a"], TWO).when(run("a"), not_complete("a")).after(seconds=59).when(defer()).then()


def test_undoing_is_deferred() -> None:
    """Also after the flow has failed."""
    step = a_step("a", STEP.attributes, http=HttpConfig(endpoint="http://k/do", compensate="http://k/undo"))
    flow = given([step], ["a"], TWO).when(run("a"), complete("a"), run("a", index=1), fail("a", index=1))

    flow.when(defer()).then(DEFERRED)


def test_an_ended_flow_defers_nothing() -> None:
    """Its deactivation stays the last event."""
    flow = given([STEP], ["a"], TWO).when(run("a"), complete("a"), run("a", index=1), fail("a", index=1))

    flow.when(defer(1)).then()


def test_refused_work_fails_its_step() -> None:
    """Without an attempt, and with the error of the health."""
    flow = given([STEP], ["a"], TWO).when(refuse())

    flow.then_named("WorkFailed a", "StepFailed a", "FlowFailed", "FlowDeactivated")
    assert "step a failed: step unhealthy: HTTP 503" == flow.state.error


def test_a_refusal_of_another_attempt_is_nothing() -> None:
    """The item was started meanwhile."""
    given([STEP], ["a"], TWO).when(run("a"), refuse()).then()
    given([STEP], ["a"], TWO).when(run("a"), refuse(2)).then()


def test_a_refusal_on_an_ended_flow_is_nothing() -> None:
    """Leftovers of a failed step stay as they are."""
    flow = given([STEP], ["a"], TWO).when(run("a", index=1), fail("a", index=1))

    flow.when(refuse()).then()
