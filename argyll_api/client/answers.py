# SPDX-License-Identifier: Apache-2.0
"""What the engine answers, as Python values. Each that a request gives has the answer itself as `answer`.

Fields that this client does not know are left out, missing ones are empty; unset times are None.
Long because each class is its fields twice, once as JSON, and they share their parts.
Source: the contract, http §1.5 to §1.11.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from argyll_api.client.definitions import Json, Step


class FlowStatus(StrEnum):
    """How far a flow is."""

    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"


class StepStatus(StrEnum):
    """How far a step is inside a flow."""

    PENDING = "pending"
    ACTIVE = "active"
    COMPLETED = "completed"
    SKIPPED = "skipped"
    FAILED = "failed"


class WorkStatus(StrEnum):
    """How far a work item is."""

    PENDING = "pending"
    ACTIVE = "active"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NOT_COMPLETED = "not_completed"
    COMPENSATING = "compensating"
    COMPENSATED = "compensated"
    COMPENSATION_FAILED = "compensation_failed"


class HealthStatus(StrEnum):
    """How a step is."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


# ---- flows -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeValue:
    """One value of an attribute; `step_id` is empty for an initial one."""

    value: Any
    set_at: datetime | None
    step_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """One invocation of a step; `inputs` are those that differ from item to item."""

    token: str
    status: WorkStatus
    started_at: datetime | None
    completed_at: datetime | None
    next_retry_at: datetime | None
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    error: str
    retry_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """A step inside a flow; `work_items` by token."""

    status: StepStatus
    started_at: datetime | None
    completed_at: datetime | None
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    work_items: Mapping[str, WorkItem]
    error: str
    unsatisfied: tuple[str, ...]
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """Which steps give an attribute, and which take it."""

    providers: tuple[str, ...]
    consumers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps that reach some goals.

    Args:
        goals: As they were asked for.
        required: Initial values that are still missing.
        steps: What would run, by id.
        attributes: Who gives and takes what, among these steps.
        children: Plans of the flows that flow steps start, by step.
        excluded: Reason → step left out → names of the attributes that were the reason.
        answer: As the engine sent it.
    """

    goals: tuple[str, ...]
    required: tuple[str, ...]
    steps: Mapping[str, Step]
    attributes: Mapping[str, Edges]
    children: Mapping[str, "Plan"]
    excluded: Mapping[str, Mapping[str, tuple[str, ...]]]
    answer: Json = field(repr=False, compare=False)

    @classmethod
    def from_json(cls, value: Json) -> "Plan":
        """A plan as it is served."""
        return cls(
            goals=_texts(value.get("goals")),
            required=_texts(value.get("required")),
            steps={step_id: Step.from_json(step) for step_id, step in _members(value, "steps")},
            attributes=_edges(value),
            children={step_id: cls.from_json(plan) for step_id, plan in _members(value, "children")},
            excluded={
                reason: {step_id: _texts(names) for step_id, names in steps.items()}
                for reason, steps in _members(value, "excluded")
            },
            answer=value,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The state of a flow; `attributes` holds all values of each name, in the order of their arrival.

    `is_archived` when it came from the archive.
    """

    id: str
    status: FlowStatus
    created_at: datetime | None
    completed_at: datetime | None
    deactivated_at: datetime | None
    last_updated_at: datetime | None
    plan: Plan
    attributes: Mapping[str, tuple[AttributeValue, ...]]
    executions: Mapping[str, Execution]
    labels: Mapping[str, str]
    metadata: Mapping[str, Any]
    error: str
    is_archived: bool
    answer: Json = field(repr=False, compare=False)

    @property
    def has_ended(self) -> bool:
        """Whether it is completed or failed; some of its work may still go on until it is deactivated."""
        return self.status is not FlowStatus.ACTIVE

    def value(self, name: str, default: Any = None) -> Any:
        """The first value of an attribute, or `default` where it has none."""
        return next((value.value for value in self.attributes.get(name, ())), default)

    @classmethod
    def from_json(cls, value: Json) -> "Flow":
        """A state as it is served."""
        return cls(
            id=value["id"],
            status=FlowStatus(value["status"]),
            created_at=time_of(value.get("created_at")),
            completed_at=time_of(value.get("completed_at")),
            deactivated_at=time_of(value.get("deactivated_at")),
            last_updated_at=time_of(value.get("last_updated")),
            plan=Plan.from_json(value.get("plan") or {}),
            attributes={name: tuple(map(_value, values)) for name, values in _members(value, "attributes")},
            executions={step_id: _execution(found) for step_id, found in _members(value, "executions")},
            labels=value.get("labels") or {},
            metadata=value.get("metadata") or {},
            error=value.get("error") or "",
            is_archived=bool(value.get("archived")),
            answer=value,
        )


def _value(value: Json) -> AttributeValue:
    return AttributeValue(value=value["value"], set_at=time_of(value.get("set_at")), step_id=value.get("step") or "")


def _execution(value: Json) -> Execution:
    return Execution(
        status=StepStatus(value["status"]),
        started_at=time_of(value.get("started_at")),
        completed_at=time_of(value.get("completed_at")),
        inputs=value.get("inputs") or {},
        outputs=value.get("outputs") or {},
        work_items={token: _work_item(token, item) for token, item in _members(value, "work_items")},
        error=value.get("error") or "",
        unsatisfied=_texts(value.get("unsatisfied")),
        duration_ms=value.get("duration") or 0,
    )


def _work_item(token: str, value: Json) -> WorkItem:
    return WorkItem(
        token=token,
        status=WorkStatus(value["status"]),
        started_at=time_of(value.get("started_at")),
        completed_at=time_of(value.get("completed_at")),
        next_retry_at=time_of(value.get("next_retry_at")),
        inputs=value.get("inputs") or {},
        outputs=value.get("outputs") or {},
        error=value.get("error") or "",
        retry_count=value.get("retry_count") or 0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StartResult:
    """What became of one start among many: the flow's id, or an error, with the status that it would have alone.

    The id is empty if the start could not be read; it is that of another flow, or of none, beside an error.
    """

    status: int
    flow_id: str
    error: str

    @property
    def is_started(self) -> bool:
        """Whether the flow is started, now or before."""
        return not self.error

    @classmethod
    def from_json(cls, value: Json) -> "StartResult":
        """A result as it is served."""
        return cls(status=value["status"], flow_id=value.get("flow_id", ""), error=value.get("error", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowItem:
    """A flow in a list; `status` stays active until the flow is deactivated, `at` is when it got this status."""

    id: str
    status: FlowStatus
    at: datetime | None

    @classmethod
    def from_json(cls, value: Json) -> "FlowItem":
        """A row as it is served."""
        return cls(id=value["id"], status=FlowStatus(value["status"]), at=time_of(value.get("timestamp")))


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPage:
    """One page of a list, how many flows match in all, and the cursor of the next page (empty at the end)."""

    items: tuple[FlowItem, ...]
    total: int
    next_cursor: str
    answer: Json = field(repr=False, compare=False)

    @classmethod
    def from_json(cls, value: Json) -> "FlowPage":
        """A page as it is served."""
        items = tuple(map(FlowItem.from_json, value["flows"] or ()))
        return cls(items=items, total=value.get("total") or 0, next_cursor=value.get("next_cursor") or "", answer=value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened to a flow, the catalog or the cluster: `content` by the event's type."""

    sequence: int
    type: str
    at: datetime | None
    aggregate_id: tuple[str, ...]
    content: Mapping[str, Any]
    answer: Json = field(repr=False, compare=False)

    @property
    def step_id(self) -> str:
        """The step it is about; empty for none."""
        return str(self.content.get("step_id", ""))

    @classmethod
    def from_json(cls, value: Json) -> "Event":
        """An event of a log, or as the WebSocket sends it."""
        stamp = value["timestamp"]
        return cls(
            sequence=value["sequence"],
            type=value["type"],
            at=time_of(stamp) if isinstance(stamp, str) else datetime.fromtimestamp(stamp / 1000, UTC),
            aggregate_id=_texts(value.get("aggregate_id") or value.get("id")),
            content=value.get("data") or {},
            answer=value,
        )


def events_of(log: Json) -> tuple[Event, ...]:
    """The events of a log as it is served."""
    return tuple(map(Event.from_json, log["events"]))


# ---- steps -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A step as it was registered or updated, and the engine's word on it."""

    step: Step
    message: str
    answer: Json = field(repr=False, compare=False)

    @classmethod
    def from_json(cls, value: Json) -> "Registration":
        """An answer to a registration or an update."""
        return cls(step=Step.from_json(value["step"]), message=value["message"], answer=value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """All steps, and who gives and takes what."""

    steps: Mapping[str, Step]
    attributes: Mapping[str, Edges]
    last_updated_at: datetime | None
    answer: Json = field(repr=False, compare=False)

    @classmethod
    def from_json(cls, value: Json) -> "Catalog":
        """The catalog as it is served."""
        return cls(
            steps={step_id: Step.from_json(step) for step_id, step in _members(value, "steps")},
            attributes=_edges(value),
            last_updated_at=time_of(value.get("last_updated")),
            answer=value,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StepHealth:
    """How a step is; `error` says why it is not healthy."""

    status: HealthStatus
    error: str

    @classmethod
    def from_json(cls, value: Json) -> "StepHealth":
        """A health as it is served."""
        return cls(status=HealthStatus(value["status"]), error=value.get("error") or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What one node says of the steps."""

    last_seen_at: datetime | None
    health: Mapping[str, StepHealth]

    @classmethod
    def from_json(cls, value: Json) -> "Node":
        """A node as it is served."""
        health = {step_id: StepHealth.from_json(said) for step_id, said in _members(value, "health")}
        return cls(last_seen_at=time_of(value.get("last_seen")), health=health)


def nodes_of(cluster: Json) -> dict[str, Node]:
    """The nodes of the cluster as it is served, by id."""
    return {node_id: Node.from_json(node) for node_id, node in _members(cluster, "nodes")}


# ---- parts of them -----------------------------------------------------------------------------


def time_of(text: str | None) -> datetime | None:
    """An aware time; None for an unset one."""
    at = datetime.fromisoformat(text) if text else None
    return at if at is not None and at.year > 1 else None


def _members(value: Json, name: str) -> Iterable[tuple[str, Any]]:
    """The members of an object in an object, which may be null or missing."""
    return (value.get(name) or {}).items()


def _texts(values: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(values or ())


def _edges(value: Json) -> dict[str, Edges]:
    return {
        name: Edges(providers=_texts(edges.get("providers")), consumers=_texts(edges.get("consumers")))
        for name, edges in _members(value, "attributes")
    }
