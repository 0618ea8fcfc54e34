# SPDX-License-Identifier: Apache-2.0
"""Deciding: state + command + facts → events. One table says which function answers which command of a flow."""

from collections.abc import Callable
from typing import Any, Final

from argyll_engine.decide.flow_start import start_flow
from argyll_engine.decide.step_continue import wake_step
from argyll_engine.decide.turn import Turn
from argyll_engine.decide.work_compensate import (
    complete_compensation,
    fail_compensation,
    not_complete_compensation,
    start_compensation,
)
from argyll_engine.decide.work_defer import defer_dispatch, refuse_work
from argyll_engine.decide.work_run import record_run
from argyll_engine.decide.work_start import start_work
from argyll_engine.decide.work_stop import complete_work, fail_work, not_complete_work
from argyll_engine.errors import FlowNotFoundError
from argyll_engine.model.commands import (
    CompleteCompensation,
    CompleteWork,
    DeferDispatch,
    FailCompensation,
    FailWork,
    FlowCommand,
    NotCompleteCompensation,
    NotCompleteWork,
    RecordRun,
    RefuseWork,
    StartCompensation,
    StartFlow,
    StartWork,
    WakeStep,
)
from argyll_engine.model.events import Event
from argyll_engine.model.facts import Facts
from argyll_engine.model.flow import FlowState
from argyll_engine.model.ids import FlowID

FLOW_DECISIONS: Final[dict[type[FlowCommand], Callable[[Turn, Any], None]]] = {
    StartFlow: start_flow,
    StartWork: start_work,
    DeferDispatch: defer_dispatch,
    RefuseWork: refuse_work,
    CompleteWork: complete_work,
    RecordRun: record_run,
    FailWork: fail_work,
    NotCompleteWork: not_complete_work,
    WakeStep: wake_step,
    StartCompensation: start_compensation,
    CompleteCompensation: complete_compensation,
    FailCompensation: fail_compensation,
    NotCompleteCompensation: not_complete_compensation,
}


def decide(state: FlowState | None, command: FlowCommand, facts: Facts) -> tuple[Event, ...]:
    """The events that a command to a flow leads to; none when it was answered before or comes too late.

    Raises:
        FlowExistsError, FlowArchivedError, FlowNotFoundError, ExecutionNotFoundError, WorkItemNotFoundError: nothing is
            decided.
    """
    flow_id = command.flow_id if isinstance(command, StartFlow) else (state.id if state else FlowID(""))
    turn = Turn(flow_id, state, facts)
    take_turn(turn, command)
    return tuple(recorded.event for recorded in turn.events)


def take_turn(turn: Turn, command: FlowCommand) -> None:
    """Let a turn answer a command: its events and state are the decision. Only a start is one without a flow."""
    if turn.is_new and not isinstance(command, StartFlow):
        raise FlowNotFoundError(turn.flow_id)
    FLOW_DECISIONS[type(command)](turn, command)
