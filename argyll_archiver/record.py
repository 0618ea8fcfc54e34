# SPDX-License-Identifier: Apache-2.0
"""One flow as one object: its log to key and bytes, and back. Pure; `docs/archiver.md` describes the form.

The same log always gives the same key and the same bytes, so writing an object again changes nothing.
"""

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

import msgspec

from argyll_engine.codec import decode_recorded, digest_to_json, encode, flow_state_to_json
from argyll_engine.errors import DamagedArchiveError, FlowNotFoundError, InvalidRequestError, UndecodableEventError
from argyll_engine.evolve.flow import replay_flow
from argyll_engine.model.digest import ArchivedFlow, FlowDigest, digest_of
from argyll_engine.model.flow import FlowState
from argyll_engine.model.ids import FlowID, flow_stream

SCHEMA: Final = 1
"""Version of the object's form."""
LAYOUT: Final = "v2/"
"""What keys below the prefix begin with: the version of their form."""
FORMER_LAYOUT: Final = "v1/"
"""That of keys without the time of creation; such objects are read, and no more written."""

_MAX_NAME_BYTES: Final = 180  # file systems end at 255, with room for what a sink puts around it
_KEPT_BYTES: Final = 100
_SUFFIX: Final = ".json.gz"
_SEAL: Final = b',"sha256":"%s"}'
_SEAL_BYTES: Final = len(_SEAL % (b"0" * 64))


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveObject:
    """What is to be written for a flow: under which key below the prefix, and which bytes."""

    key: str
    body: bytes
    digest: FlowDigest


class _Document(msgspec.Struct, frozen=True):
    schema: int
    flow_id: str
    events: list[msgspec.Raw]
    state: dict[str, Any]
    digest: dict[str, Any]


def make_object(flow_id: FlowID, events: Sequence[bytes]) -> ArchiveObject:
    """The object of a deactivated flow.

    Args:
        events: The whole log, encoded as stored.

    Raises:
        FlowNotFoundError: There are no events.
        InvalidRequestError: The flow is not deactivated, so its log may still grow.
        UndecodableEventError: An event cannot be read; such a log is left where it is.
    """
    state = _replayed(flow_id, events)
    if state.deactivated_at is None:
        raise InvalidRequestError(f"flow is not deactivated: {flow_id}")
    digest = digest_of(state, state.deactivated_at, len(events))
    text = encode(
        {
            "schema": SCHEMA,
            "flow_id": flow_id,
            "events": [msgspec.Raw(event) for event in events],
            "state": flow_state_to_json(state),
            "digest": digest_to_json(digest),
        }
    )
    body = gzip.compress(_sealed(text.removesuffix(b"}")), mtime=0)
    return ArchiveObject(key=object_key(digest), body=body, digest=digest)


def read_object(key: str, body: bytes) -> ArchivedFlow:
    """The flow of an object, if it is whole. `key` is for people, in the text of the error.

    Raises:
        DamagedArchiveError: No object of this form, another schema, or bytes that do not match their checksum.
    """
    try:
        text = gzip.decompress(body)
        content = text[:-_SEAL_BYTES]
        if _sealed(content) != text:
            raise DamagedArchiveError(key, "its content does not match its checksum")
        document = msgspec.json.decode(content + b"}", type=_Document)
    except (OSError, EOFError, zlib.error, msgspec.DecodeError) as exc:
        raise DamagedArchiveError(key, str(exc)) from exc
    if document.schema != SCHEMA:
        raise DamagedArchiveError(key, f"its schema is {document.schema}, and this version reads {SCHEMA}")
    return ArchivedFlow(
        flow_id=FlowID(document.flow_id),
        events=tuple(map(bytes, document.events)),
        state=document.state,
        digest=document.digest,
    )


def is_flow_of(found: ArchivedFlow, digest: FlowDigest) -> bool:
    """Whether a flow is the one of a digest, and not another one that had its id before."""
    outline = digest_to_json(digest)
    same = all(found.digest.get(name) == outline[name] for name in ("created_at", "deactivated_at"))
    return same and (found.flow_id, len(found.events)) == (digest.flow_id, digest.event_count)


def is_log_of(events: Sequence[bytes], digest: FlowDigest) -> bool:
    """Whether a log is that of a digest's flow, and not of another one that has its id, or none; or may be it."""
    try:
        return bool(events) and _replayed(digest.flow_id, events[:1]).created_at == digest.created_at
    except UndecodableEventError:
        return True


def object_key(digest: FlowDigest) -> str:
    """Where the object of a flow is, below the prefix: form, day of deactivation, id, time of creation (UTC).

    The id may be used again on the same day; the time tells the two apart. A long id is cut, and told apart by its
    SHA-256; no id has a tilde, so no two ids share a key.
    """
    created = f"{digest.created_at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"
    return f"{LAYOUT}{_day_and_name(digest)}~{created}{_SUFFIX}"


def former_object_key(digest: FlowDigest) -> str:
    """Where a former version has written the object."""
    return f"{FORMER_LAYOUT}{_day_and_name(digest)}{_SUFFIX}"


def _day_and_name(digest: FlowDigest) -> str:
    name = quote(digest.flow_id, safe=":+")
    if len(name) > _MAX_NAME_BYTES:
        name = f"{name[:_KEPT_BYTES]}~{sha256(digest.flow_id.encode()).hexdigest()}"
    return f"{digest.deactivated_at.astimezone(UTC):%Y-%m-%d}/{name}"


def _replayed(flow_id: FlowID, events: Sequence[bytes]) -> FlowState:
    if not events:
        raise FlowNotFoundError(flow_id)
    stream_id = flow_stream(flow_id)
    decoded = (decode_recorded(stream_id, sequence, raw) for sequence, raw in enumerate(events))
    return replay_flow(None, [recorded for recorded in decoded if recorded is not None])


def _sealed(content: bytes) -> bytes:
    """The document whose last member is the checksum of all bytes before it."""
    return content + _SEAL % sha256(content).hexdigest().encode()
