# SPDX-License-Identifier: Apache-2.0
"""A span for each request, where traces are on. Installed by `wsgi.py`; the routes know nothing of it.

A request is part of the trace that it says it is part of; a webhook that says nothing is part of its step. A start
begins or repeats a flow's own trace, which its span links to.
"""

import time
from secrets import randbits
from typing import Final

from flask import Flask, Response, g, request
from msgspec.structs import replace

from argyll_engine.model.ids import FlowID, StepID
from argyll_engine.tracing.flows import FLOW_ID, STEP_ID
from argyll_engine.tracing.ids import HEADER, Place, parse_header, place_of_flow, place_of_step
from argyll_engine.tracing.port import Kind, Span, Traces

UNTRACED: Final = frozenset({"/health", "/healthz", "/livez", "/readyz", "/metrics"})
"""Asked again and again by machines."""

_CREATED: Final = (200, 201)
_BROKEN: Final = 500


def install(app: Flask, traces: Traces | None) -> None:
    """Gives an application spans for its requests; does nothing without traces."""
    if traces is None:
        return

    def begin() -> None:
        g.span_start_ns = time.time_ns()

    def end(response: Response) -> Response:
        start_ns = g.get("span_start_ns")
        if start_ns is not None and request.path not in UNTRACED:
            traces.send((_span(traces, response, start_ns),))
        return response

    app.before_request(begin)
    app.after_request(end)


def _span(traces: Traces, response: Response, start_ns: int) -> Span:
    above = parse_header(request.headers.get(HEADER, "")) or _step_of_webhook()
    trace_id = above.trace_id if above else randbits(127) + 1
    place = Place(trace_id, randbits(63) + 1, above.flags if above else traces.flags(trace_id))
    route = request.url_rule.rule if request.url_rule else ""
    flow_id = _flow_id(response)
    links = (place_of_flow(FlowID(flow_id)),) if flow_id else ()
    return Span(
        name=f"{request.method} {route}".rstrip(),
        place=place,
        above=above,
        start_ns=start_ns,
        end_ns=time.time_ns(),
        kind=Kind.SERVER,
        attributes={
            "http.request.method": request.method,
            "http.route": route,
            "http.response.status_code": response.status_code,
            **({FLOW_ID: flow_id} if flow_id else {}),
            **({STEP_ID: step_id} if (step_id := (request.view_args or {}).get("step_id")) else {}),
        },
        links=tuple(replace(link, flags=traces.flags(link.trace_id)) for link in links if link.trace_id != trace_id),
        error=response.status if response.status_code >= _BROKEN else "",
    )


def _step_of_webhook() -> Place | None:
    """The step that a webhook is about; None for other requests."""
    named = request.view_args or {}
    if "token" not in named:
        return None
    return place_of_step(FlowID(named["flow_id"]), StepID(named["step_id"]))


def _flow_id(response: Response) -> str:
    """The flow that the request is about: named by its path, or by the answer to a start."""
    named = (request.view_args or {}).get("flow_id")
    if named is None and request.path == "/engine/flow" and response.status_code in _CREATED:
        answer = response.get_json(silent=True)
        named = answer.get("flow_id") if isinstance(answer, dict) else None
    return str(named or "")
