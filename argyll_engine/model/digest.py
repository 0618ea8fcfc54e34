# SPDX-License-Identifier: Apache-2.0
"""What is worth knowing of an ended flow without its log, and a flow as it came out of its archive.

A digest stays in the live store when the log has gone, and is part of the archived object. Its text forms are in
`codec/digests.py`.
"""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct

from argyll_engine.model.flow import FlowState, FlowStatus
from argyll_engine.model.ids import FlowID, JSONValue, StepID
from argyll_engine.model.plan import InitArgs

MAX_REASON_CHARACTERS: Final = 1_000
"""Of the reason for which a flow is erased, as the audit log keeps it."""


class FlowDigest(Struct, frozen=True, kw_only=True):
    """The outline of a deactivated flow; the hashes tell a repeated start from a different one.

    `goals_sha256` and `init_sha256` are equal for two starts exactly when the engine would take them for the same.
    `object_key` (with its prefix) and `object_bytes` say where the archived object is and how large; empty and 0 in
    the object itself, which cannot know.
    """

    flow_id: FlowID
    status: FlowStatus
    created_at: datetime
    completed_at: datetime | None
    deactivated_at: datetime
    labels: Mapping[str, str]
    error: str
    event_count: int
    goals_sha256: str
    init_sha256: str
    object_key: str = ""
    object_bytes: int = 0


class EndedFlow(Struct, frozen=True, kw_only=True):
    """A root flow that was deactivated then."""

    flow_id: FlowID
    deactivated_at: datetime


class ArchivedFlow(Struct, frozen=True, kw_only=True):
    """A flow as it was read from an object: the events byte for byte as stored, state and digest as JSON values."""

    flow_id: FlowID
    events: tuple[bytes, ...]
    state: dict[str, JSONValue]
    digest: dict[str, JSONValue]


class ObjectPlace(Struct, frozen=True, kw_only=True):
    """Where an object is: the bucket or directory, as ARCHIVE_BUCKET_URL names it, and its key."""

    target: str
    key: str


class RestoredFlow(Struct, frozen=True, kw_only=True):
    """The digest of an archived flow, the events that it stands for, and where they were read."""

    digest: FlowDigest
    events: tuple[bytes, ...]
    place: ObjectPlace


class KeptFlow(Struct, frozen=True, kw_only=True):
    """What the live store knows of a flow in the archive: its digest, if it is there, and the objects that it had when
    it was restored."""

    digest: FlowDigest | None = None
    objects: tuple[ObjectPlace, ...] = ()


class SeenFlow(Struct, frozen=True, kw_only=True):
    """An ended flow as somebody saw it who wants it gone: only that one may go, not another that has its id by then.

    A live one has the outline that its digest would be, and `mark` is how its last event begins.
    """

    digest: FlowDigest
    is_archived: bool
    mark: bytes = b""
    objects: tuple[ObjectPlace, ...] = ()


class AuditRecord(Struct, frozen=True, kw_only=True):
    """What somebody did that leaves no other trace; `position` is its place in the audit log."""

    position: str
    members: Mapping[str, str]


def digest_of(state: FlowState, deactivated_at: datetime, event_count: int) -> FlowDigest:
    """The outline of a flow whose log has so many events."""
    return FlowDigest(
        flow_id=state.id,
        status=state.status,
        created_at=state.created_at,
        completed_at=state.completed_at,
        deactivated_at=deactivated_at,
        labels=state.labels,
        error=state.error,
        event_count=event_count,
        goals_sha256=goals_sha256(state.plan.goals),
        init_sha256=init_sha256(state.init),
    )


def goals_sha256(goals: tuple[StepID, ...]) -> str:
    """The hash of a start's goals, in their order."""
    return value_sha256(list(goals))


def init_sha256(init: InitArgs) -> str:
    """The hash of a start's initial values."""
    return value_sha256({name: None if values is None else list(values) for name, values in init.items()})


def value_sha256(value: JSONValue) -> str:
    """SHA-256 of a JSON value in hexadecimal: the same for values that the engine takes for equal.

    Numbers count by value, so 1 and 1.0 are one; members of objects in any order.
    """
    return sha256(msgspec.json.encode(_by_value(value), order="sorted")).hexdigest()


def _by_value(value: JSONValue) -> JSONValue:
    if isinstance(value, Mapping):
        return {name: _by_value(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_by_value(element) for element in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
