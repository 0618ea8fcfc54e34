# SPDX-License-Identifier: Apache-2.0
"""Whether traces are asked for, and what sends them. Called by entry points and wiring.

OpenTelemetry's libraries are loaded only if they are: a process without traces has no cost and no need of them.
"""

import importlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from argyll_engine import log as logs
from argyll_engine.model.ids import FlowID
from argyll_engine.tracing.ids import trace_id_of
from argyll_engine.tracing.port import Traces

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
EXPORTER: Final = "OTEL_TRACES_EXPORTER"
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
DISABLED: Final = "OTEL_SDK_DISABLED"
OTEL: Final = "argyll_engine.tracing.otel"
DEFAULT_PROTOCOL: Final = "http/protobuf"

log = logs.get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which traces the environment asks for."""

    exporter: str
    protocol: str


def wish_of(environment: Mapping[str, str]) -> Wish | None:
    """What OpenTelemetry's variables ask for; None where they say nothing of where traces go, or turn them off.

    Source: OpenTelemetry, environment variable specification.
    """
    exporter = environment.get(EXPORTER, "").strip() or ("otlp" if any(map(environment.get, ENDPOINTS)) else "none")
    if exporter == "none" or environment.get(DISABLED, "").lower() == "true":
        return None
    protocol = next(filter(None, map(environment.get, PROTOCOLS)), DEFAULT_PROTOCOL)
    return Wish(exporter=exporter, protocol=protocol)


def open_traces(wish: Wish | None, service: str, hide: Callable[[str], str]) -> Traces | None:
    """What sends spans; None where nobody asked for traces, or what it needs is missing, which is logged.

    Args:
        service: The name of this kind of process, where the environment gives none.
        hide: Takes secrets out of texts.
    """
    if wish is None:
        return None
    try:
        otel: Any = importlib.import_module(OTEL)
        traces: Traces = otel.OtelTraces(otel.open_exporter(wish.exporter, wish.protocol), service, hide)
    except (ImportError, ValueError) as exc:
        log.error("tracing_unavailable", reason=str(exc), remedy="pip install 'argyll[otel]'")
        return None
    return traces


def missing_for(wish: Wish | None) -> str:
    """Why traces that are asked for cannot be sent; empty if they can, or nobody asks."""
    try:
        if wish is not None:
            importlib.import_module(OTEL).open_exporter(wish.exporter, wish.protocol)
    except (ImportError, ValueError) as exc:
        return str(exc)
    return ""


def with_trace_ids(context: logs.Context, wish: Wish | None) -> logs.Context:
    """A context of log lines that adds the trace to each line that is about a flow, where traces are asked for."""
    if wish is None:
        return context

    def traced(record: logging.LogRecord) -> Mapping[str, object]:
        ids = context(record)
        flow_id = logs.fields_of(record).get("flow_id", ids.get("flow_id"))
        return {**ids, "trace_id": f"{trace_id_of(FlowID(str(flow_id))):032x}"} if flow_id else ids

    return traced
