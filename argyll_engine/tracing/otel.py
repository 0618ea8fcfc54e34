# SPDX-License-Identifier: Apache-2.0
"""Sends spans by OpenTelemetry: the only import of its libraries, and imported only where traces are on.

Where they go, how many and under which name is said by OpenTelemetry's own environment variables, which its SDK
reads. Times and ids of spans are ours, see `ids.py`.
"""

import importlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation import set_span_in_context

from argyll_engine import log as logs
from argyll_engine.tracing.ids import SAMPLED, Place
from argyll_engine.tracing.port import Kind, Span

_KINDS: Final = {Kind.INTERNAL: SpanKind.INTERNAL, Kind.CLIENT: SpanKind.CLIENT, Kind.SERVER: SpanKind.SERVER}

_EXPORTERS: Final = {
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "grpc": "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
}
"""A library for each protocol, of which a deployment installs the one that it uses."""

log = logs.get(__name__)


class _GivenIds(IdGenerator):
    """Gives the ids of the span that this thread is about to start."""

    def __init__(self) -> None:
        self._thread = threading.local()

    @contextmanager
    def of(self, place: Place) -> Iterator[None]:
        """Within the block spans get the ids of this place."""
        self._thread.place = place
        yield

    def generate_span_id(self) -> int:
        """See IdGenerator."""
        return int(self._thread.place.span_id)

    def generate_trace_id(self) -> int:
        """See IdGenerator."""
        return int(self._thread.place.trace_id)

    def is_trace_id_random(self) -> bool:
        """See IdGenerator. They follow from ids of flows."""
        return False


class OtelTraces:
    """Implements `Traces`.

    Args:
        exporter: Where finished spans go, in batches and in a thread of its own.
        service: The name of this kind of process, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` gives one.
        hide: Takes secrets out of texts.
    """

    def __init__(self, exporter: SpanExporter, service: str, hide: Callable[[str], str]) -> None:
        self._ids, self._hide = _GivenIds(), hide
        self._provider = TracerProvider(id_generator=self._ids, resource=_resource(service))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("argyll")

    def send(self, spans: Sequence[Span]) -> None:
        """See Traces."""
        try:
            for span in spans:
                self._send(span)
        except Exception:  # a flow must not suffer for its trace
            log.exception("trace_not_sent")

    def flags(self, trace_id: int) -> int:
        """See Traces."""
        decision = self._provider.sampler.should_sample(None, trace_id, "flow").decision
        return SAMPLED if decision is Decision.RECORD_AND_SAMPLE else 0

    def close(self) -> None:
        """Send what is left; also done when the process ends."""
        self._provider.shutdown()

    def _send(self, span: Span) -> None:
        above = None if span.above is None else set_span_in_context(NonRecordingSpan(self._context(span.above)))
        with self._ids.of(span.place):
            started = self._tracer.start_span(
                span.name,
                context=above,
                kind=_KINDS[span.kind],
                attributes={name: self._shown(value) for name, value in span.attributes.items()},
                links=[Link(self._context(place)) for place in span.links],
                start_time=span.start_ns,
            )
        if span.error:
            started.set_status(Status(StatusCode.ERROR, self._hide(span.error)))
        started.end(end_time=span.end_ns)

    def _context(self, place: Place) -> SpanContext:
        """The place of another span; whether its trace is recorded is asked anew where it is ours."""
        flags = place.flags and self.flags(place.trace_id)
        return SpanContext(place.trace_id, place.span_id, is_remote=True, trace_flags=TraceFlags(flags))

    def _shown(self, value: str | int) -> str | int:
        return self._hide(value) if isinstance(value, str) else value


def open_exporter(name: str, protocol: str) -> SpanExporter:
    """The exporter that `OTEL_TRACES_EXPORTER` and `OTEL_EXPORTER_OTLP_PROTOCOL` ask for; the rest it reads itself.

    Raises:
        ImportError: Its library is not installed.
        ValueError: We do not know it.
    """
    if name == "console":
        return ConsoleSpanExporter()
    if name != "otlp":
        raise ValueError(f"OTEL_TRACES_EXPORTER={name!r}: must be one of otlp, console, none")
    if protocol not in _EXPORTERS:
        raise ValueError(f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol!r}: must be one of {', '.join(_EXPORTERS)}")
    exporter: SpanExporter = importlib.import_module(_EXPORTERS[protocol]).OTLPSpanExporter()
    return exporter


def _resource(service: str) -> Resource:
    """What the environment says, and our name where it gives none."""
    told: dict[str, Any] = dict(Resource.create().attributes)
    if str(told.get(SERVICE_NAME, "")).startswith("unknown_service"):
        told[SERVICE_NAME] = service
    return Resource(told)
