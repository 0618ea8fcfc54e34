# SPDX-License-Identifier: Apache-2.0
"""Undoing the succeeded work of a step that failed. Source: the contract, execution §4; X12 to X14.

It changes nothing about the outcome of the flow, runs on terminal flows too, and keeps them from being deactivated.
"""

from argyll_engine.decide.flow_stop import deactivate_flow
from argyll_engine.decide.turn import Turn
from argyll_engine.model.commands import (
    CompleteCompensation,
    FailCompensation,
    NotCompleteCompensation,
    StartCompensation,
)
from argyll_engine.model.events import CompFailed, CompRetryScheduled, CompStarted, CompSucceeded
from argyll_engine.model.flow import StepStatus, WorkStatus
from argyll_engine.model.ids import StepID, Token
from argyll_engine.policy.retry import next_retry_at, work_config


def compensate_step(turn: Turn, step_id: StepID) -> None:
    """Begin to undo what succeeded of a failed step, if the step says how."""
    ex = turn.execution(step_id)
    if ex.status is not StepStatus.FAILED or not turn.step(step_id).is_compensated:
        return
    for token, item in tuple(ex.work_items.items()):
        if item.status is WorkStatus.SUCCEEDED:
            turn.raise_event(CompStarted(flow_id=turn.flow_id, step_id=step_id, token=token))


def start_compensation(turn: Turn, command: StartCompensation) -> None:
    """Try again to undo an item whose time has come."""
    item = turn.work_item(command.step_id, command.token)
    is_due = item.next_retry_at is not None and item.next_retry_at <= turn.facts.now
    if _is_undoing(turn, command.step_id, command.token) and item.retry_count == command.retry_count and is_due:
        turn.raise_event(CompStarted(flow_id=turn.flow_id, step_id=command.step_id, token=command.token))


def complete_compensation(turn: Turn, command: CompleteCompensation) -> None:
    """Record that an item was undone; once is enough."""
    if _is_undoing(turn, command.step_id, command.token):
        turn.raise_event(CompSucceeded(flow_id=turn.flow_id, step_id=command.step_id, token=command.token))
        deactivate_flow(turn)


def fail_compensation(turn: Turn, command: FailCompensation) -> None:
    """Record that an item cannot be undone."""
    if _is_undoing(turn, command.step_id, command.token):
        _fail(turn, command.step_id, command.token, command.error)


def not_complete_compensation(turn: Turn, command: NotCompleteCompensation) -> None:
    """Schedule the next try, or give up when the retries, those of the work included, are used up."""
    step_id, token = command.step_id, command.token
    item = turn.work_item(step_id, token)
    if not _is_undoing(turn, step_id, token) or item.retry_count != command.retry_count:
        return
    at = next_retry_at(work_config(turn.step(step_id)), item.retry_count, turn.facts.now)
    if at is None:
        _fail(turn, step_id, token, command.error)
        return
    turn.raise_event(
        CompRetryScheduled(
            flow_id=turn.flow_id,
            step_id=step_id,
            token=token,
            error=command.error,
            retry_count=item.retry_count + 1,
            next_retry_at=at,
        )
    )


def _is_undoing(turn: Turn, step_id: StepID, token: Token) -> bool:
    return turn.work_item(step_id, token).status is WorkStatus.COMPENSATING


def _fail(turn: Turn, step_id: StepID, token: Token, error: str) -> None:
    turn.raise_event(CompFailed(flow_id=turn.flow_id, step_id=step_id, token=token, error=error))
    deactivate_flow(turn)
