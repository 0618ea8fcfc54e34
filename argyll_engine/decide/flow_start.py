# SPDX-License-Identifier: Apache-2.0
"""A flow starts, or is asked to start again. Source: the contract, execution §2.1; X1 and X9."""

from argyll_engine.decide.flow_continue import continue_flow
from argyll_engine.decide.flow_stop import deactivate_flow, stop_flow
from argyll_engine.decide.turn import Turn
from argyll_engine.errors import FlowArchivedError, FlowExistsError
from argyll_engine.model.commands import StartFlow
from argyll_engine.model.events import FlowStarted
from argyll_engine.model.flow import FlowState
from argyll_engine.model.ids import JSONValue
from argyll_engine.model.plan import InitArgs
from argyll_engine.policy.equality import same_json


def start_flow(turn: Turn, command: StartFlow) -> None:
    """Start the flow with every step that is ready; the same start again changes nothing.

    Raises:
        FlowExistsError: goals or initial values differ from those recorded under the id.
        FlowArchivedError: whether they do, the digest of the flow says.
    """
    if turn.is_archived:
        raise FlowArchivedError(command.flow_id)
    if not turn.is_new:
        _check_repeat(turn.state, command)
        return
    turn.raise_event(
        FlowStarted(
            flow_id=command.flow_id,
            plan=command.plan,
            init=command.init,
            metadata=command.metadata,
            labels=command.labels,
        )
    )
    turn.unsettled.extend(command.plan.steps)
    continue_flow(turn, sweep=True)
    stop_flow(turn)  # a plan without steps is complete at once
    deactivate_flow(turn)


def _check_repeat(state: FlowState, command: StartFlow) -> None:
    same_goals = state.plan.goals == command.plan.goals
    if not (same_goals and same_json(_json(state.init), _json(command.init))):
        raise FlowExistsError(state.id)


def _json(init: InitArgs) -> dict[str, JSONValue]:
    return {name: None if values is None else list(values) for name, values in init.items()}
