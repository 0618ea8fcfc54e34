# SPDX-License-Identifier: Apache-2.0
"""Step clients and dispatchers that tell the world which trace a call or a message is part of.

Each stands around another of the same port. Put there by wiring where traces are on; nothing else knows of them.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from msgspec.structs import replace

from argyll_engine.model.effects import Effect
from argyll_engine.model.ids import FlowID, StepID, is_canary
from argyll_engine.model.invocation import Compensation, Failed, Invocation, NotCompleted, Outcome
from argyll_engine.ports import CallClient, CompensationClient, Dispatcher, Message, QueueEntry, StepClient
from argyll_engine.tracing.flows import ATTEMPT, STEP_TYPE, of_work
from argyll_engine.tracing.ids import Place, place_of_call, place_of_flow, place_of_step, place_of_work
from argyll_engine.tracing.port import Kind, Span, Traces

UNDO: Final = "undo"
METHOD: Final = "http.request.method"
TEMPLATE: Final = "url.template"

C = TypeVar("C", Invocation, Compensation)


def traced_step_client(client: StepClient, traces: Traces | None) -> StepClient:
    """The client, traced where traces are on."""
    return client if traces is None else TracedStepClient(client, traces)


def traced_call_client(client: CallClient, traces: Traces | None) -> CallClient:
    """The client, traced where traces are on."""
    return client if traces is None else TracedCallClient(client, traces)


def traced_compensation_client(client: CompensationClient, traces: Traces | None) -> CompensationClient:
    """The client, traced where traces are on."""
    return client if traces is None else TracedCompensationClient(client, traces)


def traced_dispatcher(dispatcher: Dispatcher, traces: Traces | None) -> Dispatcher:
    """The dispatcher, its messages naming their spans where traces are on."""
    return dispatcher if traces is None else TracedDispatcher(dispatcher, traces)


class TracedStepClient:
    """Implements `ports.StepClient` around another one: a span a call, whose place goes out with it."""

    def __init__(self, client: StepClient, traces: Traces) -> None:
        self._client, self._traces = client, traces

    def invoke(self, invocation: Invocation) -> Outcome:
        """See StepClient."""
        return _traced(self._traces, self._client.invoke, invocation, *_about_call(invocation))


class TracedCallClient(TracedStepClient):
    """Implements `ports.CallClient` around another one."""

    def __init__(self, client: CallClient, traces: Traces) -> None:
        super().__init__(client, traces)
        self._calls = client

    def begin(self, invocation: Invocation, done: Callable[[Outcome | Exception], None]) -> None:
        """See CallClient."""
        if is_canary(invocation.flow_id):
            self._calls.begin(invocation, done)
            return
        place, about = _about_call(invocation)
        place = replace(place, flags=self._traces.flags(place.trace_id))
        start_ns = time.time_ns()

        def ended(outcome: Outcome | Exception) -> None:
            if not isinstance(outcome, Exception):
                self._traces.send((_span(invocation, place, about, start_ns, outcome),))
            done(outcome)

        self._calls.begin(replace(invocation, traceparent=place.header()), ended)


class TracedCompensationClient:
    """The same for `ports.CompensationClient`. A call is told from earlier ones by its time."""

    def __init__(self, client: CompensationClient, traces: Traces) -> None:
        self._client, self._traces = client, traces

    def compensate(self, compensation: Compensation) -> Outcome:
        """See CompensationClient."""
        work = compensation.flow_id, compensation.step_id, compensation.token
        place = place_of_call(*work, f"{UNDO} {time.time_ns()}")
        above = place_of_step(compensation.flow_id, compensation.step_id)
        about = _About(UNDO, above, _undone(compensation))
        return _traced(self._traces, self._client.compensate, compensation, place, about)


@dataclass(frozen=True, slots=True)
class _About:
    """What the span of a call says of it."""

    verb: str
    above: Place
    attributes: Mapping[str, str | int]


def _traced(traces: Traces, call: Callable[[C], Outcome], asked: C, place: Place, about: _About) -> Outcome:
    """How a call ended, with its span sent."""
    if is_canary(asked.flow_id):
        return call(asked)
    place = replace(place, flags=traces.flags(place.trace_id))
    start_ns = time.time_ns()
    outcome = call(replace(asked, traceparent=place.header()))
    traces.send((_span(asked, place, about, start_ns, outcome),))
    return outcome


def _span(asked: Invocation | Compensation, place: Place, about: _About, start_ns: int, outcome: Outcome) -> Span:
    """Of a call that has just ended."""
    return Span(
        name=f"{about.verb} {asked.step_id}",
        place=place,
        above=about.above,
        start_ns=start_ns,
        end_ns=time.time_ns(),
        kind=Kind.CLIENT if asked.step.http else Kind.INTERNAL,
        attributes={
            **of_work(asked.flow_id, asked.step_id, asked.token),
            STEP_TYPE: str(asked.step.type),
            **about.attributes,
        },
        error=outcome.error if isinstance(outcome, Failed | NotCompleted) else "",
    )


def _about_call(invocation: Invocation) -> tuple[Place, _About]:
    """The place of the span of a call, and what it says."""
    work = invocation.flow_id, invocation.step_id, invocation.token
    above = place_of_work(*work, invocation.attempt)
    return place_of_call(*work, str(invocation.attempt)), _About("call", above, _called(invocation))


def _called(invocation: Invocation) -> dict[str, str | int]:
    """The endpoint as it is registered, without the values that fill its placeholders."""
    http = invocation.step.http
    endpoint = {METHOD: http.method or "POST", TEMPLATE: http.endpoint} if http else {}
    return {ATTEMPT: invocation.attempt, **endpoint}


def _undone(compensation: Compensation) -> dict[str, str | int]:
    http = compensation.step.http
    return {METHOD: "POST", TEMPLATE: http.compensate} if http else {}


class TracedDispatcher:
    """Implements `ports.Dispatcher` around another one: messages about a flow say which span they came from."""

    def __init__(self, dispatcher: Dispatcher, traces: Traces) -> None:
        self._dispatcher, self._traces = dispatcher, traces

    def render(self, effects: Sequence[Effect], now: datetime) -> tuple[Message, ...]:
        """See Dispatcher."""
        messages = self._dispatcher.render(effects, now)
        return tuple(map(self._named, effects, messages))

    def seal(self, messages: Sequence[Message], log: Sequence[bytes] = ()) -> tuple[QueueEntry, ...]:
        """See Dispatcher."""
        return self._dispatcher.seal(messages, log)

    def publish(self, messages: Sequence[Message]) -> None:
        """See Dispatcher."""
        self._dispatcher.publish(messages)

    def _named(self, effect: Effect, message: Message) -> Message:
        flow_id = getattr(effect, "flow_id", None) or getattr(effect, "child_id", None)
        if flow_id is None or is_canary(flow_id):
            return message
        step_id = getattr(effect, "step_id", None)
        place = place_of_step(FlowID(flow_id), StepID(step_id)) if step_id else place_of_flow(FlowID(flow_id))
        place = replace(place, flags=self._traces.flags(place.trace_id))
        return replace(message, traceparent=place.header())
