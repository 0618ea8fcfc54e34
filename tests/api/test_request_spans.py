# SPDX-License-Identifier: Apache-2.0
"""The span of a request, where traces are on."""

import pytest
from flask.testing import FlaskClient

from argyll_api import request_spans
from argyll_api.app import create_app
from argyll_api.config import ApiConfig
from argyll_engine.model.ids import FlowID, StepID
from argyll_engine.tracing.ids import Place, place_of_flow, place_of_step
from argyll_engine.tracing.port import Kind
from tests.api.recording_engine import RecordingEngine
from tests.unit.tracing.recording import RecordingTraces

CALLER = Place(7, 8, 1)


@pytest.fixture
def traces() -> RecordingTraces:
    """Where the spans go."""
    return RecordingTraces()


@pytest.fixture
def traced(engine: RecordingEngine, traces: RecordingTraces) -> FlaskClient:
    """A client of an application with traces."""
    app = create_app(ApiConfig(), engine)
    request_spans.install(app, traces)
    return app.test_client()


def test_a_request_has_a_span_named_by_its_route(traced: FlaskClient, traces: RecordingTraces) -> None:
    """It begins a trace of its own, and links to that of the flow that its path names."""
    traced.get("/engine/flow/f-1/events")
    (span,) = traces.spans
    assert ("GET /engine/flow/<flow_id>/events", None, Kind.SERVER) == (span.name, span.above, span.kind)
    assert ((place_of_flow(FlowID("f-1")),), "f-1", 404) == (
        span.links,
        span.attributes["argyll.flow.id"],
        span.attributes["http.response.status_code"],
    )


def test_a_request_goes_on_in_the_trace_of_its_sender(traced: FlaskClient, traces: RecordingTraces) -> None:
    """A `traceparent` names trace and parent."""
    traced.get("/engine/step", headers={"traceparent": CALLER.header()})
    (span,) = traces.spans
    assert (CALLER, CALLER.trace_id) == (span.above, span.place.trace_id)


def test_a_webhook_without_a_trace_belongs_to_its_step(traced: FlaskClient, traces: RecordingTraces) -> None:
    """So that the answer of a service that knows nothing of traces is seen in the flow's."""
    traced.post("/webhook/f-1/pay/t-1", json={})
    (span,) = traces.spans
    step = place_of_step(FlowID("f-1"), StepID("pay"))
    assert (step, step.trace_id, ()) == (span.above, span.place.trace_id, span.links)


def test_a_fault_of_ours_is_the_error_of_the_span(
    traced: FlaskClient, traces: RecordingTraces, engine: RecordingEngine
) -> None:
    """500 marks the span; what the client did wrong does not."""
    engine.queries.error = RuntimeError("no")
    traced.get("/engine/flow/f-1")
    traced.get("/nope")
    assert ["500 INTERNAL SERVER ERROR", ""] == [span.error for span in traces.spans]


@pytest.mark.parametrize("path", ["/health", "/livez", "/metrics"])
def test_what_machines_ask_again_and_again_is_not_traced(
    traced: FlaskClient, traces: RecordingTraces, path: str
) -> None:
    """Probes leave no spans."""
    traced.get(path)
    assert [] == traces.spans


def test_without_traces_nothing_is_installed(engine: RecordingEngine) -> None:
    """An application without traces has the hooks that it had."""
    app = create_app(ApiConfig(), engine)
    before = {name: list(hooks) for name, hooks in app.after_request_funcs.items()}
    request_spans.install(app, None)
    assert before == app.after_request_funcs
