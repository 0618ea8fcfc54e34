# SPDX-License-Identifier: Apache-2.0
"""What is asked of an aggregate. `decide` answers each with events, or refuses with an error.

Repeating a command appends nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeAlias

from argyll_engine.model.cluster import HealthStatus
from argyll_engine.model.ids import FlowID, JSONValue, NodeID, StepID, Token
from argyll_engine.model.plan import ExecutionPlan, InitArgs
from argyll_engine.model.step import Step

# ---- flow ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFlow:
    """Start a flow with this plan; the same start again is fine, a different one is a conflict."""

    flow_id: FlowID
    plan: ExecutionPlan
    init: InitArgs
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    metadata: Mapping[str, JSONValue] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class StartWork:
    """A worker is about to run attempt number `attempt` of a work item, if that is the next one."""

    step_id: StepID
    token: Token
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferDispatch:
    """A worker keeps a work item waiting, because its step is unhealthy."""

    step_id: StepID
    token: Token


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseWork:
    """Attempt number `attempt` of a work item shall not be made, because its step is unhealthy."""

    step_id: StepID
    token: Token
    attempt: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteWork:
    """A work item has its outputs; with `attempt`, only if that attempt is running."""

    step_id: StepID
    token: Token
    outputs: Mapping[str, JSONValue] | None
    attempt: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailWork:
    """A work item failed for good; with `attempt`, only if that attempt is running."""

    step_id: StepID
    token: Token
    error: str
    attempt: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRun:
    """A script has run, which nobody outside has seen: its start and its outcome are one command.

    Both name the same attempt, so that the outcome counts only if the attempt was the next one.
    """

    start: StartWork
    result: CompleteWork | FailWork


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCompleteWork:
    """Attempt number `attempt` of a work item ended without an answer."""

    step_id: StepID
    token: Token
    attempt: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartCompensation:
    """A worker is about to try again, for the time counted `retry_count`, to undo a work item."""

    step_id: StepID
    token: Token
    retry_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteCompensation:
    """A work item was undone."""

    step_id: StepID
    token: Token


@dataclass(frozen=True, slots=True, kw_only=True)
class FailCompensation:
    """A work item cannot be undone."""

    step_id: StepID
    token: Token
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCompleteCompensation:
    """Undoing a work item got no answer, for the time counted `retry_count`."""

    step_id: StepID
    token: Token
    retry_count: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeStep:
    """The deadline of an optional input of a pending step has come."""

    step_id: StepID


# ---- catalog ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterStep:
    """Add a step; the same definition again is fine, a different one is a conflict."""

    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateStep:
    """Replace the definition of a registered step."""

    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class UnregisterStep:
    """Remove a step; running flows keep their copy."""

    step_id: StepID


# ---- cluster ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportHealth:
    """A node reports what it sees of a step."""

    node_id: NodeID
    step_id: StepID
    status: HealthStatus
    error: str = ""


CompensationCommand: TypeAlias = StartCompensation | CompleteCompensation | FailCompensation | NotCompleteCompensation
FlowCommand: TypeAlias = (
    StartFlow
    | StartWork
    | DeferDispatch
    | RefuseWork
    | CompleteWork
    | FailWork
    | RecordRun
    | NotCompleteWork
    | WakeStep
    | CompensationCommand
)
CatalogCommand: TypeAlias = RegisterStep | UpdateStep | UnregisterStep
ClusterCommand: TypeAlias = ReportHealth
Command: TypeAlias = FlowCommand | CatalogCommand | ClusterCommand

COMMANDS: Final[tuple[type[Command], ...]] = Command.__args__
