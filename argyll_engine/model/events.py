# SPDX-License-Identifier: Apache-2.0
"""What happened: every event of the three aggregates. Their JSON names and fields live in `codec`.

Source: the contract, execution §9.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeAlias

from argyll_engine.model.cluster import HealthStatus
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID, JSONValue, Name, NodeID, StepID, Token
from argyll_engine.model.plan import ExecutionPlan, InitArgs
from argyll_engine.model.step import Step

# ---- flow ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowStarted:
    """A flow exists: its frozen plan and initial values."""

    flow_id: FlowID
    plan: ExecutionPlan
    init: InitArgs
    metadata: Mapping[str, JSONValue] = field(default_factory=lambda: MappingProxyType({}))
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowCompleted:
    """All goals are settled well; `result` merges the goals' outputs in goal order."""

    flow_id: FlowID
    result: Mapping[Name, JSONValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowFailed:
    """A goal cannot be reached any more."""

    flow_id: FlowID
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowDeactivated:
    """The flow is terminal and nothing of it runs any more; the last event of every flow."""

    flow_id: FlowID
    status: FlowStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeSet:
    """A step gave a value to an attribute."""

    flow_id: FlowID
    step_id: StepID
    key: Name
    value: JSONValue


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """A step has its inputs; `work_items` are pending, each with the inputs that are its own."""

    flow_id: FlowID
    step_id: StepID
    inputs: Mapping[Name, JSONValue]
    work_items: Mapping[Token, Mapping[Name, JSONValue]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCompleted:
    """All work items of a step succeeded; `outputs` by outer name."""

    flow_id: FlowID
    step_id: StepID
    outputs: Mapping[Name, JSONValue]
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFailed:
    """A step failed, or can never start."""

    flow_id: FlowID
    step_id: StepID
    error: str
    inputs: Mapping[Name, JSONValue] = field(default_factory=lambda: MappingProxyType({}))
    unsatisfied: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSkipped:
    """A step will not run, and that is fine."""

    flow_id: FlowID
    step_id: StepID
    reason: str
    inputs: Mapping[Name, JSONValue] = field(default_factory=lambda: MappingProxyType({}))
    unsatisfied: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkStarted:
    """A work item was handed to a worker; `inputs` are its effective arguments. May repeat after a crash."""

    flow_id: FlowID
    step_id: StepID
    token: Token
    inputs: Mapping[Name, JSONValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkSucceeded:
    """A work item gave its raw outputs (None where it gave nothing)."""

    flow_id: FlowID
    step_id: StepID
    token: Token
    outputs: Mapping[str, JSONValue] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFailed:
    """A work item failed for good."""

    flow_id: FlowID
    step_id: StepID
    token: Token
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkNotCompleted:
    """An attempt ended without an answer; what follows is a retry or a failure."""

    flow_id: FlowID
    step_id: StepID
    token: Token
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRetryScheduled:
    """A work item waits for its next attempt; `retry_count` starts at 1."""

    flow_id: FlowID
    step_id: StepID
    token: Token
    error: str
    retry_count: int
    next_retry_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchDeferred:
    """Work of a step that was under way waits because the step is unhealthy; nothing else changes."""

    flow_id: FlowID
    step_id: StepID


@dataclass(frozen=True, slots=True, kw_only=True)
class CompStarted:
    """Succeeded work of a failed step is about to be undone, for the first time or again."""

    flow_id: FlowID
    step_id: StepID
    token: Token


@dataclass(frozen=True, slots=True, kw_only=True)
class CompRetryScheduled:
    """Undoing got no answer and will be tried again; `retry_count` goes on from the retries of the work."""

    flow_id: FlowID
    step_id: StepID
    token: Token
    error: str
    retry_count: int
    next_retry_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CompSucceeded:
    """The work was undone."""

    flow_id: FlowID
    step_id: StepID
    token: Token


@dataclass(frozen=True, slots=True, kw_only=True)
class CompFailed:
    """The work could not be undone."""

    flow_id: FlowID
    step_id: StepID
    token: Token
    error: str


# ---- catalog ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRegistered:
    """A step joined the catalog, in its stored form."""

    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUpdated:
    """A step's definition was replaced."""

    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUnregistered:
    """A step left the catalog."""

    step_id: StepID


# ---- cluster ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StepHealthChanged:
    """A node sees a step's health differently than before."""

    node_id: NodeID
    step_id: StepID
    status: HealthStatus
    error: str = ""


FlowEvent: TypeAlias = (
    FlowStarted
    | FlowCompleted
    | FlowFailed
    | FlowDeactivated
    | AttributeSet
    | StepStarted
    | StepCompleted
    | StepFailed
    | StepSkipped
    | WorkStarted
    | WorkSucceeded
    | WorkFailed
    | WorkNotCompleted
    | WorkRetryScheduled
    | DispatchDeferred
    | CompStarted
    | CompRetryScheduled
    | CompSucceeded
    | CompFailed
)
CatalogEvent: TypeAlias = StepRegistered | StepUpdated | StepUnregistered
ClusterEvent: TypeAlias = StepHealthChanged
Event: TypeAlias = FlowEvent | CatalogEvent | ClusterEvent

FLOW_EVENTS: Final[tuple[type[FlowEvent], ...]] = FlowEvent.__args__
CATALOG_EVENTS: Final[tuple[type[CatalogEvent], ...]] = CatalogEvent.__args__
CLUSTER_EVENTS: Final[tuple[type[ClusterEvent], ...]] = (StepHealthChanged,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An event at its place in a log: `sequence` counts from 0 per stream, `at` is the time of its commit."""

    event: Event
    sequence: int
    at: datetime
