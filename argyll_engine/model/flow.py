# SPDX-License-Identifier: Apache-2.0
"""One run of a plan: its status, attribute values, executions and work items. Folding is `evolve/flow.py`."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from argyll_engine.model.ids import FlowID, JSONValue, Name, StepID, Token
from argyll_engine.model.plan import ExecutionPlan, InitArgs
from argyll_engine.model.work_items import WorkItems


class FlowStatus(StrEnum):
    """Status of a flow; being deactivated is a mark on a terminal flow, not a status."""

    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"


class StepStatus(StrEnum):
    """Status of an execution, that is of a step inside a flow."""

    PENDING = "pending"
    ACTIVE = "active"
    COMPLETED = "completed"
    SKIPPED = "skipped"
    FAILED = "failed"


class WorkStatus(StrEnum):
    """Status of a work item."""

    PENDING = "pending"
    ACTIVE = "active"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NOT_COMPLETED = "not_completed"
    COMPENSATING = "compensating"
    COMPENSATED = "compensated"
    COMPENSATION_FAILED = "compensation_failed"


class SkipReason(StrEnum):
    """Why a step was skipped; clients match these texts. Source: the contract, http §1.10."""

    PREDICATE_FALSE = "predicate returned false"
    MATCH_FAILED = "required match did not match"
    OUTPUTS_UNNEEDED = "outputs not needed"


UNREACHABLE_ERROR: Final = "required input no longer available"
"""Error of a step whose required input can no longer come. Source: the contract, execution §2.7."""


class AttributeValue(Struct, frozen=True, kw_only=True):
    """One value of an attribute; `step_id` is None for a value that came with the start."""

    value: JSONValue
    set_at: datetime
    step_id: StepID | None = None


class WorkState(Struct, frozen=True, kw_only=True):
    """One invocation of a step.

    `inputs` holds only what differs from the execution's inputs. `attempt` counts how often the item was
    started; a message that names another attempt is stale. `index` is its place among the items of its step.
    `outputs` is None where there are none.
    """

    status: WorkStatus = WorkStatus.PENDING
    inputs: Mapping[Name, JSONValue] = MappingProxyType({})
    started_at: datetime | None = None
    completed_at: datetime | None = None
    next_retry_at: datetime | None = None
    outputs: Mapping[str, JSONValue] | None = None
    error: str = ""
    retry_count: int = 0
    attempt: int = 0
    index: int = 0

    @property
    def is_fresh(self) -> bool:
        """Whether it waits to be started for the first time."""
        return self.status is WorkStatus.PENDING and self.attempt == 0


NO_ITEMS: Final[WorkItems[WorkState]] = WorkItems({})


class ExecutionState(Struct, frozen=True, kw_only=True):
    """A step inside a flow; `error` of a skipped step is the reason, `unsatisfied` the outer names at fault.

    `work_items` are in item order. The last five fields follow from them and are kept so that a step with thousands
    of items need not count them for each result: the place before which every item was started or has ended, pending
    items that were started before, and how many are active, succeeded and being compensated.
    """

    status: StepStatus = StepStatus.PENDING
    started_at: datetime | None = None
    completed_at: datetime | None = None
    inputs: Mapping[Name, JSONValue] = MappingProxyType({})
    outputs: Mapping[Name, JSONValue] | None = None
    work_items: WorkItems[WorkState] = NO_ITEMS
    error: str = ""
    unsatisfied: tuple[Name, ...] = ()
    duration_ms: int = 0
    fresh_from: int = 0
    retrying_items: Mapping[Token, None] = MappingProxyType({})
    active_count: int = 0
    succeeded_count: int = 0
    compensating_count: int = 0


class FlowState(Struct, frozen=True, kw_only=True):
    """Everything that the events of one flow amount to.

    `init` is the start's initial values as given (for telling a repeated start from a different one);
    `attributes` holds values in commit order, initial ones first.
    """

    id: FlowID
    plan: ExecutionPlan
    created_at: datetime
    last_updated_at: datetime
    status: FlowStatus = FlowStatus.ACTIVE
    completed_at: datetime | None = None
    deactivated_at: datetime | None = None
    init: InitArgs = MappingProxyType({})
    metadata: Mapping[str, JSONValue] = MappingProxyType({})
    labels: Mapping[str, str] = MappingProxyType({})
    attributes: Mapping[Name, tuple[AttributeValue, ...]] = MappingProxyType({})
    executions: Mapping[StepID, ExecutionState] = MappingProxyType({})
    error: str = ""
