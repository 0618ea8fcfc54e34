# SPDX-License-Identifier: Apache-2.0
"""Which status may follow which, for flows, executions and work items. Every status change asks here.

Source: the contract, execution §2 and §3.3.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

from argyll_engine.errors import InvalidTransitionError
from argyll_engine.model.flow import FlowStatus, StepStatus, WorkStatus

Status = TypeVar("Status", bound=StrEnum)
Table = Mapping[Status, frozenset[Status]]

FLOW: Final[Table[FlowStatus]] = {
    FlowStatus.ACTIVE: frozenset({FlowStatus.COMPLETED, FlowStatus.FAILED}),
    FlowStatus.COMPLETED: frozenset(),
    FlowStatus.FAILED: frozenset(),
}

STEP: Final[Table[StepStatus]] = {
    StepStatus.PENDING: frozenset({StepStatus.ACTIVE, StepStatus.SKIPPED, StepStatus.FAILED}),
    StepStatus.ACTIVE: frozenset({StepStatus.COMPLETED, StepStatus.FAILED}),
    StepStatus.COMPLETED: frozenset(),
    StepStatus.SKIPPED: frozenset(),
    StepStatus.FAILED: frozenset(),
}

WORK: Final[Table[WorkStatus]] = {
    # a webhook may answer while the item waits for its retry
    WorkStatus.PENDING: frozenset({WorkStatus.ACTIVE, WorkStatus.SUCCEEDED, WorkStatus.FAILED}),
    # active again: the work of a dead worker is started once more
    WorkStatus.ACTIVE: frozenset(
        {WorkStatus.ACTIVE, WorkStatus.SUCCEEDED, WorkStatus.FAILED, WorkStatus.NOT_COMPLETED}
    ),
    WorkStatus.NOT_COMPLETED: frozenset(
        {WorkStatus.PENDING, WorkStatus.ACTIVE, WorkStatus.SUCCEEDED, WorkStatus.FAILED}
    ),
    WorkStatus.SUCCEEDED: frozenset({WorkStatus.COMPENSATING}),
    WorkStatus.FAILED: frozenset(),
    WorkStatus.COMPENSATING: frozenset(
        {WorkStatus.COMPENSATING, WorkStatus.COMPENSATED, WorkStatus.COMPENSATION_FAILED}
    ),
    WorkStatus.COMPENSATED: frozenset(),
    WorkStatus.COMPENSATION_FAILED: frozenset(),
}


def _terminal(table: Table[Status]) -> frozenset[Status]:
    return frozenset(status for status, following in table.items() if not following)


TERMINAL_FLOW: Final = _terminal(FLOW)
TERMINAL_STEP: Final = _terminal(STEP)
TERMINAL_WORK: Final = _terminal(WORK)


def can_transition(table: Table[Status], before: Status, after: Status) -> bool:
    """Whether `after` may follow `before`."""
    return after in table[before]


def check_transition(table: Table[Status], before: Status, after: Status) -> None:
    """Raises InvalidTransitionError when `after` may not follow `before`."""
    if not can_transition(table, before, after):
        raise InvalidTransitionError(type(before).__name__.removesuffix("Status").lower(), before, after)
