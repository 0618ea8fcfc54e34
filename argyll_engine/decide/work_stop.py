# SPDX-License-Identifier: Apache-2.0
"""A work item succeeded, failed or got no answer. Source: the contract, execution §2.8, §3.3, §3.6, §3.7; X10, X33.

Results of a terminal flow or a failed step are recorded like any other, and start nothing.
"""

from collections.abc import Mapping

from argyll_engine.decide.flow_continue import continue_flow
from argyll_engine.decide.flow_stop import deactivate_flow
from argyll_engine.decide.step_stop import complete_step, fail_step
from argyll_engine.decide.turn import Turn
from argyll_engine.decide.work_compensate import compensate_step
from argyll_engine.model.commands import CompleteWork, FailWork, NotCompleteWork
from argyll_engine.model.events import WorkFailed, WorkNotCompleted, WorkRetryScheduled, WorkSucceeded
from argyll_engine.model.flow import StepStatus, WorkState, WorkStatus
from argyll_engine.model.ids import JSONValue, StepID, Token
from argyll_engine.policy.retry import next_retry_at, work_config
from argyll_engine.policy.transitions import WORK, can_transition
from argyll_engine.policy.work import is_all_succeeded


def complete_work(turn: Turn, command: CompleteWork) -> None:
    """Record the outputs of an item; with the last item the step completes. A finished item stays as it is."""
    item = turn.work_item(command.step_id, command.token)
    if _takes(item, WorkStatus.SUCCEEDED, command.attempt):
        succeed(turn, command.step_id, command.token, command.outputs)


def succeed(turn: Turn, step_id: StepID, token: Token, outputs: Mapping[str, JSONValue] | None) -> None:
    """Record the outputs of an item that may succeed, and all that follows from it."""
    turn.raise_event(WorkSucceeded(flow_id=turn.flow_id, step_id=step_id, token=token, outputs=outputs))
    ex = turn.execution(step_id)
    if ex.status is StepStatus.ACTIVE and is_all_succeeded(ex):
        complete_step(turn, step_id)
        continue_flow(turn, sweep=True)
    compensate_step(turn, step_id)
    deactivate_flow(turn)


def fail_work(turn: Turn, command: FailWork) -> None:
    """Record the failure of an item; its step fails with it. A finished item stays as it is."""
    item = turn.work_item(command.step_id, command.token)
    if _takes(item, WorkStatus.FAILED, command.attempt):
        fail_item(turn, command.step_id, command.token, command.error)
        deactivate_flow(turn)


def not_complete_work(turn: Turn, command: NotCompleteWork) -> None:
    """Schedule the next attempt of an item, or fail it when its retries are used up; other attempts are ignored."""
    step_id, token = command.step_id, command.token
    item = turn.work_item(step_id, token)
    if not _takes(item, WorkStatus.NOT_COMPLETED, command.attempt):
        return
    turn.raise_event(WorkNotCompleted(flow_id=turn.flow_id, step_id=step_id, token=token, error=command.error))
    if not turn.is_terminal and turn.execution(step_id).status is StepStatus.ACTIVE:
        _retry_or_fail(turn, step_id, token, command.error)
    deactivate_flow(turn)


def _takes(item: WorkState, outcome: WorkStatus, attempt: int | None) -> bool:
    """Whether an item can end so; an outcome that names an attempt counts only while that one runs."""
    is_running = item.status is WorkStatus.ACTIVE and item.attempt == attempt
    return can_transition(WORK, item.status, outcome) and (attempt is None or is_running)


def _retry_or_fail(turn: Turn, step_id: StepID, token: Token, error: str) -> None:
    item = turn.work_item(step_id, token)
    at = next_retry_at(work_config(turn.step(step_id)), item.retry_count, turn.facts.now)
    if at is None:
        fail_item(turn, step_id, token, error)
        return
    turn.raise_event(
        WorkRetryScheduled(
            flow_id=turn.flow_id,
            step_id=step_id,
            token=token,
            error=error,
            retry_count=item.retry_count + 1,
            next_retry_at=at,
        )
    )


def fail_item(turn: Turn, step_id: StepID, token: Token, error: str) -> None:
    """Record the failure of an item, and of its step if that is active."""
    turn.raise_event(WorkFailed(flow_id=turn.flow_id, step_id=step_id, token=token, error=error))
    if turn.execution(step_id).status is StepStatus.ACTIVE:
        fail_step(turn, step_id, error)
        compensate_step(turn, step_id)
        continue_flow(turn, sweep=False)
