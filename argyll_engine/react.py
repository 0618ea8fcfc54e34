# SPDX-License-Identifier: Apache-2.0
"""What must be done because of recorded events, as values. Pure: the executor commits it with the events.

Source: the contract, execution §3.2, §3.6 and §8.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from argyll_engine.model.commands import Command, RecordRun, StartCompensation, StartWork
from argyll_engine.model.effects import CompleteParent, Effect, RunCompensation, RunWork, WakeAt
from argyll_engine.model.events import (
    CompRetryScheduled,
    CompStarted,
    FlowDeactivated,
    Recorded,
    StepStarted,
    WorkRetryScheduled,
    WorkStarted,
    WorkSucceeded,
)
from argyll_engine.model.flow import FlowState, FlowStatus, StepStatus, WorkStatus
from argyll_engine.model.ids import StepID, Token, child_flow_id, is_canary, is_child
from argyll_engine.model.step import StepType
from argyll_engine.policy.work import MOST_OFFERED, parallelism, startable

HEEDED: Final = frozenset(
    {CompStarted, CompRetryScheduled, FlowDeactivated, WorkRetryScheduled, StepStarted, WorkSucceeded, WorkStarted}
)
"""Events because of which something must be done, or might."""


def react(before: FlowState | None, after: FlowState, recorded: Sequence[Recorded]) -> tuple[Effect, ...]:
    """Run what the events gave a free slot, and set the timers of scheduled retries; tell the parent of an ended child.

    An item that had a free slot before has its message already, so only the newly free ones get one; each step is
    looked at once, however many of its items ended. On a terminal flow nothing is run, but undone what must be.
    """
    effects: list[Effect] = []
    looked_at: set[StepID] = set()
    for record in recorded:
        if type(record.event) not in HEEDED:
            continue
        match record.event:
            case CompStarted(step_id=step_id, token=token) if not _was_undoing(before, step_id, token):
                effects.append(_undo(after, step_id, token))
            case CompRetryScheduled(step_id=step_id, token=token, next_retry_at=at):
                effects.append(_undo(after, step_id, token, at))
            case FlowDeactivated() if is_child(after.id) and not is_canary(after.id):
                effects.append(CompleteParent(child_id=after.id))
            case _ if after.status is not FlowStatus.ACTIVE:
                continue
            case WorkRetryScheduled(step_id=step_id, token=token, next_retry_at=at):
                effects.append(_run(after, step_id, token, at, goes_on=True))
                effects.extend(_newly_free(before, after, step_id, record.at, looked_at))
            case StepStarted(step_id=step_id):
                is_under_way = before is not None
                effects.extend(_newly_free(before, after, step_id, record.at, looked_at, goes_on=is_under_way))
            case WorkSucceeded(step_id=step_id):
                effects.extend(_newly_free(before, after, step_id, record.at, looked_at))
            case WorkStarted(step_id=step_id) if parallelism(after.plan.steps[step_id]) > MOST_OFFERED:
                effects.extend(_newly_free(before, after, step_id, record.at, looked_at))
    return tuple(effects)


def rearm(state: FlowState, command: Command, now: datetime) -> tuple[Effect, ...]:
    """The same timer again, when a retry was asked for before its time."""
    if isinstance(command, StartCompensation):
        return _rearm_compensation(state, command, now)
    if isinstance(command, RecordRun):
        command = command.start
    if not isinstance(command, StartWork):
        return ()
    item = state.executions[command.step_id].work_items[command.token]
    is_early = item.next_retry_at is not None and item.next_retry_at > now
    is_next = item.status is WorkStatus.PENDING and item.attempt + 1 == command.attempt
    again = _run(state, command.step_id, command.token, item.next_retry_at, goes_on=True)
    return (again,) if is_early and is_next else ()


def _rearm_compensation(state: FlowState, command: StartCompensation, now: datetime) -> tuple[Effect, ...]:
    item = state.executions[command.step_id].work_items[command.token]
    is_early = item.next_retry_at is not None and item.next_retry_at > now
    is_next = item.status is WorkStatus.COMPENSATING and item.retry_count == command.retry_count
    return (_undo(state, command.step_id, command.token, item.next_retry_at),) if is_early and is_next else ()


def wake(state: FlowState, wakes: Mapping[StepID, datetime]) -> tuple[Effect, ...]:
    """Look again at the steps that wait for a deadline, each at its time."""
    return tuple(
        WakeAt(flow_id=state.id, step_id=step_id, at=at)
        for step_id, at in wakes.items()
        if state.status is FlowStatus.ACTIVE and state.executions[step_id].status is StepStatus.PENDING
    )


def resume(state: FlowState, held: frozenset[Token], stale_before: datetime, now: datetime) -> tuple[Effect, ...]:
    """Everything that should be on its way for a flow, for when messages or workers were lost.

    Active items that nobody holds and that were started before `stale_before` get their next attempt, on terminal
    flows too (they keep those from being deactivated), and so does what is being undone; pending items with a free
    slot get their message again;
    children that may have ended unheard are asked after, and steps that may wait for a deadline are looked at.
    """
    effects: list[Effect] = []
    for step_id, ex in state.executions.items():
        for token, item in ex.work_items.items():
            is_old = item.started_at is not None and item.started_at < stale_before
            if item.status is WorkStatus.ACTIVE and is_old and token not in held:
                effects.append(_run(state, step_id, token, goes_on=True))
            elif item.status is WorkStatus.COMPENSATING and (item.next_retry_at or now) <= now:
                effects.append(_undo(state, step_id, token))
            elif item.status is WorkStatus.ACTIVE and is_old and state.plan.steps[step_id].type == StepType.FLOW:
                effects.append(CompleteParent(child_id=child_flow_id(state.id, step_id, token)))
        effects.extend(_run(state, step_id, token, goes_on=True) for token in _free(state, step_id, now))
        if _may_wait_for_deadline(state, step_id):
            effects.append(WakeAt(flow_id=state.id, step_id=step_id))
    return tuple(effects)


def _was_undoing(before: FlowState | None, step_id: StepID, token: Token) -> bool:
    """Whether a try to undo is one more, made by the worker that records it."""
    item = before.executions[step_id].work_items.get(token) if before else None
    return item is not None and item.status is WorkStatus.COMPENSATING


def _undo(state: FlowState, step_id: StepID, token: Token, at: datetime | None = None) -> RunCompensation:
    retry_count = state.executions[step_id].work_items[token].retry_count
    return RunCompensation(flow_id=state.id, step_id=step_id, token=token, retry_count=retry_count, at=at)


def _may_wait_for_deadline(state: FlowState, step_id: StepID) -> bool:
    is_pending = state.status is FlowStatus.ACTIVE and state.executions[step_id].status is StepStatus.PENDING
    return is_pending and any(spec.input_config.deadline_ms for _, spec in state.plan.steps[step_id].inputs())


def _newly_free(
    before: FlowState | None,
    after: FlowState,
    step_id: StepID,
    now: datetime,
    looked_at: set[StepID],
    goes_on: bool = False,
) -> Iterable[Effect]:
    """Those of a step, unless it was looked at already."""
    if step_id in looked_at:
        return ()
    looked_at.add(step_id)
    free = _free(after, step_id, now)
    if not free:
        return ()
    had = set(_free(before, step_id, now)) if before else set()
    return [_run(after, step_id, token, goes_on=goes_on) for token in free if token not in had]


def _free(state: FlowState, step_id: StepID, now: datetime) -> tuple[Token, ...]:
    ex = state.executions[step_id]
    is_open = state.status is FlowStatus.ACTIVE and ex.status is StepStatus.ACTIVE
    return startable(state.plan.steps[step_id], ex, now) if is_open else ()


def _run(state: FlowState, step_id: StepID, token: Token, at: datetime | None = None, goes_on: bool = False) -> RunWork:
    return RunWork(
        flow_id=state.id,
        step_id=step_id,
        token=token,
        attempt=state.executions[step_id].work_items[token].attempt + 1,
        step_type=state.plan.steps[step_id].type,
        at=at,
        goes_on=goes_on,
    )
