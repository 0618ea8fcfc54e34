# SPDX-License-Identifier: Apache-2.0
"""What is asked of an aggregate. `decide` answers each with events, or refuses with an error.

Repeating a command appends nothing.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from msgspec import Struct

from argyll_engine.model.cluster import HealthStatus
from argyll_engine.model.ids import FlowID, JSONValue, NodeID, StepID, Token
from argyll_engine.model.plan import ExecutionPlan, InitArgs
from argyll_engine.model.step import Step

# ---- flow ------------------------------------------------------------------------------------


class StartFlow(Struct, frozen=True, kw_only=True):
    """Start a flow with this plan; the same start again is fine, a different one is a conflict."""

    flow_id: FlowID
    plan: ExecutionPlan
    init: InitArgs
    labels: Mapping[str, str] = MappingProxyType({})
    metadata: Mapping[str, JSONValue] = MappingProxyType({})


class StartWork(Struct, frozen=True, kw_only=True):
    """A worker is about to run attempt number `attempt` of a work item, if that is the next one."""

    step_id: StepID
    token: Token
    attempt: int


class DeferDispatch(Struct, frozen=True, kw_only=True):
    """A worker keeps a work item waiting, because its step is unhealthy."""

    step_id: StepID
    token: Token


class RefuseWork(Struct, frozen=True, kw_only=True):
    """Attempt number `attempt` of a work item shall not be made, because its step is unhealthy."""

    step_id: StepID
    token: Token
    attempt: int
    error: str


class CompleteWork(Struct, frozen=True, kw_only=True):
    """A work item has its outputs; with `attempt`, only if that attempt is running."""

    step_id: StepID
    token: Token
    outputs: Mapping[str, JSONValue] | None
    attempt: int | None = None


class FailWork(Struct, frozen=True, kw_only=True):
    """A work item failed for good; with `attempt`, only if that attempt is running."""

    step_id: StepID
    token: Token
    error: str
    attempt: int | None = None


class RecordRun(Struct, frozen=True, kw_only=True):
    """A script has run, which nobody outside has seen: its start and its outcome are one command.

    Both name the same attempt, so that the outcome counts only if the attempt was the next one.
    """

    start: StartWork
    result: CompleteWork | FailWork


class NotCompleteWork(Struct, frozen=True, kw_only=True):
    """Attempt number `attempt` of a work item ended without an answer."""

    step_id: StepID
    token: Token
    attempt: int
    error: str


class StartCompensation(Struct, frozen=True, kw_only=True):
    """A worker is about to try again, for the time counted `retry_count`, to undo a work item."""

    step_id: StepID
    token: Token
    retry_count: int


class CompleteCompensation(Struct, frozen=True, kw_only=True):
    """A work item was undone."""

    step_id: StepID
    token: Token


class FailCompensation(Struct, frozen=True, kw_only=True):
    """A work item cannot be undone."""

    step_id: StepID
    token: Token
    error: str


class NotCompleteCompensation(Struct, frozen=True, kw_only=True):
    """Undoing a work item got no answer, for the time counted `retry_count`."""

    step_id: StepID
    token: Token
    retry_count: int
    error: str


class WakeStep(Struct, frozen=True, kw_only=True):
    """The deadline of an optional input of a pending step has come."""

    step_id: StepID


# ---- catalog ---------------------------------------------------------------------------------


class RegisterStep(Struct, frozen=True, kw_only=True):
    """Add a step; the same definition again is fine, a different one is a conflict."""

    step: Step


class UpdateStep(Struct, frozen=True, kw_only=True):
    """Replace the definition of a registered step."""

    step: Step


class UnregisterStep(Struct, frozen=True, kw_only=True):
    """Remove a step; running flows keep their copy."""

    step_id: StepID


# ---- cluster ---------------------------------------------------------------------------------


class ReportHealth(Struct, frozen=True, kw_only=True):
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
