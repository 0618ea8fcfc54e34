# SPDX-License-Identifier: Apache-2.0
"""Laws that hold for every flow, whatever its steps, its values, its results and the order in which they come."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from argyll_engine.decide import decide
from argyll_engine.evolve.flow import evolve_flow, replay_flow
from argyll_engine.model.commands import CompleteWork, FailWork, FlowCommand, NotCompleteWork, StartWork
from argyll_engine.model.events import (
    FlowCompleted,
    FlowDeactivated,
    FlowFailed,
    StepSkipped,
    StepStarted,
    WorkRetryScheduled,
    WorkStarted,
)
from argyll_engine.model.flow import FlowState, StepStatus, WorkStatus
from argyll_engine.model.ids import StepID, Token
from argyll_engine.model.step import WorkConfig
from argyll_engine.plan.inputs import blocked_goals
from argyll_engine.react import resume
from tests.definitions import lua
from tests.fakes import facts_at
from tests.property.strategies import NAMES, questions
from tests.scenario import Scenario, plan_of, start

PREDICATES = (None, None, None, lua("true"), lua("false"), lua("raise x"))
QUICK = WorkConfig(max_retries=2, init_backoff_ms=10, max_backoff_ms=10, backoff_type="fixed")


@st.composite
def started_flows(draw: st.DrawFn) -> Scenario | None:
    """A flow over a random catalog with what its start must give, or None where an initial value blocks a goal."""
    question = draw(questions())
    steps = [replace(step, predicate=draw(st.sampled_from(PREDICATES)), work_config=QUICK) for step in question.steps]
    init = {str(name): values for name, values in question.init.items()}
    for _ in range(len(NAMES)):
        missing = plan_of(steps, question.goals, init).required
        init |= dict.fromkeys(missing, ("yes",))
    plan = plan_of(steps, question.goals, init)
    return None if blocked_goals(plan) else Scenario().when(start(plan, init))


def open_items(state: FlowState) -> list[tuple[StepID, Token]]:
    """The items that run, or that may still start."""
    return [
        (step_id, token)
        for step_id, ex in state.executions.items()
        for token, item in ex.work_items.items()
        if item.status is WorkStatus.ACTIVE
        or (item.status is WorkStatus.PENDING and state.completed_at is None and ex.status is StepStatus.ACTIVE)
    ]


@st.composite
def results(draw: st.DrawFn, flow: Scenario) -> FlowCommand:
    """Something that may happen to one of the open items."""
    state = flow.state
    step_id, token = draw(st.sampled_from(open_items(state)))
    item = state.executions[step_id].work_items[token]
    if item.status is WorkStatus.PENDING and draw(st.integers(0, 4)):
        return StartWork(step_id=step_id, token=token, attempt=item.attempt + 1)
    outputs = {name: draw(st.sampled_from(("yes", "no", None))) for name in state.plan.steps[step_id].outputs()}
    given_ = {name: value for name, value in outputs.items() if draw(st.integers(0, 4))}
    return draw(
        st.sampled_from(
            (
                CompleteWork(step_id=step_id, token=token, outputs=given_),
                CompleteWork(step_id=step_id, token=token, outputs=given_),
                FailWork(step_id=step_id, token=token, error="refused"),
                NotCompleteWork(step_id=step_id, token=token, attempt=item.attempt, error="no answer"),
                StartWork(step_id=step_id, token=token, attempt=item.attempt + 1),
            )
        )
    )


def run_to_its_end(flow: Scenario, data: st.DataObject) -> list[FlowCommand]:
    """Answers open items in random order until none is left; the commands, each after enough time for a retry."""
    commands = []
    for _ in range(120):
        if not open_items(flow.state):
            break
        command = data.draw(results(flow))
        flow.after(milliseconds=10).when(command)
        commands.append(command)
    return commands


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_every_flow_ends_once_and_is_deactivated(data: st.DataObject) -> None:
    """When everything has been answered the flow is terminal and deactivated, each with one event, the last ones."""
    flow = data.draw(started_flows())
    if flow is None:
        return
    run_to_its_end(flow, data)

    events = [recorded.event for recorded in flow.log]
    assert 1 == sum(isinstance(event, FlowCompleted | FlowFailed) for event in events)
    assert [True] == [isinstance(event, FlowDeactivated) for event in events if isinstance(event, FlowDeactivated)]
    assert isinstance(events[-1], FlowDeactivated)
    assert all(ex.status is not StepStatus.ACTIVE for ex in flow.state.executions.values() if not ex.work_items)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_terminal_flow_starts_nothing(data: st.DataObject) -> None:
    """After the end of a flow come results; only work that ran before may be started again, when its worker died."""
    flow = data.draw(started_flows())
    if flow is None:
        return
    run_to_its_end(flow, data)

    events = [recorded.event for recorded in flow.log]
    end = next(i for i, event in enumerate(events) if isinstance(event, FlowCompleted | FlowFailed))
    ran = {event.token for event in events[:end] if isinstance(event, WorkStarted)}
    assert [] == [event for event in events[end:] if isinstance(event, StepStarted | StepSkipped | WorkRetryScheduled)]
    assert {event.token for event in events[end:] if isinstance(event, WorkStarted)} <= ran


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_folding_is_the_same_however_it_is_cut(data: st.DataObject) -> None:
    """One event at a time, all at once, or from the middle on: the same state; sequences are contiguous."""
    flow = data.draw(started_flows())
    if flow is None:
        return
    run_to_its_end(flow, data)

    whole = replay_flow(None, flow.log)
    cut = data.draw(st.integers(1, len(flow.log)))
    first = replay_flow(None, flow.log[:cut])
    one_by_one = first
    for recorded in flow.log[cut:]:
        one_by_one = evolve_flow(one_by_one, recorded)
    assert whole == replay_flow(first, flow.log[cut:]) == one_by_one
    assert [*range(len(flow.log))] == [recorded.sequence for recorded in flow.log]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_decisions_are_deterministic_and_repeats_add_nothing(data: st.DataObject) -> None:
    """The same command on the same state gives the same events; given again after them, it gives none."""
    flow = data.draw(started_flows())
    if flow is None or not open_items(flow.state):
        return
    flow.after(milliseconds=10)
    before = flow.state
    command = data.draw(results(flow))

    events = decide(before, command, facts_at(flow.clock.at))

    assert events == decide(before, command, facts_at(flow.clock.at))
    flow.when(command)
    assert () == decide(flow.state, command, facts_at(flow.clock.at))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_every_startable_item_has_its_message(data: st.DataObject) -> None:
    """An item with a free slot was asked for when it got it, or when its retry was scheduled; recovery agrees."""
    flow = data.draw(started_flows())
    if flow is None:
        return
    asked = {*flow.effects}
    for _ in range(data.draw(st.integers(0, 8))):
        if open_items(flow.state):
            asked |= {*flow.after(milliseconds=10).when(data.draw(results(flow))).effects}

    without_time = {(e.step_id, e.token, e.attempt) for e in asked}
    held = frozenset(token for ex in flow.state.executions.values() for token in ex.work_items)
    wanted = resume(flow.state, held, flow.clock.at, flow.clock.at)
    assert {(e.step_id, e.token, e.attempt) for e in wanted} <= without_time


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_recovery_covers_all_active_work(data: st.DataObject) -> None:
    """When every worker is dead, recovery asks for the next attempt of every active item, and of no finished one."""
    flow = data.draw(started_flows())
    if flow is None:
        return
    for _ in range(data.draw(st.integers(0, 8))):
        if open_items(flow.state):
            flow.after(milliseconds=10).when(data.draw(results(flow)))

    flow.after(seconds=60)
    asked = {(e.token, e.attempt) for e in resume(flow.state, frozenset(), flow.clock.at, flow.clock.at)}
    items = {token: item for ex in flow.state.executions.values() for token, item in ex.work_items.items()}
    active = {(t, i.attempt + 1) for t, i in items.items() if i.status is WorkStatus.ACTIVE}
    open_ = {(t, i.attempt + 1) for t, i in items.items() if i.status in (WorkStatus.ACTIVE, WorkStatus.PENDING)}
    assert active <= asked <= open_
