# SPDX-License-Identifier: Apache-2.0
"""Committed events to spans: whoever commits the end of something sends its span. Pure but for the sending.

Called after commits, with the state of each flow after its events.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from argyll_engine.model.events import (
    FlowCompleted,
    FlowFailed,
    Recorded,
    StepCompleted,
    StepFailed,
    StepSkipped,
    WorkFailed,
    WorkNotCompleted,
    WorkSucceeded,
)
from argyll_engine.model.flow import FlowState
from argyll_engine.model.ids import StepID, Token, is_canary
from argyll_engine.tracing.ids import place_above, place_of_flow, place_of_step, place_of_work
from argyll_engine.tracing.port import Span, Traces

FLOW_ID: Final = "argyll.flow.id"
STEP_ID: Final = "argyll.step.id"
STEP_TYPE: Final = "argyll.step.type"
TOKEN: Final = "argyll.token"
ATTEMPT: Final = "argyll.attempt"
OUTCOME: Final = "argyll.outcome"
LABEL: Final = "argyll.label."
"""Names of attributes."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Attributes = dict[str, str | int]


class FlowTraces:
    """Sends the spans that commits have ended."""

    def __init__(self, traces: Traces) -> None:
        self._traces = traces

    def committed(self, commits: Iterable[tuple[FlowState | None, Sequence[Recorded]]]) -> None:
        """Send the spans that these events end; each comes with the state of its flow after them."""
        spans = [span for state, events in commits if state for span in spans_of(state, events)]
        if spans:
            self._traces.send(spans)


def spans_of(state: FlowState, events: Sequence[Recorded]) -> Iterator[Span]:
    """The spans that end with these events of a flow; none for the flows of probes."""
    if is_canary(state.id):
        return
    for recorded in events:
        make = _SPANS.get(type(recorded.event))
        if make is not None:
            yield make(state, recorded.event, recorded.at)


def nanoseconds(at: datetime) -> int:
    """A time as spans have it."""
    since = at - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def _flow(state: FlowState, event: FlowCompleted | FlowFailed, at: datetime) -> Span:
    labels = {LABEL + name: value for name, value in state.labels.items()}
    error = event.error if isinstance(event, FlowFailed) else ""
    return Span(
        name="flow " + ", ".join(state.plan.goals),
        place=place_of_flow(state.id),
        above=place_above(state.id),
        start_ns=nanoseconds(state.created_at),
        end_ns=nanoseconds(at),
        attributes={FLOW_ID: state.id, OUTCOME: "failed" if error else "completed", **labels},
        error=error,
    )


def _step(state: FlowState, event: StepCompleted | StepFailed | StepSkipped, at: datetime) -> Span:
    started_at = state.executions[event.step_id].started_at or at
    attributes = _of_step(state, event.step_id)
    match event:
        case StepCompleted():
            attributes[OUTCOME] = "completed"
        case StepFailed():
            attributes[OUTCOME] = "failed"
        case StepSkipped(reason=reason):
            attributes |= {OUTCOME: "skipped", "argyll.reason": reason}
    return Span(
        name=f"step {event.step_id}",
        place=place_of_step(state.id, event.step_id),
        above=place_of_flow(state.id),
        start_ns=nanoseconds(started_at),
        end_ns=nanoseconds(at),
        attributes=attributes,
        error=event.error if isinstance(event, StepFailed) else "",
    )


def _work(state: FlowState, event: WorkSucceeded | WorkFailed | WorkNotCompleted, at: datetime) -> Span:
    item = state.executions[event.step_id].work_items[event.token]
    outcome = _WORK_OUTCOMES[type(event)]
    return Span(
        name=f"work {event.step_id}",
        place=place_of_work(state.id, event.step_id, event.token, item.attempt),
        above=place_of_step(state.id, event.step_id),
        start_ns=nanoseconds(min(item.started_at or at, at)),
        end_ns=nanoseconds(at),
        attributes=_of_step(state, event.step_id) | {TOKEN: event.token, ATTEMPT: item.attempt, OUTCOME: outcome},
        error="" if isinstance(event, WorkSucceeded) else event.error or outcome,
    )


def _of_step(state: FlowState, step_id: StepID) -> Attributes:
    return {FLOW_ID: state.id, STEP_ID: step_id, STEP_TYPE: str(state.plan.steps[step_id].type)}


def of_work(flow_id: str, step_id: str, token: Token) -> Attributes:
    """The ids of a work item as attributes."""
    return {FLOW_ID: flow_id, STEP_ID: step_id, TOKEN: token}


_WORK_OUTCOMES: Final[Mapping[type, str]] = {
    WorkSucceeded: "succeeded",
    WorkFailed: "failed",
    WorkNotCompleted: "not_completed",
}
_SPANS: Final[Mapping[type, Callable[[FlowState, Any, datetime], Span]]] = {
    FlowCompleted: _flow,
    FlowFailed: _flow,
    StepCompleted: _step,
    StepFailed: _step,
    StepSkipped: _step,
    WorkSucceeded: _work,
    WorkFailed: _work,
    WorkNotCompleted: _work,
}
