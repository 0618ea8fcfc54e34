# SPDX-License-Identifier: Apache-2.0
"""Messages of the WebSocket: what clients may send, and how events are framed."""

import json

import pytest

from argyll_engine.codec.frames import (
    Subscribe,
    Unsubscribe,
    event_frame,
    quoted,
    read_message,
    state_item,
    subscribed_frame,
    unsubscribed_frame,
)
from argyll_engine.errors import UndecodableEventError

STREAM = ("flow", "wf")
ENVELOPE = (
    b'{"timestamp":"2026-01-02T03:04:05.123456Z","type":"step_completed","aggregate_id":["flow","wf"],'
    b'"data":{"big":123456789012345678901,"x":1.50},"sequence":7}'
)


# ---- what clients send -----------------------------------------------------------------------


def test_a_whole_subscription() -> None:
    """Every field has its meaning; others are ignored."""
    raw = (
        b'{"type":"subscribe","id":1,"data":{"sub_id":"7","aggregate_ids":[["flow","a"],["catalog"]],'
        b'"event_types":["x","y","x"],"include_state":true,"more":{}}}'
    )
    expected = Subscribe(
        sub_id="7", paths=(("flow", "a"), ("catalog",)), event_types=frozenset({"x", "y"}), with_state=True
    )
    assert expected == read_message(raw)


@pytest.mark.parametrize("fields", ["", ',"aggregate_ids":null,"event_types":null,"include_state":null'])
def test_the_smallest_subscription(fields: str) -> None:
    """To everything, of all types, without state."""
    raw = f'{{"type":"subscribe","data":{{"sub_id":"x"{fields}}}}}'
    assert Subscribe(sub_id="x") == read_message(raw.encode())


@pytest.mark.parametrize(("fields", "sub_id"), [('{"sub_id":"x"}', "x"), ("{}", ""), ('{"sub_id":""}', "")])
def test_an_unsubscription_needs_no_id(fields: str, sub_id: str) -> None:
    """It is acknowledged all the same."""
    assert Unsubscribe(sub_id=sub_id) == read_message(f'{{"type":"unsubscribe","data":{fields}}}'.encode())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"1",
        b'"subscribe"',
        b'{"type":5}',
        b'{"type":"subscribe"}',
        b'{"type":"subscribe","data":[]}',
        b'{"type":"subscribe","data":{"sub_id":1}}',
        b'{"type":"subscribe","data":{}}',
        b'{"type":"subscribe","data":{"sub_id":"x","aggregate_ids":["flow"]}}',
        b'{"type":"subscribe","data":{"sub_id":"x","include_state":"yes"}}',
        b'{"type":"SUBSCRIBE","data":{"sub_id":"x"}}',
        b'{"type":"ping","data":{"sub_id":"x"}}',
        b'{"type":"subscribe","data":{"sub_id":"\\ud800"}}',
        b"[" * 60_000,
    ],
)
def test_whatever_else_is_ignored(raw: bytes) -> None:
    """Malformed, of another type, or without what it needs."""
    assert read_message(raw) is None


# ---- what clients get ------------------------------------------------------------------------


def test_an_event_keeps_the_text_of_its_data() -> None:
    """Only the envelope changes: the time is in Unix milliseconds, the id has another name."""
    frame = event_frame(STREAM, 7, ENVELOPE)
    assert frame is not None
    assert "step_completed" == frame.type
    assert (
        b'{"type":"step_completed","sub_id":"a\\"b","id":["flow","wf"],'
        b'"data":{"big":123456789012345678901,"x":1.50},"timestamp":1767323045123,"sequence":7}'
    ) == frame.addressed(quoted('a"b'))


def test_an_event_of_another_type_has_no_frame() -> None:
    """Nobody wants it."""
    assert event_frame(STREAM, 7, ENVELOPE, frozenset({"flow_started"})) is None
    assert event_frame(STREAM, 7, ENVELOPE, frozenset({"flow_started", "step_completed"})) is not None


@pytest.mark.parametrize("raw", [b"", b"{}", b"\xff", ENVELOPE.replace(b"2026", b"now")])
def test_what_is_no_envelope(raw: bytes) -> None:
    """Named by its stream and sequence."""
    with pytest.raises(UndecodableEventError, match="flow:wf"):
        event_frame(STREAM, 7, raw)


def test_a_subscribed_frame_lists_its_items() -> None:
    """Never null, and a state that there is none of is."""
    items = [state_item(("catalog",), {"steps": {}}, 3), state_item(("nope",), None, 0)]
    assert {"type": "subscribed", "sub_id": "x", "items": []} == json.loads(subscribed_frame(quoted("x"), []))
    assert [
        {"id": ["catalog"], "data": {"steps": {}}, "sequence": 3},
        {"id": ["nope"], "data": None, "sequence": 0},
    ] == json.loads(subscribed_frame(quoted("x"), items))["items"]


def test_an_unsubscribed_frame() -> None:
    """An empty id is left out."""
    assert b'{"type":"unsubscribed","sub_id":"x"}' == unsubscribed_frame("x")
    assert b'{"type":"unsubscribed"}' == unsubscribed_frame("")
