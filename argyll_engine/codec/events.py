# SPDX-License-Identifier: Apache-2.0
"""Events as stored and served: one envelope per event. Source: the contract, execution §9.

Each event type has one row: its wire name, how its data is written, how it is read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import msgspec

from argyll_engine.codec.plans import plan_from_json, plan_text
from argyll_engine.codec.steps import JSONObject, step_from_json, step_to_json
from argyll_engine.codec.upcasts import FIRST, UPCASTS, Upcasts, upcast, version_of
from argyll_engine.codec.wire import decode, encode, time_from_json, time_to_json
from argyll_engine.errors import UndecodableEventError
from argyll_engine.model.cluster import HealthStatus
from argyll_engine.model.events import (
    AttributeSet,
    CompFailed,
    CompRetryScheduled,
    CompStarted,
    CompSucceeded,
    DispatchDeferred,
    Event,
    FlowCompleted,
    FlowDeactivated,
    FlowFailed,
    FlowStarted,
    Recorded,
    StepCompleted,
    StepFailed,
    StepHealthChanged,
    StepRegistered,
    StepSkipped,
    StepStarted,
    StepUnregistered,
    StepUpdated,
    WorkFailed,
    WorkNotCompleted,
    WorkRetryScheduled,
    WorkStarted,
    WorkSucceeded,
)
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import StreamID
from argyll_engine.model.plan import ExecutionPlan

SHARED_PLANS: Final = 128
"""Plans that are kept to be shared among flows."""
LARGEST_SHARED_PLAN: Final = 131_072
"""Bytes of the largest plan that is kept."""


@dataclass(frozen=True, slots=True)
class EventCodec:
    """Wire name of an event type, and its data both ways; an event may be its own data."""

    name: str
    write: Callable[[Any], JSONObject | Event]
    read: Callable[[JSONObject], Event]


def _filled(**members: Any) -> JSONObject:
    return {name: value for name, value in members.items() if value}


def _write_flow_started(ev: FlowStarted) -> JSONObject:
    init = {name: None if values is None else list(values) for name, values in ev.init.items()}
    rest = _filled(metadata=dict(ev.metadata), labels=dict(ev.labels))
    return {"flow_id": ev.flow_id, "plan": plan_text(ev.plan), "init": init} | rest


def _read_flow_started(raw: JSONObject) -> FlowStarted:
    return FlowStarted(
        flow_id=raw["flow_id"],
        plan=_plan(raw["plan"]),
        init={name: None if values is None else tuple(values) for name, values in raw["init"].items()},
        metadata=raw.get("metadata", {}),
        labels=raw.get("labels", {}),
    )


def _plan(raw: JSONObject) -> ExecutionPlan:
    """The plan, one object for all flows that run it: it is most of what there is of a flow that has just begun."""
    text = encode(raw)
    return _shared_plan(text) if len(text) <= LARGEST_SHARED_PLAN else plan_from_json(raw)


@lru_cache(maxsize=SHARED_PLANS)
def _shared_plan(text: bytes) -> ExecutionPlan:
    return plan_from_json(decode(text))


def _write_step_completed(ev: StepCompleted) -> JSONObject:
    return {
        "flow_id": ev.flow_id,
        "step_id": ev.step_id,
        "outputs": dict(ev.outputs),
        "duration": ev.duration_ms,
    }


def _read_step_completed(raw: JSONObject) -> StepCompleted:
    return StepCompleted(
        flow_id=raw["flow_id"], step_id=raw["step_id"], outputs=raw["outputs"] or {}, duration_ms=raw["duration"]
    )


def _write_step_failed(ev: StepFailed) -> JSONObject:
    rest = _filled(inputs=dict(ev.inputs), unsatisfied=list(ev.unsatisfied))
    return {"flow_id": ev.flow_id, "step_id": ev.step_id, "error": ev.error} | rest


def _read_step_failed(raw: JSONObject) -> StepFailed:
    return StepFailed(
        flow_id=raw["flow_id"],
        step_id=raw["step_id"],
        error=raw["error"],
        inputs=raw.get("inputs", {}),
        unsatisfied=tuple(raw.get("unsatisfied", ())),
    )


def _write_step_skipped(ev: StepSkipped) -> JSONObject:
    rest = _filled(inputs=dict(ev.inputs), unsatisfied=list(ev.unsatisfied))
    return {"flow_id": ev.flow_id, "step_id": ev.step_id, "reason": ev.reason} | rest


def _read_step_skipped(raw: JSONObject) -> StepSkipped:
    return StepSkipped(
        flow_id=raw["flow_id"],
        step_id=raw["step_id"],
        reason=raw["reason"],
        inputs=raw.get("inputs", {}),
        unsatisfied=tuple(raw.get("unsatisfied", ())),
    )


def _write_retry_scheduled(ev: WorkRetryScheduled | CompRetryScheduled) -> JSONObject:
    return {
        "flow_id": ev.flow_id,
        "step_id": ev.step_id,
        "token": ev.token,
        "error": ev.error,
        "retry_count": ev.retry_count,
        "next_retry_at": time_to_json(ev.next_retry_at),
    }


def _retry_fields(raw: JSONObject) -> JSONObject:
    at = time_from_json(raw["next_retry_at"])
    if at is None:
        raise ValueError("next_retry_at is not set")
    known = ("flow_id", "step_id", "token", "error", "retry_count")
    return {name: raw[name] for name in known} | {"next_retry_at": at}


def _write_health(ev: StepHealthChanged) -> JSONObject:
    members = {"node_id": ev.node_id, "step_id": ev.step_id, "status": ev.status}
    return members | _filled(error=ev.error)


def _read_health(raw: JSONObject) -> StepHealthChanged:
    return StepHealthChanged(
        node_id=raw["node_id"],
        step_id=raw["step_id"],
        status=HealthStatus(raw["status"]),
        error=raw.get("error", ""),
    )


def _flat(name: str, event_type: type[Event], *fields: str) -> EventCodec:
    """The codec of an event whose wire fields are its own fields, in their order."""
    return EventCodec(name, lambda event: event, lambda raw: event_type(**{name: raw[name] for name in fields}))


_WORK = ("flow_id", "step_id", "token")

CODECS: Final[dict[type[Event], EventCodec]] = {
    FlowStarted: EventCodec("flow_started", _write_flow_started, _read_flow_started),
    FlowCompleted: _flat("flow_completed", FlowCompleted, "flow_id", "result"),
    FlowFailed: _flat("flow_failed", FlowFailed, "flow_id", "error"),
    FlowDeactivated: EventCodec(
        "flow_deactivated",
        lambda ev: ev,
        lambda raw: FlowDeactivated(flow_id=raw["flow_id"], status=FlowStatus(raw["status"])),
    ),
    AttributeSet: _flat("attribute_set", AttributeSet, "flow_id", "step_id", "key", "value"),
    StepStarted: _flat("step_started", StepStarted, "flow_id", "step_id", "inputs", "work_items"),
    StepCompleted: EventCodec("step_completed", _write_step_completed, _read_step_completed),
    StepFailed: EventCodec("step_failed", _write_step_failed, _read_step_failed),
    StepSkipped: EventCodec("step_skipped", _write_step_skipped, _read_step_skipped),
    WorkStarted: _flat("work_started", WorkStarted, *_WORK, "inputs"),
    WorkSucceeded: _flat("work_succeeded", WorkSucceeded, *_WORK, "outputs"),
    WorkFailed: _flat("work_failed", WorkFailed, *_WORK, "error"),
    WorkNotCompleted: _flat("work_not_completed", WorkNotCompleted, *_WORK, "error"),
    WorkRetryScheduled: EventCodec(
        "work_retry_scheduled", _write_retry_scheduled, lambda raw: WorkRetryScheduled(**_retry_fields(raw))
    ),
    DispatchDeferred: _flat("dispatch_deferred", DispatchDeferred, "flow_id", "step_id"),
    CompStarted: _flat("comp_started", CompStarted, *_WORK),
    CompRetryScheduled: EventCodec(
        "comp_retry_scheduled", _write_retry_scheduled, lambda raw: CompRetryScheduled(**_retry_fields(raw))
    ),
    CompSucceeded: _flat("comp_succeeded", CompSucceeded, *_WORK),
    CompFailed: _flat("comp_failed", CompFailed, *_WORK, "error"),
    StepRegistered: EventCodec(
        "step_registered",
        lambda ev: {"step": step_to_json(ev.step)},
        lambda raw: StepRegistered(step=step_from_json(raw["step"])),
    ),
    StepUpdated: EventCodec(
        "step_updated",
        lambda ev: {"step": step_to_json(ev.step)},
        lambda raw: StepUpdated(step=step_from_json(raw["step"])),
    ),
    StepUnregistered: _flat("step_unregistered", StepUnregistered, "step_id"),
    StepHealthChanged: EventCodec("step_health_changed", _write_health, _read_health),
}

_READERS: Final = {codec.name: codec.read for codec in CODECS.values()}


def type_of(event: Event) -> str:
    """The wire name of the type of an event."""
    return CODECS[type(event)].name


def encode_recorded(stream_id: StreamID, recorded: Recorded, upcasts: Upcasts = UPCASTS) -> bytes:
    """The envelope of an event, as stored and as served."""
    event = recorded.event
    codec = CODECS[type(event)]
    envelope = {
        "timestamp": time_to_json(recorded.at),
        "type": codec.name,
        "aggregate_id": stream_id,
        "data": codec.write(event),
        "sequence": recorded.sequence,
    }
    return encode(envelope | {"version": version_of(codec.name, upcasts)} if codec.name in upcasts else envelope)


def decode_recorded(stream_id: StreamID, sequence: int, raw: bytes, upcasts: Upcasts = UPCASTS) -> Recorded | None:
    """The event of a stored envelope; None for a type that this version does not know, which a fold ignores.

    Raises:
        UndecodableEventError: the envelope is damaged, or stands at another place than its own sequence says.
    """
    stream = ":".join(stream_id)
    try:
        envelope = decode(raw)
        if envelope["sequence"] != sequence:
            raise UndecodableEventError(stream, sequence, f"it carries sequence {envelope['sequence']}")
        name, data = envelope["type"], envelope["data"]
        read = _READERS.get(name)
        if read is None:
            return None
        if name in upcasts or "version" in envelope:
            data = upcast(name, envelope.get("version", FIRST), data, upcasts)
        return _recorded(read(data), sequence, envelope["timestamp"])
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as exc:
        raise UndecodableEventError(stream, sequence, str(exc)) from exc


def _recorded(event: Event, sequence: int, timestamp: str) -> Recorded:
    return Recorded(event=event, sequence=sequence, at=datetime.fromisoformat(timestamp))
