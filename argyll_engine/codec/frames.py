# SPDX-License-Identifier: Apache-2.0
"""The messages of the WebSocket, both ways, one JSON document each. Source: the contract, http §4.2 and §4.3.

Events are re-framed without reading their data: what is stored is what is sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from argyll_engine.codec.wire import encode, milliseconds
from argyll_engine.errors import UndecodableEventError
from argyll_engine.model.ids import StreamID

_NOTHING = msgspec.Raw()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """A client wants events: of the aggregates below `paths` (none: of all), of these types (none: of all)."""

    sub_id: str
    paths: tuple[StreamID, ...] = ()
    event_types: frozenset[str] = frozenset()
    with_state: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribe:
    """A client has seen enough; `sub_id` may be empty or unknown."""

    sub_id: str


ClientMessage: TypeAlias = Subscribe | Unsubscribe


class _Message(msgspec.Struct):
    type: str
    data: msgspec.Raw = _NOTHING


class _Fields(msgspec.Struct):
    sub_id: str | None = None
    aggregate_ids: list[tuple[str, ...]] | None = None
    event_types: list[str] | None = None
    include_state: bool | None = None


class _Kind(msgspec.Struct):
    type: str


class _Envelope(msgspec.Struct):
    timestamp: datetime
    type: str
    aggregate_id: msgspec.Raw
    data: msgspec.Raw
    sequence: int


_messages = msgspec.json.Decoder(_Message)
_fields = msgspec.json.Decoder(_Fields)
_envelopes = msgspec.json.Decoder(_Envelope)
_kinds = msgspec.json.Decoder(_Kind)


class EventFrame(msgspec.Struct, frozen=True):
    """An event as sockets see it, but for the subscription that it is sent to."""

    type: str
    head: bytes
    tail: bytes

    def addressed(self, sub_id: bytes) -> bytes:
        """The whole message; `sub_id` is a JSON string (`quoted`)."""
        return self.head + sub_id + self.tail


def read_message(raw: bytes) -> ClientMessage | None:
    """What a client asks for, or None for anything that is to be ignored."""
    try:
        message = _messages.decode(raw)
        fields = _fields.decode(message.data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    sub_id = fields.sub_id or ""
    if message.type == "unsubscribe":
        return Unsubscribe(sub_id=sub_id)
    if message.type != "subscribe" or not sub_id:
        return None
    return Subscribe(
        sub_id=sub_id,
        paths=tuple(fields.aggregate_ids or ()),
        event_types=frozenset(fields.event_types or ()),
        with_state=bool(fields.include_state),
    )


def quoted(text: str) -> bytes:
    """A text as a JSON string."""
    return encode(text)


def event_frame(
    stream_id: StreamID, sequence: int, envelope: bytes, types: frozenset[str] = frozenset()
) -> EventFrame | None:
    """A stored event for sockets; None for one that is of none of these types. Raises UndecodableEventError."""
    try:
        if types and _kinds.decode(envelope).type not in types:
            return None
        event = _envelopes.decode(envelope)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise UndecodableEventError(":".join(stream_id), sequence, str(exc)) from exc
    at = str(milliseconds(event.timestamp)).encode()
    head = b'{"type":' + encode(event.type) + b',"sub_id":'
    tail = (b',"id":', event.aggregate_id, b',"data":', event.data, b',"timestamp":', at, b',"sequence":')
    return EventFrame(event.type, head, b"".join(map(bytes, tail)) + str(event.sequence).encode() + b"}")


def state_item(path: StreamID, state: Any, sequence: int) -> bytes:
    """One item of a `subscribed` message: the state as GET gives it, and the sequence of the next event."""
    return encode({"id": path, "data": state, "sequence": sequence})


def subscribed_frame(sub_id: bytes, items: Sequence[bytes]) -> bytes:
    """Says that a subscription has begun."""
    return b'{"type":"subscribed","sub_id":' + sub_id + b',"items":[' + b",".join(items) + b"]}"


def unsubscribed_frame(sub_id: str) -> bytes:
    """Says that a subscription has ended, or never was."""
    return encode({"type": "unsubscribed"} | ({"sub_id": sub_id} if sub_id else {}))
