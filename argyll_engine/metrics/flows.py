# SPDX-License-Identifier: Apache-2.0
"""What committed events say of flows, steps and work. Called by the executor, once for each commit that won.

Every event is committed by one process, so the sum over all processes counts it once. Increments are added up over a
batch first, for one step of many flows is the common case.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from prometheus_client import Counter

from argyll_engine import log as logs
from argyll_engine.metrics import instruments as all_metrics
from argyll_engine.metrics.labels import STEP_NAMES, Children, StepChildren
from argyll_engine.model.events import (
    CompFailed,
    CompRetryScheduled,
    CompSucceeded,
    DispatchDeferred,
    FlowCompleted,
    FlowFailed,
    FlowStarted,
    Recorded,
    StepCompleted,
    StepFailed,
    StepSkipped,
    WorkFailed,
    WorkNotCompleted,
    WorkRetryScheduled,
    WorkSucceeded,
)
from argyll_engine.model.flow import FlowState
from argyll_engine.model.ids import StepID, is_canary, is_child

ACTION: Final = "run"
INVOKE, COMPENSATE = "invoke", "compensate"
SUCCESS, ERROR, TIMEOUT, RETRY = "success", "error", "timeout", "retry"
NOT_COMPLETED: Final = "work not completed"
TIMED_OUT: Final = "timed out after"
"""What the errors of attempts without an answer begin with, and what stands in those that took too long."""

Counts: TypeAlias = defaultdict[Counter, int]
Note: TypeAlias = Callable[[FlowState, Recorded, Counts], None]
"""Adds what one event means; times are observed at once."""

log = logs.get(__name__)

_executions = Children(all_metrics.WORKFLOW_EXECUTIONS)
_durations = Children(all_metrics.WORKFLOW_DURATION)
_started, _completed, _failed = map(
    Children, (all_metrics.FLOWS_STARTED, all_metrics.FLOWS_COMPLETED, all_metrics.FLOWS_FAILED)
)
_modules = Children(all_metrics.MODULE_OPERATIONS)
_steps_ended = StepChildren(all_metrics.STEPS_ENDED, STEP_NAMES)
_step_durations = StepChildren(all_metrics.STEP_DURATION, STEP_NAMES)
_work = StepChildren(all_metrics.WORK_ITEMS, STEP_NAMES)
_retries = StepChildren(all_metrics.WORK_RETRIES, STEP_NAMES)
_deferred = StepChildren(all_metrics.WORK_DEFERRED, STEP_NAMES)
_compensations = StepChildren(all_metrics.COMPENSATIONS, STEP_NAMES)


def count_flow_events(committed: Sequence[tuple[FlowState | None, Sequence[Recorded]]]) -> None:
    """Counts the events of commits that won, each with the state of its flow after it. Never raises."""
    counts: Counts = defaultdict(int)
    for state, events in committed:
        for recorded in events:
            try:
                note = _NOTES.get(type(recorded.event))
                if note is not None and state is not None and not is_canary(state.id):
                    note(state, recorded, counts)
            except Exception:  # what was committed stays so, whether it could be counted or not; all else is counted
                log.exception("metrics_failed")
    for counter, amount in counts.items():
        try:
            counter.inc(amount)
        except Exception:  # a folder that is full or gone, say
            log.exception("metrics_failed")


def _flow_started(state: FlowState, _recorded: Recorded, counts: Counts) -> None:
    counts[_started.of(_kind(state))] += 1


def _flow_completed(state: FlowState, recorded: Recorded, counts: Counts) -> None:
    counts[_completed.of(_kind(state))] += 1
    _flow_ended(state, recorded.at, SUCCESS, counts)


def _flow_failed(state: FlowState, recorded: Recorded, counts: Counts) -> None:
    counts[_failed.of(_kind(state))] += 1
    _flow_ended(state, recorded.at, ERROR, counts)


def _flow_ended(state: FlowState, at: datetime, status: str, counts: Counts) -> None:
    workflow_type = "sub_flow" if is_child(state.id) else "flow"
    counts[_executions.of(workflow_type, ACTION, status)] += 1
    _durations.of(workflow_type, ACTION).observe((at - state.created_at).total_seconds())


def _kind(state: FlowState) -> str:
    return "child" if is_child(state.id) else "root"


def _step_completed(_state: FlowState, recorded: Recorded, counts: Counts) -> None:
    event = recorded.event
    assert isinstance(event, StepCompleted)
    counts[_steps_ended.of(event.step_id, "completed")] += 1
    _step_durations.of(event.step_id).observe(event.duration_ms / 1000)


def _step_failed(state: FlowState, recorded: Recorded, counts: Counts) -> None:
    event = recorded.event
    assert isinstance(event, StepFailed)
    counts[_steps_ended.of(event.step_id, "failed")] += 1
    started_at = state.executions[event.step_id].started_at
    if started_at is not None:
        _step_durations.of(event.step_id).observe((recorded.at - started_at).total_seconds())


def _step_skipped(_state: FlowState, recorded: Recorded, counts: Counts) -> None:
    event = recorded.event
    assert isinstance(event, StepSkipped)
    counts[_steps_ended.of(event.step_id, "skipped")] += 1


def _work_succeeded(state: FlowState, recorded: Recorded, counts: Counts) -> None:
    event = recorded.event
    assert isinstance(event, WorkSucceeded)
    counts[_work.of(event.step_id, "succeeded")] += 1
    counts[_modules.of(_module(state, event.step_id), INVOKE, SUCCESS)] += 1


def _work_failed(state: FlowState, recorded: Recorded, counts: Counts) -> None:
    event = recorded.event
    assert isinstance(event, WorkFailed)
    counts[_work.of(event.step_id, "failed")] += 1
    if not event.error.startswith(NOT_COMPLETED):  # else the attempt was counted by the event before this one
        counts[_modules.of(_module(state, event.step_id), INVOKE, ERROR)] += 1


def _work_not_completed(state: FlowState, recorded: Recorded, counts: Counts) -> None:
    event = recorded.event
    assert isinstance(event, WorkNotCompleted)
    counts[_work.of(event.step_id, "not_completed")] += 1
    status = TIMEOUT if TIMED_OUT in event.error else ERROR
    counts[_modules.of(_module(state, event.step_id), INVOKE, status)] += 1


def _work_retried(_state: FlowState, recorded: Recorded, counts: Counts) -> None:
    event = recorded.event
    assert isinstance(event, WorkRetryScheduled)
    counts[_retries.of(event.step_id)] += 1


def _work_deferred(_state: FlowState, recorded: Recorded, counts: Counts) -> None:
    event = recorded.event
    assert isinstance(event, DispatchDeferred)
    counts[_deferred.of(event.step_id)] += 1


def _undone(state: FlowState, recorded: Recorded, counts: Counts) -> None:
    event = recorded.event
    assert isinstance(event, CompSucceeded | CompFailed | CompRetryScheduled)
    outcome, status = _UNDOING[type(event)]
    counts[_compensations.of(event.step_id, outcome)] += 1
    counts[_modules.of(_module(state, event.step_id), COMPENSATE, status)] += 1


def _module(state: FlowState, step_id: StepID) -> str:
    return state.plan.steps[step_id].type


_UNDOING: Final[Mapping[type, tuple[str, str]]] = {
    CompSucceeded: ("succeeded", SUCCESS),
    CompFailed: ("failed", ERROR),
    CompRetryScheduled: ("retried", RETRY),
}

_NOTES: Final[Mapping[type, Note]] = {
    FlowStarted: _flow_started,
    FlowCompleted: _flow_completed,
    FlowFailed: _flow_failed,
    StepCompleted: _step_completed,
    StepFailed: _step_failed,
    StepSkipped: _step_skipped,
    WorkSucceeded: _work_succeeded,
    WorkFailed: _work_failed,
    WorkNotCompleted: _work_not_completed,
    WorkRetryScheduled: _work_retried,
    DispatchDeferred: _work_deferred,
    CompSucceeded: _undone,
    CompFailed: _undone,
    CompRetryScheduled: _undone,
}
