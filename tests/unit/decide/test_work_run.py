# SPDX-License-Identifier: Apache-2.0
"""A script has run: start and outcome in one command."""

from datetime import timedelta

from argyll_engine.model.commands import CompleteWork, FailWork, RecordRun
from argyll_engine.model.step import WorkConfig
from tests.definitions import a_script_step, output
from tests.fakes import token_of
from tests.scenario import complete, fail, given, not_complete, run, to_run

STEP = a_script_step("s", {"o": output()}, work_config=WorkConfig(init_backoff_ms=1_000, max_retries=5))


def ran(attempt: int = 1, result: CompleteWork | FailWork | None = None) -> RecordRun:
    """The command after a script gave its outputs, or this result."""
    return RecordRun(start=run("s", attempt), result=result or complete("s", {"o": 1}, attempt))


def test_start_and_outcome_are_one_decision():
    """All that follows from the outcome follows."""
    flow = given([STEP], ["s"]).when(ran())

    flow.then_named(
        "WorkStarted s", "WorkSucceeded s", "AttributeSet s", "StepCompleted s", "FlowCompleted", "FlowDeactivated"
    )


def test_a_script_that_failed_fails_its_step():
    """Start and failure are recorded."""
    flow = given([STEP], ["s"]).when(ran(result=fail("s", "no", attempt=1)))

    flow.then_named("WorkStarted s", "WorkFailed s", "StepFailed s", "FlowFailed", "FlowDeactivated")


def test_the_same_again_changes_nothing():
    """The attempt was made."""
    given([STEP], ["s"]).when(ran()).when(ran()).then()


def test_an_attempt_that_is_not_the_next_one_is_dropped():
    """Another one runs: neither start nor outcome is recorded."""
    flow = given([STEP], ["s"]).when(run("s"))

    flow.when(ran(attempt=1)).then()
    flow.when(ran(attempt=3)).then()


def test_an_attempt_before_its_time_is_asked_for_again():
    """Nothing is recorded, and the timer is set anew."""
    flow = given([STEP], ["s"]).when(run("s"), not_complete("s"))
    due = flow.clock.at + timedelta(milliseconds=1_000)

    flow.when(ran(attempt=2)).then()

    assert (to_run("s", attempt=2, at=due, step_type="script", goes_on=True),) == flow.effects
    assert 1 == flow.state.executions["s"].work_items[token_of("s")].attempt
