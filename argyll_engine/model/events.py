# SPDX-License-Identifier: Apache-2.0
"""What happened: every event of the three aggregates. Their JSON names and fields live in `codec`.

Source: the contract, execution §9.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeAlias

from msgspec import Struct

from argyll_engine.model.cluster import HealthStatus
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID, JSONValue, Name, NodeID, StepID, Token
from argyll_engine.model.plan import ExecutionPlan, InitArgs
from argyll_engine.model.step import Step

# ---- flow ------------------------------------------------------------------------------------


class FlowStarted(Struct, frozen=True, kw_only=True):
    """A flow exists: its frozen plan and initial values."""

    flow_id: FlowID
    plan: ExecutionPlan
    init: InitArgs
    metadata: Mapping[str, JSONValue] = MappingProxyType({})
    labels: Mapping[str, str] = MappingProxyType({})


class FlowCompleted(Struct, frozen=True, kw_only=True):
    """All goals are settled well; `result` merges the goals' outputs in goal order."""

    flow_id: FlowID
    result: Mapping[Name, JSONValue]


class FlowFailed(Struct, frozen=True, kw_only=True):
    """A goal cannot be reached any more."""

    flow_id: FlowID
    error: str


class FlowDeactivated(Struct, frozen=True, kw_only=True):
    """The flow is terminal and nothing of it runs any more; the last event of every flow."""

    flow_id: FlowID
    status: FlowStatus


class AttributeSet(Struct, frozen=True, kw_only=True):
    """A step gave a value to an attribute."""

    flow_id: FlowID
    step_id: StepID
    key: Name
    value: JSONValue


class StepStarted(Struct, frozen=True, kw_only=True):
    """A step has its inputs; `work_items` are pending, each with the inputs that are its own."""

    flow_id: FlowID
    step_id: StepID
    inputs: Mapping[Name, JSONValue]
    work_items: Mapping[Token, Mapping[Name, JSONValue]]


class StepCompleted(Struct, frozen=True, kw_only=True):
    """All work items of a step succeeded; `outputs` by outer name."""

    flow_id: FlowID
    step_id: StepID
    outputs: Mapping[Name, JSONValue]
    duration_ms: int


class StepFailed(Struct, frozen=True, kw_only=True):
    """A step failed, or can never start."""

    flow_id: FlowID
    step_id: StepID
    error: str
    inputs: Mapping[Name, JSONValue] = MappingProxyType({})
    unsatisfied: tuple[Name, ...] = ()


class StepSkipped(Struct, frozen=True, kw_only=True):
    """A step will not run, and that is fine."""

    flow_id: FlowID
    step_id: StepID
    reason: str
    inputs: Mapping[Name, JSONValue] = MappingProxyType({})
    unsatisfied: tuple[Name, ...] = ()


class WorkStarted(Struct, frozen=True, kw_only=True):
    """A work item was handed to a worker; `inputs` are its effective arguments. May repeat after a crash."""

    flow_id: FlowID
    step_id: StepID
    token: Token
    inputs: Mapping[Name, JSONValue]


class WorkSucceeded(Struct, frozen=True, kw_only=True):
    """A work item gave its raw outputs (None where it gave nothing)."""

    flow_id: FlowID
    step_id: StepID
    token: Token
    outputs: Mapping[str, JSONValue] | None


class WorkFailed(Struct, frozen=True, kw_only=True):
    """A work item failed for good."""

    flow_id: FlowID
    step_id: StepID
    token: Token
    error: str


class WorkNotCompleted(Struct, frozen=True, kw_only=True):
    """An attempt ended without an answer; what follows is a retry or a failure."""

    flow_id: FlowID
    step_id: StepID
    token: Token
    error: str


class WorkRetryScheduled(Struct, frozen=True, kw_only=True):
    """A work item waits for its next attempt; `retry_count` starts at 1."""

    flow_id: FlowID
    step_id: StepID
    token: Token
    error: str
    retry_count: int
    next_retry_at: datetime


class DispatchDeferred(Struct, frozen=True, kw_only=True):
    """Work of a step that was under way waits because the step is unhealthy; nothing else changes."""

    flow_id: FlowID
    step_id: StepID


class CompStarted(Struct, frozen=True, kw_only=True):
    """Succeeded work of a failed step is about to be undone, for the first time or again."""

    flow_id: FlowID
    step_id: StepID
    token: Token


class CompRetryScheduled(Struct, frozen=True, kw_only=True):
    """Undoing got no answer and will be tried again; `retry_count` goes on from the retries of the work."""

    flow_id: FlowID
    step_id: StepID
    token: Token
    error: str
    retry_count: int
    next_retry_at: datetime


class CompSucceeded(Struct, frozen=True, kw_only=True):
    """The work was undone."""

    flow_id: FlowID
    step_id: StepID
    token: Token


class CompFailed(Struct, frozen=True, kw_only=True):
    """The work could not be undone."""

    flow_id: FlowID
    step_id: StepID
    token: Token
    error: str


# ---- catalog ---------------------------------------------------------------------------------


class StepRegistered(Struct, frozen=True, kw_only=True):
    """A step joined the catalog, in its stored form."""

    step: Step


class StepUpdated(Struct, frozen=True, kw_only=True):
    """A step's definition was replaced."""

    step: Step


class StepUnregistered(Struct, frozen=True, kw_only=True):
    """A step left the catalog."""

    step_id: StepID


# ---- cluster ---------------------------------------------------------------------------------


class StepHealthChanged(Struct, frozen=True, kw_only=True):
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


class Recorded(Struct, frozen=True, kw_only=True):
    """An event at its place in a log: `sequence` counts from 0 per stream, `at` is the time of its commit."""

    event: Event
    sequence: int
    at: datetime
