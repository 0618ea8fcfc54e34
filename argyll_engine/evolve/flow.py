# SPDX-License-Identifier: Apache-2.0
"""Folds flow events into a FlowState. Source: the contract, execution §9.4.

`FlowDraft` thaws a state, folds any number of events and freezes: a container is copied at its first change only,
so that folding n events of one flow does not copy its maps n times. Nothing outside this module sees a draft's
containers change: the state that was thawed keeps its own.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from argyll_engine.errors import BrokenError
from argyll_engine.model.events import (
    AttributeSet,
    CompFailed,
    CompRetryScheduled,
    CompStarted,
    CompSucceeded,
    DispatchDeferred,
    Event,
    FlowCompleted,
    FlowDeactivated,
    FlowFailed,
    FlowStarted,
    Recorded,
    StepCompleted,
    StepFailed,
    StepSkipped,
    StepStarted,
    WorkFailed,
    WorkNotCompleted,
    WorkRetryScheduled,
    WorkStarted,
    WorkSucceeded,
)
from argyll_engine.model.flow import (
    AttributeValue,
    ExecutionState,
    FlowState,
    FlowStatus,
    StepStatus,
    WorkState,
    WorkStatus,
)
from argyll_engine.model.ids import StepID, Token
from argyll_engine.model.work_items import WorkItems

SILENT: Final = frozenset({CompStarted, DispatchDeferred})
"""Events that leave the time of the last update alone."""

COUNTS: Final = {
    WorkStatus.ACTIVE: "active_count",
    WorkStatus.SUCCEEDED: "succeeded_count",
    WorkStatus.COMPENSATING: "compensating_count",
}
"""Fields of an execution that count its items of one status."""


class FlowDraft:
    """A flow being folded. `state` is the flow so far; read it freely, keep it only after the last fold."""

    __slots__ = ("_owned", "found")

    def __init__(self, state: FlowState | None) -> None:
        self.found = state
        """The flow so far; None before its first event."""
        self._owned: dict[int, Any] = {}  # held, so that no id is used again while the draft lives

    @property
    def state(self) -> FlowState:
        """The flow so far. Raises BrokenError before its first event."""
        if self.found is None:
            raise BrokenError("a flow's log must begin with flow_started")
        return self.found

    @property
    def is_empty(self) -> bool:
        """Whether no event was folded yet."""
        return self.found is None

    def fold(self, recorded: Recorded) -> None:
        """Take one event in; types that are not of a flow are ignored."""
        event, at = recorded.event, recorded.at
        apply = FOLDS.get(type(event))
        if apply is not None:
            apply(self, event, at)
            if self.state.last_updated_at is not at and type(event) not in SILENT:
                self.change(last_updated_at=at)

    # ---- what the folds change ----

    def change(self, **fields: Any) -> None:
        """Set fields of the flow itself."""
        self.found = replace(self.state, **fields)

    def change_execution(self, step_id: StepID, **fields: Any) -> None:
        """Set fields of an execution."""
        executions = self._own("executions", self.state.executions)
        executions[step_id] = replace(executions[step_id], **fields)

    def change_work(self, step_id: StepID, token: Token, **fields: Any) -> None:
        """Set fields of a work item and keep count; an unknown token is ignored."""
        ex = self.state.executions[step_id]
        if token not in ex.work_items:
            return
        before = ex.work_items[token]
        after = replace(before, **fields)
        items = ex.work_items.with_item(token, after)
        self.change_execution(step_id, work_items=items, **self._tally(ex, token, before, after))

    def _tally(self, ex: ExecutionState, token: Token, before: WorkState, after: WorkState) -> dict[str, Any]:
        """The fields of an execution that follow from its items, after one of them changed."""
        fields: dict[str, Any] = {}
        is_pending = after.status is WorkStatus.PENDING
        if before.index == ex.fresh_from and not after.is_fresh:
            fields["fresh_from"] = _fresh_from(ex.work_items, before.index + 1)
        if (token in ex.retrying_items) != (is_pending and after.attempt > 0):
            retrying = fields["retrying_items"] = self._owned_copy(ex.retrying_items)
            retrying.pop(token) if token in retrying else retrying.setdefault(token)
        if before.status is not after.status:
            for status, change in ((before.status, -1), (after.status, 1)):
                name = COUNTS.get(status)
                if name:
                    fields[name] = getattr(ex, name) + change
        return fields

    def add_value(self, event: AttributeSet, at: datetime) -> None:
        """Append a value to an attribute."""
        attributes = self._own("attributes", self.state.attributes)
        value = AttributeValue(value=event.value, set_at=at, step_id=event.step_id)
        attributes[event.key] = (*attributes.get(event.key, ()), value)

    def _own(self, field: str, container: Any) -> dict[Any, Any]:
        copy = self._owned_copy(container)
        if copy is not container:
            self.change(**{field: copy})
        return copy

    def _owned_copy(self, container: Any) -> dict[Any, Any]:
        """The container itself if this draft made it, else a copy that it may change."""
        if id(container) in self._owned:
            owned: dict[Any, Any] = container
            return owned
        copy = dict(container)
        self._owned[id(copy)] = copy
        return copy


def evolve_flow(state: FlowState | None, recorded: Recorded) -> FlowState:
    """The flow after one more event."""
    return replay_flow(state, (recorded,))


def replay_flow(state: FlowState | None, log: Iterable[Recorded]) -> FlowState:
    """The flow after these events; `state` None when the log starts at its beginning."""
    draft = FlowDraft(state)
    for recorded in log:
        draft.fold(recorded)
    return draft.state


def _fresh_from(items: WorkItems[WorkState], place: int) -> int:
    """The place of the first item that was never started, from a place on."""
    return next((item.index for _, item in items.fresh_items(place)), len(items))


def _flow_started(draft: FlowDraft, event: FlowStarted, at: datetime) -> None:
    values = {name: tuple(given) for name, given in event.init.items() if given}
    draft.found = FlowState(
        id=event.flow_id,
        plan=event.plan,
        created_at=at,
        last_updated_at=at,
        init=event.init,
        metadata=event.metadata,
        labels=event.labels,
        attributes={
            name: tuple(AttributeValue(value=value, set_at=at) for value in given) for name, given in values.items()
        },
        executions=dict.fromkeys(event.plan.steps, ExecutionState()),
    )


def _flow_completed(draft: FlowDraft, event: FlowCompleted, at: datetime) -> None:
    draft.change(status=FlowStatus.COMPLETED, completed_at=at)


def _flow_failed(draft: FlowDraft, event: FlowFailed, at: datetime) -> None:
    draft.change(status=FlowStatus.FAILED, completed_at=at, error=event.error)


def _flow_deactivated(draft: FlowDraft, event: FlowDeactivated, at: datetime) -> None:
    draft.change(deactivated_at=at)


def _attribute_set(draft: FlowDraft, event: AttributeSet, at: datetime) -> None:
    draft.add_value(event, at)


def _step_started(draft: FlowDraft, event: StepStarted, at: datetime) -> None:
    items = {
        token: WorkState(inputs=inputs, index=index) for index, (token, inputs) in enumerate(event.work_items.items())
    }
    draft.change_execution(
        event.step_id,
        status=StepStatus.ACTIVE,
        started_at=at,
        inputs=event.inputs,
        work_items=WorkItems(items),
        fresh_from=0,
    )


def _step_completed(draft: FlowDraft, event: StepCompleted, at: datetime) -> None:
    draft.change_execution(
        event.step_id,
        status=StepStatus.COMPLETED,
        completed_at=at,
        outputs=event.outputs,
        duration_ms=event.duration_ms,
    )


def _step_failed(draft: FlowDraft, event: StepFailed, at: datetime) -> None:
    _step_ended(draft, event, StepStatus.FAILED, event.error, at)


def _step_skipped(draft: FlowDraft, event: StepSkipped, at: datetime) -> None:
    _step_ended(draft, event, StepStatus.SKIPPED, event.reason, at)


def _step_ended(
    draft: FlowDraft, event: StepFailed | StepSkipped, status: StepStatus, error: str, at: datetime
) -> None:
    inputs = event.inputs or draft.state.executions[event.step_id].inputs
    draft.change_execution(
        event.step_id, status=status, completed_at=at, error=error, inputs=inputs, unsatisfied=event.unsatisfied
    )


def _work_started(draft: FlowDraft, event: WorkStarted, at: datetime) -> None:
    item = draft.state.executions[event.step_id].work_items.get(event.token)
    attempt = 1 + (item.attempt if item else 0)
    draft.change_work(
        event.step_id,
        event.token,
        status=WorkStatus.ACTIVE,
        started_at=at,
        completed_at=None,
        next_retry_at=None,
        attempt=attempt,
    )


def _work_succeeded(draft: FlowDraft, event: WorkSucceeded, at: datetime) -> None:
    draft.change_work(
        event.step_id, event.token, status=WorkStatus.SUCCEEDED, completed_at=at, outputs=event.outputs or None
    )


def _work_failed(draft: FlowDraft, event: WorkFailed, at: datetime) -> None:
    draft.change_work(event.step_id, event.token, status=WorkStatus.FAILED, completed_at=at, error=event.error)


def _work_not_completed(draft: FlowDraft, event: WorkNotCompleted, at: datetime) -> None:
    draft.change_work(event.step_id, event.token, status=WorkStatus.NOT_COMPLETED, completed_at=at, error=event.error)


def _work_retry_scheduled(draft: FlowDraft, event: WorkRetryScheduled, at: datetime) -> None:
    draft.change_work(
        event.step_id,
        event.token,
        status=WorkStatus.PENDING,
        error=event.error,
        retry_count=event.retry_count,
        next_retry_at=event.next_retry_at,
    )


def _dispatch_deferred(draft: FlowDraft, event: DispatchDeferred, at: datetime) -> None:
    """Changes nothing."""


def _comp_started(draft: FlowDraft, event: CompStarted, at: datetime) -> None:
    draft.change_work(event.step_id, event.token, status=WorkStatus.COMPENSATING, next_retry_at=None)


def _comp_retry_scheduled(draft: FlowDraft, event: CompRetryScheduled, at: datetime) -> None:
    draft.change_work(
        event.step_id,
        event.token,
        status=WorkStatus.COMPENSATING,
        error=event.error,
        retry_count=event.retry_count,
        next_retry_at=event.next_retry_at,
    )


def _comp_succeeded(draft: FlowDraft, event: CompSucceeded, at: datetime) -> None:
    draft.change_work(event.step_id, event.token, status=WorkStatus.COMPENSATED, completed_at=at)


def _comp_failed(draft: FlowDraft, event: CompFailed, at: datetime) -> None:
    draft.change_work(
        event.step_id, event.token, status=WorkStatus.COMPENSATION_FAILED, completed_at=at, error=event.error
    )


FOLDS: Final[dict[type[Event], Callable[[FlowDraft, Any, datetime], None]]] = {
    FlowStarted: _flow_started,
    FlowCompleted: _flow_completed,
    FlowFailed: _flow_failed,
    FlowDeactivated: _flow_deactivated,
    AttributeSet: _attribute_set,
    StepStarted: _step_started,
    StepCompleted: _step_completed,
    StepFailed: _step_failed,
    StepSkipped: _step_skipped,
    WorkStarted: _work_started,
    WorkSucceeded: _work_succeeded,
    WorkFailed: _work_failed,
    WorkNotCompleted: _work_not_completed,
    WorkRetryScheduled: _work_retry_scheduled,
    DispatchDeferred: _dispatch_deferred,
    CompStarted: _comp_started,
    CompRetryScheduled: _comp_retry_scheduled,
    CompSucceeded: _comp_succeeded,
    CompFailed: _comp_failed,
}
"""How each flow event changes the flow."""
