# SPDX-License-Identifier: Apache-2.0
"""Committed events as counts: of flows, steps and work, by whatever process committed them, once."""

from dataclasses import replace

from msgspec import structs

from argyll_engine.metrics.flows import count_flow_events
from argyll_engine.metrics.instruments import FLOWS_STARTED
from argyll_engine.model.events import FlowCompleted, FlowStarted, Recorded, StepCompleted
from argyll_engine.model.ids import CANARY_PREFIX, FlowID
from argyll_engine.model.invocation import Failed, NotCompleted, Succeeded
from argyll_engine.model.step import HttpConfig, Step, StepType, WorkConfig
from tests.definitions import output
from tests.fakes import START
from tests.unit.metrics.readings import growth
from tests.workshop import Workshop

STEP = Step(
    id="counted",
    name="Counted",
    type=StepType.SYNC,
    attributes={"out": output()},
    http=HttpConfig(endpoint="http://s", timeout_ms=1000),
)


def run(outcome, step=STEP):
    """What grows while a flow of one step ends whose every call has this outcome."""
    with growth() as grown:
        workshop = Workshop(lambda _: outcome)
        workshop.start([step], [step.id])
        workshop.deliver_all()
    return grown


def test_a_flow_that_completes_is_counted_once_everywhere():
    """Start, step, work and end each add one; whoever looked at it again adds nothing."""
    grown = run(Succeeded(outputs={"out": 1}))
    labels = {"workflow_type": "flow", "action": "run"}
    seen = {
        "started": grown.of("argyll_flows_started_total", kind="root"),
        "completed": grown.of("argyll_flows_completed_total", kind="root"),
        "failed": grown.of("argyll_flows_failed_total", kind="root"),
        "executions": grown.of("workflow_executions_total", status="success", **labels),
        "durations": grown.of("workflow_duration_seconds_count", **labels),
        "steps": grown.of("argyll_steps_ended_total", step_id="counted", status="completed"),
        "step durations": grown.of("argyll_step_duration_seconds_count", step_id="counted"),
        "work": grown.of("argyll_work_items_total", step_id="counted", outcome="succeeded"),
        "module": grown.of("module_operations_total", module="sync", operation="invoke", status="success"),
    }
    assert {name: 0.0 if name == "failed" else 1.0 for name in seen} == seen


def test_a_flow_that_fails_is_an_error():
    """A step that says no ends its flow; that is an error of the module, too."""
    grown = run(Failed(error="no"))
    assert 1.0 == grown.of("argyll_flows_failed_total", kind="root")
    assert 1.0 == grown.of("workflow_executions_total", workflow_type="flow", action="run", status="error")
    assert 1.0 == grown.of("argyll_steps_ended_total", step_id="counted", status="failed")
    assert 1.0 == grown.of("module_operations_total", module="sync", operation="invoke", status="error")


def test_an_attempt_that_timed_out_is_told_from_other_errors():
    """The attempt is a timeout, and what ends the item after its last retry is not counted as one more."""
    with growth() as grown:
        workshop = Workshop(lambda _: NotCompleted(error="work not completed\ntimed out after 5 ms"))
        workshop.engine.register_step(replace(STEP, work_config=WorkConfig(max_retries=1)))
        workshop.engine.start_flow(FlowID("f"), (STEP.id,), {}, {})
        workshop.deliver_some()
        workshop.clock.move(minutes=2)
        workshop.deliver_some()
    assert 2.0 == grown.of("module_operations_total", module="sync", operation="invoke", status="timeout")
    assert 0.0 == grown.of("module_operations_total", module="sync", operation="invoke", status="error")
    assert 1.0 == grown.of("argyll_work_retries_total", step_id="counted")
    assert 2.0 == grown.of("argyll_work_items_total", step_id="counted", outcome="not_completed")
    assert 1.0 == grown.of("argyll_work_items_total", step_id="counted", outcome="failed")


def test_a_canary_is_counted_nowhere():
    """What a probe does is no business of dashboards."""
    workshop = Workshop(lambda _: Succeeded(outputs={"out": 1}))
    state = workshop.engine.queries.flow(workshop.start([STEP], [STEP.id]))
    started = FlowStarted(flow_id=FlowID(CANARY_PREFIX + "1"), plan=state.plan, init={})
    with growth() as grown:
        count_flow_events(
            [(structs.replace(state, id=started.flow_id), [Recorded(event=started, sequence=0, at=START)])]
        )
    assert 0.0 == grown.of("argyll_flows_started_total", kind="child")
    assert 0.0 == grown.of("argyll_flows_started_total", kind="root")


def test_what_cannot_be_counted_stops_nobody(caplog):
    """The commit is done; a fault of the meter is a line in the log, and all that came along is counted."""
    workshop = Workshop(lambda _: Succeeded(outputs={"out": 1}))
    state = workshop.engine.queries.flow(workshop.start([STEP], [STEP.id]))
    started = FlowStarted(flow_id=state.id, plan=state.plan, init={})
    good = Recorded(event=started, sequence=0, at=START)
    strange = Recorded(
        event=StepCompleted(flow_id=state.id, step_id=5, outputs={}, duration_ms="x"), sequence=1, at=START
    )
    with growth() as grown:
        count_flow_events([(object(), [good]), (state, [good, strange, object(), good]), (state, [good])])
    assert ["metrics_failed"] * 3 == [record.message for record in caplog.records]
    assert 3.0 == grown.of("argyll_flows_started_total", kind="root")


def test_a_counter_that_cannot_be_written_stops_nobody(caplog, monkeypatch):
    """As where the folder of the metrics is full; the other counters go on."""
    workshop = Workshop(lambda _: Succeeded(outputs={"out": 1}))
    state = workshop.engine.queries.flow(workshop.start([STEP], [STEP.id]))
    started = Recorded(event=FlowStarted(flow_id=state.id, plan=state.plan, init={}), sequence=0, at=START)
    completed = Recorded(event=FlowCompleted(flow_id=state.id, result={}), sequence=1, at=START)

    def full(_amount):
        raise OSError("no space")

    monkeypatch.setattr(FLOWS_STARTED.labels("root"), "inc", full)
    with growth() as grown:
        count_flow_events([(state, [started, completed])])
    assert ["metrics_failed"] == [record.message for record in caplog.records]
    assert 1.0 == grown.of("argyll_flows_completed_total", kind="root")
