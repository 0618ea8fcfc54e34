# SPDX-License-Identifier: Apache-2.0
"""Logs of other versions: what later ones add is ignored, what older ones wrote is read."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argyll_engine.codec import decode, decode_recorded, encode, encode_recorded
from argyll_engine.errors import UndecodableEventError
from argyll_engine.model.cluster import HealthStatus
from argyll_engine.model.events import (
    CompRetryScheduled,
    Event,
    Recorded,
    StepHealthChanged,
    StepRegistered,
    WorkFailed,
    WorkRetryScheduled,
)
from argyll_engine.model.ids import CATALOG_STREAM, CLUSTER_STREAM, FlowID, NodeID, StepID, StreamID, Token, flow_stream
from tests.definitions import a_step
from tests.fakes import START
from tests.property.test_decide import run_to_its_end, started_flows
from tests.scenario import FLOW

STREAM = flow_stream(FLOW)
RETRY = {"flow_id": FLOW, "step_id": StepID("a"), "token": Token("t"), "error": "e", "retry_count": 1}
OTHERS: tuple[tuple[StreamID, Event], ...] = (
    (STREAM, WorkRetryScheduled(**RETRY, next_retry_at=START)),
    (STREAM, CompRetryScheduled(**RETRY, next_retry_at=START)),
    (CATALOG_STREAM, StepRegistered(step=a_step("a"))),
    (
        CLUSTER_STREAM,
        StepHealthChanged(node_id=NodeID("n"), step_id=StepID("a"), status=HealthStatus.UNHEALTHY, error="e"),
    ),
)


def _of_a_later_version(stream: StreamID, recorded: Recorded) -> bytes:
    """The stored event with members that this version does not know, in the envelope and in the data."""
    envelope = decode(encode_recorded(stream, recorded))
    return encode(envelope | {"added": 1, "data": envelope["data"] | {"added": {"x": [1]}}})


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_members_that_later_versions_add_are_ignored(data: st.DataObject) -> None:
    """An event with unknown members is the event without them, so that two versions can share a log."""
    flow = data.draw(started_flows())
    if flow is None:
        return
    run_to_its_end(flow, data)
    for recorded in flow.log:
        assert recorded == decode_recorded(STREAM, recorded.sequence, _of_a_later_version(STREAM, recorded))


@pytest.mark.parametrize(("stream", "event"), OTHERS)
def test_so_are_those_of_the_other_events(stream: StreamID, event: Event) -> None:
    """The same for events that not every flow has, and for those of catalog and cluster."""
    recorded = Recorded(event=event, sequence=3, at=START)
    assert recorded == decode_recorded(stream, 3, _of_a_later_version(stream, recorded))


def test_types_that_later_versions_add_are_left_out() -> None:
    """An event of an unknown type is none for this version."""
    envelope = decode(encode_recorded(STREAM, Recorded(event=_failed("e"), sequence=0, at=START)))
    assert decode_recorded(STREAM, 0, encode(envelope | {"type": "work_pondered"})) is None


def _failed(error: str) -> WorkFailed:
    return WorkFailed(flow_id=FlowID(FLOW), step_id=StepID("a"), token=Token("t"), error=error)


def _renamed(data: dict[str, Any]) -> dict[str, Any]:
    """From the first form, which called the error `cause`."""
    return {name: value for name, value in data.items() if name != "cause"} | {"error": data["cause"]}


def _marked(data: dict[str, Any]) -> dict[str, Any]:
    """From the second form, which had no mark."""
    return data | {"error": data["error"] + "!"}


UPCASTS = {"work_failed": (_renamed, _marked)}
IDS = {"flow_id": FLOW, "step_id": "a", "token": "t"}


@pytest.mark.parametrize(
    ("version", "data", "error"),
    [({}, {"cause": "e"}, "e!"), ({"version": 2}, {"error": "e"}, "e!"), ({"version": 3}, {"error": "e"}, "e")],
)
def test_older_forms_are_read_step_by_step(version: dict[str, int], data: dict[str, str], error: str) -> None:
    """An event goes through all forms after its own; one without a version has the first."""
    envelope = decode(encode_recorded(STREAM, Recorded(event=_failed("e"), sequence=0, at=START)))
    raw = encode(envelope | {"data": IDS | data} | version)
    assert Recorded(event=_failed(error), sequence=0, at=START) == decode_recorded(STREAM, 0, raw, UPCASTS)


def test_what_is_written_names_its_form() -> None:
    """A type with older forms says its version; all others look as they always did."""
    recorded = Recorded(event=_failed("e"), sequence=0, at=START)
    versions = [decode(encode_recorded(STREAM, recorded, upcasts)).get("version") for upcasts in (UPCASTS, {})]
    assert [3, None] == versions
    assert recorded == decode_recorded(STREAM, 0, encode_recorded(STREAM, recorded, UPCASTS), UPCASTS)


def test_a_newer_form_of_a_known_type_is_an_error() -> None:
    """Nobody guesses what it means."""
    envelope = decode(encode_recorded(STREAM, Recorded(event=_failed("e"), sequence=0, at=START)))
    with pytest.raises(UndecodableEventError, match="newer version of Argyll"):
        decode_recorded(STREAM, 0, encode(envelope | {"version": 2}))
