# SPDX-License-Identifier: Apache-2.0
"""Undoing what succeeded of a step that failed."""

from dataclasses import replace

from msgspec import structs

from argyll_engine.model.flow import FlowStatus, WorkStatus
from argyll_engine.model.ids import FlowID, StepID
from argyll_engine.model.invocation import Failed, NotCompleted, Succeeded
from argyll_engine.model.step import HttpConfig, WorkConfig
from tests.definitions import a_step, output, required
from tests.fakes import token_of
from tests.scenario import complete, fail, given, run
from tests.workshop import Workshop

UNDOABLE = HttpConfig(endpoint="http://k/do", compensate="http://k/undo")
WORK = WorkConfig(max_retries=2, init_backoff_ms=100, max_backoff_ms=100, backoff_type="fixed", parallelism=3)
STEP = a_step("s", {"x": required(for_each=True), "o": output()}, http=UNDOABLE, work_config=WORK)


def half_done(step=STEP):
    """Two items succeeded, the third fails."""
    flow = given([step], ["s"], {"x": ([1, 2, 3],)}).when(*(run("s", index=index) for index in range(3)))
    return flow.when(complete("s", {"o": 1}), complete("s", {"o": 2}, index=1), fail("s", index=2))


def test_what_succeeded_is_undone():
    """In the commit of the failure, one message for each; the flow waits for it before it is deactivated."""
    flow = half_done()

    flow.then_named("WorkFailed s", "StepFailed s", "CompStarted s", "CompStarted s", "FlowFailed")
    assert [token_of("s"), token_of("s", 1)] == [effect.token for effect in flow.effects]


def test_x12_without_a_url_nothing_is_undone():
    """Items stay succeeded."""
    flow = half_done(replace(STEP, http=HttpConfig(endpoint="http://k/do")))

    flow.then_named("WorkFailed s", "StepFailed s", "FlowFailed", "FlowDeactivated")


def test_x14_a_late_success_is_undone():
    """An item that succeeds after its step failed."""
    flow = given([STEP], ["s"], {"x": ([1, 2],)}).when(run("s"), run("s", index=1), fail("s"))

    flow.when(complete("s", {"o": 2}, index=1)).then_named("WorkSucceeded s", "CompStarted s")


def test_earlier_steps_are_not_undone():
    """Only the items of the step that failed."""
    first = a_step("a", {"x": output()}, http=UNDOABLE)
    flow = given([first, STEP], ["s"]).when(complete("a", {"x": [1]}), run("s"), fail("s"))

    assert WorkStatus.SUCCEEDED == flow.state.executions["a"].work_items[token_of("a")].status


# ---- with a worker ---------------------------------------------------------------------------


def items_of(shop):
    """The statuses of the items."""
    return [item.status for item in shop.engine.queries.flow(FlowID("f")).executions[StepID("s")].work_items.values()]


def test_undoing_sees_inputs_and_outputs():
    """And the flow is deactivated afterwards, failed all the same."""
    shop = Workshop(
        lambda call: Failed(error="no") if call.arguments["x"] == 3 else Succeeded(outputs={"o": call.arguments["x"]})
    )
    shop.engine.register_step(replace(STEP, work_config=structs.replace(WORK, parallelism=1)))
    shop.engine.start_flow(FlowID("f"), (StepID("s"),), {"x": ([1, 2, 3],)}, {})
    shop.deliver_all()

    assert [({"x": 1}, {"o": 1}), ({"x": 2}, {"o": 2})] == [(dict(c.inputs), c.outputs) for c in shop.client.undone]
    state = shop.engine.queries.flow(FlowID("f"))
    assert (FlowStatus.FAILED, True) == (state.status, state.deactivated_at is not None)
    assert [WorkStatus.COMPENSATED, WorkStatus.COMPENSATED, WorkStatus.FAILED] == items_of(shop)


def undone(outcomes):
    """A workshop whose only succeeded item was undone with these outcomes, one after the other."""
    answers = iter(outcomes)
    shop = Workshop(lambda call: Failed(error="no") if call.arguments["x"] == 2 else Succeeded(outputs={"o": 1}))
    shop.client.undoing = lambda _: next(answers)
    shop.engine.register_step(replace(STEP, work_config=structs.replace(WORK, parallelism=1)))
    shop.engine.start_flow(FlowID("f"), (StepID("s"),), {"x": ([1, 2],)}, {})
    for _ in range(12):
        shop.deliver_some()
        shop.clock.move(milliseconds=60)
    return shop


def test_undoing_without_an_answer_is_tried_again():
    """With the step's backoff; before its time it waits."""
    shop = undone([NotCompleted(error="away"), Succeeded(outputs=None)])

    assert [WorkStatus.COMPENSATED, WorkStatus.FAILED] == items_of(shop)
    assert ["comp_started", "comp_retry_scheduled", "comp_started", "comp_succeeded"] == [
        name for name in shop.log_of() if name.startswith("comp_")
    ]


def test_undoing_gives_up():
    """When the retries are used up."""
    shop = undone([NotCompleted(error="away")] * 5)

    assert [WorkStatus.COMPENSATION_FAILED, WorkStatus.FAILED] == items_of(shop)
    assert 3 == len(shop.client.undone)
    assert "flow_deactivated" == shop.log_of()[-1]


def test_undoing_that_is_refused():
    """It is not tried again, and the flow is deactivated."""
    shop = undone([Failed(error="never")])

    assert [WorkStatus.COMPENSATION_FAILED, WorkStatus.FAILED] == items_of(shop)
    assert ["comp_failed", "flow_deactivated"] == shop.log_of()[-2:]


def test_a_lost_message_to_undo_is_sent_again():
    """Recovery finds what is being undone by nobody."""
    shop = Workshop(lambda call: Failed(error="no") if call.arguments["x"] == 2 else Succeeded(outputs={"o": 1}))
    shop.engine.register_step(replace(STEP, work_config=structs.replace(WORK, parallelism=1)))
    shop.engine.start_flow(FlowID("f"), (StepID("s"),), {"x": ([1, 2],)}, {})
    shop.deliver_some()
    (last,) = shop.messages()
    shop.runner.run(*last)
    shop.backend.queues.clear()

    shop.clock.move(seconds=16)
    assert 1 == shop.recovery.sweep()
    shop.deliver_all()

    assert [WorkStatus.COMPENSATED, WorkStatus.FAILED] == items_of(shop)
