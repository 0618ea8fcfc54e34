# SPDX-License-Identifier: Apache-2.0
"""Work that is not handed out because its step is unhealthy: it waits, or fails where it is to be refused.

Which step is unhealthy is known to the worker; `held_work.py` asks. Source: the contract, execution §7; X18.
"""

from argyll_engine.decide.flow_stop import deactivate_flow
from argyll_engine.decide.turn import Turn
from argyll_engine.decide.work_stop import fail_item
from argyll_engine.model.commands import DeferDispatch, RefuseWork
from argyll_engine.model.events import DispatchDeferred
from argyll_engine.model.flow import StepStatus, WorkStatus
from argyll_engine.model.ids import StepID, Token
from argyll_engine.policy.work import is_due

_UNDER_WAY = (WorkStatus.ACTIVE, WorkStatus.COMPENSATING)


def defer_dispatch(turn: Turn, command: DeferDispatch) -> None:
    """Tell that work of a step under way waits; a step of which nothing was handed out yet waits in silence."""
    ex, item = turn.execution(command.step_id), turn.work_item(command.step_id, command.token)
    is_first = ex.fresh_from == 0 and not (ex.retrying_items or ex.active_count or ex.succeeded_count)
    if item.status in _UNDER_WAY or (not is_first and _is_open(turn, command.step_id, command.token)):
        turn.raise_event(DispatchDeferred(flow_id=turn.flow_id, step_id=command.step_id))


def refuse_work(turn: Turn, command: RefuseWork) -> None:
    """Fail a pending item whose step is unhealthy; one that was started meanwhile, or is not due, stays as it is."""
    item = turn.work_item(command.step_id, command.token)
    if item.attempt + 1 == command.attempt and _is_open(turn, command.step_id, command.token):
        fail_item(turn, command.step_id, command.token, command.error)
        deactivate_flow(turn)


def _is_open(turn: Turn, step_id: StepID, token: Token) -> bool:
    """Whether a pending item could be handed out now."""
    is_running = not turn.is_terminal and turn.execution(step_id).status is StepStatus.ACTIVE
    return is_running and is_due(turn.work_item(step_id, token), turn.facts.now)
