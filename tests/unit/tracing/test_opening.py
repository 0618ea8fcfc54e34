# SPDX-License-Identifier: Apache-2.0
"""When traces are sent, and what is loaded for it."""

import logging
import subprocess
import sys

import pytest

from argyll_engine import log
from argyll_engine.model.ids import FlowID
from argyll_engine.tracing.ids import trace_id_of
from argyll_engine.tracing.opening import Wish, open_traces, wish_of, with_trace_ids

OTLP = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"OTEL_SERVICE_NAME": "x"}, None),
        ({OTLP: ""}, None),
        ({OTLP: "http://h:4318"}, Wish(exporter="otlp", protocol="http/protobuf")),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://h"}, Wish(exporter="otlp", protocol="http/protobuf")),
        ({OTLP: "http://h", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, Wish(exporter="otlp", protocol="grpc")),
        ({OTLP: "http://h:4318", "OTEL_TRACES_EXPORTER": "none"}, None),
        ({OTLP: "http://h:4318", "OTEL_SDK_DISABLED": "True"}, None),
        ({"OTEL_TRACES_EXPORTER": "console"}, Wish(exporter="console", protocol="http/protobuf")),
    ],
)
def test_the_standard_variables_ask_for_traces(environment: dict[str, str], expected: Wish | None) -> None:
    """An exporter or an endpoint turns traces on, and the standard switches turn them off."""
    assert expected == wish_of(environment)


def test_nobody_asks_for_traces_that_nobody_wants() -> None:
    """Without a wish there is nothing that sends, and log lines are as they were."""

    def context(_record: logging.LogRecord) -> dict[str, object]:
        return {}

    assert (None, context) == (open_traces(None, "x", str), with_trace_ids(context, None))


@pytest.mark.parametrize("wish", [Wish(exporter="zipkin", protocol=""), Wish(exporter="otlp", protocol="carrier")])
def test_an_exporter_that_is_not_known_turns_traces_off_and_is_told(wish: Wish, caplog) -> None:
    """A process works without traces, and the log says why there are none."""
    assert (None, ["tracing_unavailable"]) == (open_traces(wish, "x", str), [r.message for r in caplog.records])


def test_a_process_without_traces_does_not_load_their_libraries() -> None:
    """Importing what entry points import leaves OpenTelemetry alone."""
    # redis-py loads a part of them wherever they are installed, so it is their exporters that we look for
    loaded = (
        "{'argyll_engine.tracing.otel', 'opentelemetry.sdk.trace.export', 'opentelemetry.exporter'} & {*sys.modules}"
    )
    program = f"import sys, argyll_engine.wiring, argyll_api.request_spans; print({loaded})"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "set()"


def test_lines_about_a_flow_name_its_trace() -> None:
    """The trace's id follows from the flow's, whether the line or its context names the flow."""
    wish = Wish(exporter="console", protocol="")
    of_task = with_trace_ids(lambda _record: {"flow_id": "f"}, wish)
    of_line = with_trace_ids(log.no_context, wish)
    record = logging.makeLogRecord({"argyll_fields": {"flow_id": "f"}})
    expected = f"{trace_id_of(FlowID('f')):032x}"
    assert [{"flow_id": "f", "trace_id": expected}, {"trace_id": expected}, {}] == [
        of_task(logging.makeLogRecord({})),
        of_line(record),
        of_line(logging.makeLogRecord({})),
    ]
