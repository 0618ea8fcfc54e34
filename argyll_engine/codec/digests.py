# SPDX-License-Identifier: Apache-2.0
"""Digests of archived flows: as a member of the archived object, and as text in the live store."""

from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from argyll_engine.codec.wire import decode, encode, time_to_json
from argyll_engine.errors import BrokenError
from argyll_engine.model.digest import FlowDigest, ObjectPlace
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID

_FORM: Final = 1
_MEMBERS: Final = (
    *("form", "flow_id", "status", "created_us", "completed_us", "deactivated_us", "labels", "error", "event_count"),
    *("goals", "init", "object_key", "object_bytes"),
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def digest_to_json(digest: FlowDigest) -> dict[str, Any]:
    """The outline as it stands in an object, without the object's own place and size."""
    return {
        "flow_id": digest.flow_id,
        "status": digest.status,
        "created_at": time_to_json(digest.created_at),
        "completed_at": time_to_json(digest.completed_at),
        "deactivated_at": time_to_json(digest.deactivated_at),
        "labels": dict(digest.labels),
        "error": digest.error,
        "event_count": digest.event_count,
        "goals_sha256": digest.goals_sha256,
        "init_sha256": digest.init_sha256,
    }


def digest_to_text(digest: FlowDigest) -> bytes:
    """The digest as it is kept in the live store: a JSON array without names, for there may be millions.

    Its members are `_MEMBERS`: the version of this form, and the digest's own; times in Unix microseconds, hashes in
    Base64.
    """
    return encode(
        [
            _FORM,
            digest.flow_id,
            digest.status,
            _microseconds(digest.created_at),
            digest.completed_at and _microseconds(digest.completed_at),
            _microseconds(digest.deactivated_at),
            dict(digest.labels),
            digest.error,
            digest.event_count,
            b64encode(bytes.fromhex(digest.goals_sha256)).decode(),
            b64encode(bytes.fromhex(digest.init_sha256)).decode(),
            digest.object_key,
            digest.object_bytes,
        ]
    )


def digest_from_text(raw: bytes) -> FlowDigest:
    """The digest that is kept so. Raises BrokenError if it is none."""
    try:
        return _digest(dict(zip(_MEMBERS, decode(raw), strict=True)))
    except (TypeError, ValueError) as exc:
        raise BrokenError(f"digest of an archived flow cannot be read: {exc}") from exc


def place_to_text(place: ObjectPlace) -> bytes:
    """Where an object is, as one line of JSON."""
    return encode([place.target, place.key])


def places_from_text(raw: bytes) -> tuple[ObjectPlace, ...]:
    """The places of such lines. Raises BrokenError if it is none."""
    try:
        found = [decode(line) for line in raw.splitlines()]
        return tuple(ObjectPlace(target=target, key=key) for target, key in found)
    except (TypeError, ValueError) as exc:
        raise BrokenError(f"former objects of a flow cannot be read: {exc}") from exc


def _digest(found: dict[str, Any]) -> FlowDigest:
    if found["form"] != _FORM:
        raise ValueError(f"it is of form {found['form']}, and this version reads {_FORM}")
    completed_us = found["completed_us"]
    return FlowDigest(
        flow_id=FlowID(found["flow_id"]),
        status=FlowStatus(found["status"]),
        created_at=_instant(found["created_us"]),
        completed_at=None if completed_us is None else _instant(completed_us),
        deactivated_at=_instant(found["deactivated_us"]),
        labels=found["labels"],
        error=found["error"],
        event_count=found["event_count"],
        goals_sha256=b64decode(found["goals"], validate=True).hex(),
        init_sha256=b64decode(found["init"], validate=True).hex(),
        object_key=found["object_key"],
        object_bytes=found["object_bytes"],
    )


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
