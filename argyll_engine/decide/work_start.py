# SPDX-License-Identifier: Apache-2.0
"""A worker claims a work item: pending items within the step's parallelism, or the item of a dead worker.

The recorded start is the claim: of several workers with the same message one wins and the others find the attempt
taken. Where the result is remembered from an earlier call, it is recorded in place of a start. Source: the contract,
execution §3.2, §3.6, §5 and §8; X16, X17, X23.
"""

from argyll_engine.decide.turn import Turn
from argyll_engine.decide.work_stop import succeed
from argyll_engine.model.commands import StartWork
from argyll_engine.model.events import WorkStarted
from argyll_engine.model.flow import StepStatus, WorkStatus
from argyll_engine.policy.transitions import WORK, check_transition
from argyll_engine.policy.work import FIRST_ATTEMPT, effective_inputs, free_slots, is_due


def start_work(turn: Turn, command: StartWork) -> None:
    """Start the next attempt of an item; nothing when another attempt was started, or this one is not due."""
    item = turn.work_item(command.step_id, command.token)
    if item.attempt + 1 != command.attempt:
        return
    memo = turn.facts.memo
    if memo is not None and command.attempt == FIRST_ATTEMPT:
        if _may_start(turn, command):
            succeed(turn, command.step_id, command.token, memo.outputs)
    elif item.status is WorkStatus.ACTIVE or _may_start(turn, command):
        check_transition(WORK, item.status, WorkStatus.ACTIVE)
        inputs = effective_inputs(turn.execution(command.step_id), item)
        turn.raise_event(WorkStarted(flow_id=turn.flow_id, step_id=command.step_id, token=command.token, inputs=inputs))


def _may_start(turn: Turn, command: StartWork) -> bool:
    """Whether a pending item is due and has a free slot; on a terminal flow nothing starts."""
    ex, item = turn.execution(command.step_id), turn.work_item(command.step_id, command.token)
    is_open = not turn.is_terminal and ex.status is StepStatus.ACTIVE
    return is_open and is_due(item, turn.facts.now) and free_slots(turn.step(command.step_id), ex) > 0
