# SPDX-License-Identifier: Apache-2.0
"""The end of a flow: completed, failed, deactivated. Source: the contract, execution §2.8; X1, X2, X7, X8, X11."""

from argyll_engine.decide.turn import Turn
from argyll_engine.model.events import FlowCompleted, FlowDeactivated, FlowFailed
from argyll_engine.model.flow import FlowState, SkipReason, StepStatus
from argyll_engine.model.ids import JSONValue, Name, StepID

_OPEN = (StepStatus.PENDING, StepStatus.ACTIVE)


def stop_flow(turn: Turn) -> None:
    """Complete or fail an active flow if its outcome is decided."""
    if turn.is_terminal:
        return
    state = turn.state
    if _is_failed(state):
        turn.raise_event(FlowFailed(flow_id=turn.flow_id, error=_failure(state)))
    elif not any(ex.status in _OPEN for ex in state.executions.values()):
        turn.raise_event(FlowCompleted(flow_id=turn.flow_id, result=_result(state)))


def deactivate_flow(turn: Turn) -> None:
    """Mark a terminal flow once nothing of it runs any more."""
    if turn.is_terminal and turn.state.deactivated_at is None and not _is_working(turn.state):
        turn.raise_event(FlowDeactivated(flow_id=turn.flow_id, status=turn.state.status))


def _is_failed(state: FlowState) -> bool:
    """Some goal failed, or no goal is left because gates closed before all of them."""
    goals = [state.executions[goal] for goal in state.plan.goals if goal in state.executions]
    if any(ex.status is StepStatus.FAILED for ex in goals):
        return True
    pruned = [ex for ex in goals if ex.status is StepStatus.SKIPPED and ex.error == SkipReason.MATCH_FAILED]
    return len(pruned) == len(state.plan.goals)


def _failure(state: FlowState) -> str:
    """The first failure in time is the cause of the later ones."""
    failed: list[tuple[StepID, str]] = []
    first_at = None
    for step_id, ex in state.executions.items():
        if ex.status is StepStatus.FAILED and (first_at is None or (ex.completed_at or first_at) < first_at):
            first_at = ex.completed_at
            failed = [(step_id, ex.error)]
    return f"step {failed[0][0]} failed: {failed[0][1]}" if failed else "flow failed"


def _result(state: FlowState) -> dict[Name, JSONValue]:
    result: dict[Name, JSONValue] = {}
    for goal in state.plan.goals:
        if goal in state.executions:
            result.update(state.executions[goal].outputs or {})
    return result


def _is_working(state: FlowState) -> bool:
    return any(ex.active_count or ex.compensating_count for ex in state.executions.values())
