# SPDX-License-Identifier: Apache-2.0
"""What is worth knowing of a flow without its log. Pure; part of every archived object.

Called by `record.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec

from argyll_engine.codec import time_to_json
from argyll_engine.model.flow import FlowState, FlowStatus
from argyll_engine.model.ids import FlowID, JSONValue


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowDigest:
    """The outline of a deactivated flow; the hashes tell a repeated start from a different one.

    `goals_sha256` and `init_sha256` are equal for two starts exactly when the engine would take them for the same.
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


def digest_of(state: FlowState, deactivated_at: datetime, event_count: int) -> FlowDigest:
    """The outline of a flow whose log has so many events."""
    init = {name: None if values is None else list(values) for name, values in state.init.items()}
    return FlowDigest(
        flow_id=state.id,
        status=state.status,
        created_at=state.created_at,
        completed_at=state.completed_at,
        deactivated_at=deactivated_at,
        labels=state.labels,
        error=state.error,
        event_count=event_count,
        goals_sha256=value_sha256(list(state.plan.goals)),
        init_sha256=value_sha256(init),
    )


def digest_to_json(digest: FlowDigest) -> dict[str, Any]:
    """The outline as it stands in an object."""
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
