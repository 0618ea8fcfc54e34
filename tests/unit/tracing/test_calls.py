# SPDX-License-Identifier: Apache-2.0
"""Calls and messages that say which trace they are part of."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest

from argyll_engine.dispatch import RENDERERS
from argyll_engine.invoke.request import HttpRequest, build_compensation, build_request
from argyll_engine.model.effects import CompleteParent, Effect, ReleaseHeld, RunWork
from argyll_engine.model.ids import CANARY_PREFIX, FlowID, StepID, Token
from argyll_engine.model.invocation import Compensation, Failed, Invocation, NotCompleted, Outcome, Succeeded
from argyll_engine.ports import Message, QueueEntry
from argyll_engine.tracing.calls import (
    TracedCallClient,
    TracedCompensationClient,
    TracedDispatcher,
    TracedStepClient,
    traced_compensation_client,
    traced_dispatcher,
    traced_step_client,
)
from argyll_engine.tracing.ids import parse_header, place_of_flow, place_of_step, place_of_work
from argyll_engine.tracing.port import Kind
from tests.definitions import a_step
from tests.unit.tracing.recording import RecordingTraces

FLOW, STEP, TOKEN = FlowID("f"), StepID("a"), Token("t")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class _Service:
    """Answers calls, and keeps what it was asked."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self.asked: list[Invocation | Compensation] = []

    def invoke(self, invocation: Invocation) -> Outcome:
        self.asked.append(invocation)
        return self._outcome

    def begin(self, invocation: Invocation, done: Callable[[Outcome | Exception], None]) -> None:
        done(self.invoke(invocation))

    def compensate(self, compensation: Compensation) -> Outcome:
        self.asked.append(compensation)
        return self._outcome


class _Faulty(_Service):
    """Tells of a fault of ours."""

    def __init__(self) -> None:
        super().__init__(Succeeded(outputs={}))

    def begin(self, invocation: Invocation, done: Callable[[Outcome | Exception], None]) -> None:
        done(ValueError("a fault"))


class _Renderer:
    """Renders effects as the dispatchers do, and passes nothing on."""

    def render(self, effects: Sequence[Effect], now: datetime) -> tuple[Message, ...]:
        return tuple(RENDERERS[type(effect)](effect) for effect in effects)

    def seal(self, messages: Sequence[Message], _log: Sequence[bytes] = ()) -> tuple[QueueEntry, ...]:
        return ()

    def publish(self, messages: Sequence[Message]) -> None:
        return None


def _invocation(flow_id: FlowID = FLOW) -> Invocation:
    return Invocation(flow_id=flow_id, step_id=STEP, token=TOKEN, attempt=2, step=a_step("a"), arguments={})


@pytest.mark.parametrize(
    ("outcome", "error"),
    [(Succeeded(outputs={}), ""), (Failed(error="no"), "no"), (NotCompleted(error="later"), "later")],
)
def test_a_call_has_a_span_below_its_work_whose_place_goes_out_with_it(outcome: Outcome, error: str) -> None:
    """The outcome is the service's own; the header that it saw names the span that was sent."""
    traces, service = RecordingTraces(), _Service(outcome)
    assert outcome == TracedStepClient(service, traces).invoke(_invocation())
    (span,) = traces.spans
    (asked,) = service.asked
    assert (span.place, place_of_work(FLOW, STEP, TOKEN, 2), Kind.CLIENT, error) == (
        parse_header(asked.traceparent),
        span.above,
        span.kind,
        span.error,
    )


def test_a_call_that_is_begun_has_the_same_span_once_it_has_ended() -> None:
    """No span of a fault of ours; a canary has none either."""
    at_once, begun = RecordingTraces(), RecordingTraces()
    service, heard = _Service(Succeeded(outputs={})), list[Outcome | Exception]()
    TracedStepClient(service, at_once).invoke(_invocation())
    TracedCallClient(service, begun).begin(_invocation(), heard.append)
    TracedCallClient(_Faulty(), begun).begin(_invocation(), heard.append)
    TracedCallClient(service, begun).begin(_invocation(FlowID(f"{CANARY_PREFIX}1")), heard.append)
    (expected,), (span,) = at_once.spans, begun.spans
    assert (expected.name, expected.place, expected.above, expected.attributes) == (
        span.name,
        span.place,
        span.above,
        span.attributes,
    )
    assert [expected.place, None] == [parse_header(asked.traceparent) for asked in service.asked[1:]]
    assert [Succeeded, ValueError, Succeeded] == [type(one) for one in heard]


def test_undoing_has_a_span_below_the_step() -> None:
    """A compensation goes out with a place of its own."""
    traces, service = RecordingTraces(), _Service(Succeeded(outputs=None))
    asked = Compensation(flow_id=FLOW, step_id=STEP, token=TOKEN, step=a_step("a"), inputs={}, outputs=None)
    TracedCompensationClient(service, traces).compensate(asked)
    (span,) = traces.spans
    assert ("undo a", place_of_step(FLOW, STEP), span.place) == (
        span.name,
        span.above,
        parse_header(service.asked[0].traceparent),
    )


def test_requests_of_traced_calls_have_the_header_and_others_have_not() -> None:
    """`traceparent` is sent if it is known."""
    header = place_of_flow(FLOW).header()
    step = a_step("a")
    asked = [
        build_request(
            Invocation(flow_id=FLOW, step_id=STEP, token=TOKEN, attempt=1, step=step, arguments={}, **traced), ""
        )
        for traced in ({}, {"traceparent": header})
    ]
    undone = [
        build_compensation(
            Compensation(flow_id=FLOW, step_id=STEP, token=TOKEN, step=step, inputs={}, outputs=None, **traced)
        )
        for traced in ({}, {"traceparent": header})
    ]
    sent = [request.headers.get("traceparent") for request in asked + undone if isinstance(request, HttpRequest)]
    assert [None, header, None, header] == sent


def test_an_unrecorded_trace_is_passed_on_as_such() -> None:
    """The flag that says whether a trace is recorded goes out as the sampler decided it."""
    service = _Service(Succeeded(outputs={}))
    TracedStepClient(service, RecordingTraces(flags=0)).invoke(_invocation())
    assert service.asked[0].traceparent.endswith("-00")


def test_probes_are_called_without_a_trace() -> None:
    """Canary flows leave no span and send no header."""
    traces, service = RecordingTraces(), _Service(Succeeded(outputs={}))
    TracedStepClient(service, traces).invoke(_invocation(FlowID(":canary:1")))
    assert ([], "") == (traces.spans, service.asked[0].traceparent)


def test_messages_about_a_flow_name_the_span_that_they_come_from() -> None:
    """Work names its step, a child's end its flow; what is about no flow names nothing."""
    effects = (
        RunWork(flow_id=FLOW, step_id=STEP, token=TOKEN, attempt=1, step_type="sync"),
        CompleteParent(child_id=FLOW),
        ReleaseHeld(step_id=STEP, watch="w", at=NOW),
    )
    messages = TracedDispatcher(_Renderer(), RecordingTraces()).render(effects, NOW)
    expected = [place_of_step(FLOW, STEP).header(), place_of_flow(FLOW).header(), ""]
    assert expected == [message.traceparent for message in messages]


def test_nothing_stands_in_between_without_traces() -> None:
    """Where traces are off, clients and dispatcher are the plain ones."""
    service, renderer = _Service(Succeeded(outputs={})), _Renderer()
    assert (service, service, renderer) == (
        traced_step_client(service, None),
        traced_compensation_client(service, None),
        traced_dispatcher(renderer, None),
    )
