# SPDX-License-Identifier: Apache-2.0
"""Workers that claim work items, retries that are due, and what recovery sends again."""

from datetime import timedelta

from argyll_engine.model.events import WorkStarted
from argyll_engine.model.step import WorkConfig
from tests.definitions import a_step
from tests.fakes import START, token_of
from tests.scenario import FLOW, complete, fail, given, not_complete, run, to_run

STEP = a_step("a", work_config=WorkConfig(max_retries=3, init_backoff_ms=60_000, max_backoff_ms=60_000))
RETRY_AT = START + timedelta(seconds=60)


def test_the_start_is_recorded_with_the_arguments():
    """The claim of a pending item."""
    flow = given([STEP], ["a"]).when(run("a"))

    flow.then(WorkStarted(flow_id=FLOW, step_id="a", token=token_of("a"), inputs={}))
    assert () == flow.effects


def test_one_of_two_workers_wins():
    """The second message of the same attempt finds it started."""
    given([STEP], ["a"]).when(run("a"), run("a")).then()


def test_an_attempt_out_of_turn_starts_nothing():
    """Only the next attempt may start."""
    given([STEP], ["a"]).when(run("a", attempt=2)).then()


def test_a_due_retry_starts():
    """The same token, the next attempt."""
    flow = given([STEP], ["a"]).when(run("a"), not_complete("a")).after(seconds=60)

    flow.when(run("a", attempt=2)).then_named("WorkStarted a")


def test_a_retry_before_its_time_is_sent_again():
    """Nothing is recorded; the message goes on to its time."""
    flow = given([STEP], ["a"]).when(run("a"), not_complete("a")).after(seconds=59)

    flow.when(run("a", attempt=2)).then()

    assert (to_run("a", attempt=2, at=RETRY_AT, goes_on=True),) == flow.effects


def test_x17_a_retry_of_an_older_attempt_is_over():
    """A message starts only the attempt it names."""
    flow = given([STEP], ["a"]).when(run("a"), not_complete("a")).after(seconds=60)
    flow.when(run("a", attempt=2), not_complete("a", attempt=2)).after(seconds=60)

    flow.when(run("a", attempt=2)).then()
    assert () == flow.effects


def test_an_ended_flow_starts_nothing():
    """Neither retries nor items that were never started."""
    flow = given([STEP, a_step("b"), a_step("c")], ["a", "b", "c"]).when(run("a"), not_complete("a"), fail("b"))

    flow.after(seconds=60).when(run("a", attempt=2)).then()
    flow.when(run("c")).then()


# ---- recovery --------------------------------------------------------------------------------


def test_a_lost_message_is_sent_again():
    """An item that nobody has started is asked for once more, under the same attempt."""
    assert (to_run("a", goes_on=True),) == given([STEP], ["a"]).after(seconds=30).resumed()


def test_the_work_of_a_dead_worker_is_started_again():
    """Active work that nobody holds gets another attempt with the same token."""
    flow = given([STEP], ["a"]).when(run("a")).after(seconds=30)

    assert (to_run("a", attempt=2, goes_on=True),) == flow.resumed()
    flow.when(run("a", attempt=2)).then_named("WorkStarted a")


def test_x17_held_work_is_left_alone():
    """What a live worker executes is never started again."""
    assert () == given([STEP], ["a"]).when(run("a")).after(seconds=30).resumed(held=["a"])


def test_young_work_is_left_alone():
    """Its worker may not have shown itself yet."""
    assert () == given([STEP], ["a"]).when(run("a")).after(seconds=5).resumed()


def test_an_overdue_retry_is_sent_again():
    """A message that was lost is made up for."""
    flow = given([STEP], ["a"]).when(run("a"), not_complete("a")).after(seconds=61)

    assert (to_run("a", attempt=2, goes_on=True),) == flow.resumed()


def test_a_retry_that_waits_is_left_alone():
    """Its time has not come."""
    assert () == given([STEP], ["a"]).when(run("a"), not_complete("a")).after(seconds=30).resumed()


def test_x23_stranded_work_of_an_ended_flow_is_started_again():
    """It keeps the flow from being deactivated."""
    flow = given([STEP, a_step("b")], ["a", "b"]).when(run("a"), fail("b")).after(seconds=30)

    assert (to_run("a", attempt=2, goes_on=True),) == flow.resumed()
    flow.when(run("a", attempt=2)).then_named("WorkStarted a")
    flow.when(complete("a")).then_named("WorkSucceeded a", "StepCompleted a", "FlowDeactivated")


def test_the_result_of_a_superseded_attempt_counts():
    """Whoever finishes first finishes the item."""
    flow = given([STEP], ["a"]).when(run("a")).after(seconds=30).when(run("a", attempt=2), complete("a"))

    flow.then_named("WorkSucceeded a", "StepCompleted a", "FlowCompleted", "FlowDeactivated")
