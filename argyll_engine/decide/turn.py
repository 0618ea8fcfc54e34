# SPDX-License-Identifier: Apache-2.0
"""One decision in the making: the flow as it was, the facts, and the events raised so far."""

from collections.abc import Hashable
from datetime import datetime
from typing import Any

from argyll_engine.errors import ExecutionNotFoundError, WorkItemNotFoundError
from argyll_engine.evolve.flow import FlowDraft
from argyll_engine.model.events import (
    FlowEvent,
    FlowStarted,
    Recorded,
    StepCompleted,
    StepFailed,
    StepSkipped,
    StepStarted,
)
from argyll_engine.model.facts import Facts
from argyll_engine.model.flow import ExecutionState, FlowState, WorkState
from argyll_engine.model.ids import FlowID, StepID, Token
from argyll_engine.model.step import Step
from argyll_engine.policy.transitions import TERMINAL_FLOW

_STEP_EVENTS = (StepStarted, StepCompleted, StepFailed, StepSkipped)


class Turn:
    """Collects what a decision raises. Holds no handle to anything outside.

    `state` is the flow with all events raised so far; there is none before the flow has started (`is_new`).

    `unsettled` gathers the steps whose neighbours must be looked at again (see `flow_continue`), `wakes` the pending
    steps that wait for a deadline, with its time: what scripts say of their inputs is known only while deciding.
    `findings` keeps what was found out about the flow as it is, until the next event.
    """

    __slots__ = ("_draft", "_sequence", "events", "facts", "findings", "flow_id", "state", "unsettled", "wakes")

    state: FlowState

    def __init__(self, flow_id: FlowID, state: FlowState | None, facts: Facts, sequence: int = 0) -> None:
        self.flow_id = flow_id
        self.facts = facts
        self.events: list[Recorded] = []
        self.unsettled: list[StepID] = []
        self.wakes: dict[StepID, datetime] = {}
        self.findings: dict[Hashable, Any] = {}
        self._draft = FlowDraft(state)
        self._sequence = sequence
        if state is not None:
            self.state = state

    @property
    def is_new(self) -> bool:
        """Whether the flow does not exist yet."""
        return self._draft.is_empty

    @property
    def is_archived(self) -> bool:
        """Whether the flow has a history that is not here, so that nothing can be decided about it."""
        return self._draft.is_empty and self._sequence > 0

    @property
    def is_starting(self) -> bool:
        """Whether the flow starts in this turn."""
        return bool(self.events) and isinstance(self.events[0].event, FlowStarted)

    @property
    def is_terminal(self) -> bool:
        """Whether the flow has completed or failed."""
        return self.state.status in TERMINAL_FLOW

    def raise_event(self, event: FlowEvent) -> None:
        """Add an event to the decision and fold it."""
        recorded = Recorded(event=event, sequence=self._sequence + len(self.events), at=self.facts.now)
        self.events.append(recorded)
        self._draft.fold(recorded)
        self.state = self._draft.state
        self.findings.clear()
        if isinstance(event, _STEP_EVENTS):
            self.unsettled.append(event.step_id)

    def take_unsettled(self) -> tuple[StepID, ...]:
        """The steps that changed since this was asked last."""
        taken, self.unsettled = tuple(self.unsettled), []
        return taken

    def step(self, step_id: StepID) -> Step:
        """The planned definition of a step."""
        return self.state.plan.steps[step_id]

    def execution(self, step_id: StepID) -> ExecutionState:
        """The execution of a step. Raises ExecutionNotFoundError."""
        ex = self.state.executions.get(step_id)
        if ex is None:
            raise ExecutionNotFoundError(self.flow_id, step_id)
        return ex

    def work_item(self, step_id: StepID, token: Token) -> WorkState:
        """A work item. Raises ExecutionNotFoundError, WorkItemNotFoundError."""
        item = self.execution(step_id).work_items.get(token)
        if item is None:
            raise WorkItemNotFoundError(self.flow_id, step_id, token)
        return item
