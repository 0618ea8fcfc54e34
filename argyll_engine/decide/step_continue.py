# SPDX-License-Identifier: Apache-2.0
"""A deadline of an optional input has come. Source: the contract, execution §2.5."""

from argyll_engine.decide.flow_continue import continue_flow
from argyll_engine.decide.flow_stop import deactivate_flow
from argyll_engine.decide.turn import Turn
from argyll_engine.model.commands import WakeStep
from argyll_engine.model.flow import StepStatus


def wake_step(turn: Turn, command: WakeStep) -> None:
    """Start a pending step that has waited long enough; too early, it goes on waiting."""
    if turn.is_terminal or turn.execution(command.step_id).status is not StepStatus.PENDING:
        return
    turn.unsettled.append(command.step_id)
    continue_flow(turn, sweep=True)
    deactivate_flow(turn)
