# SPDX-License-Identifier: Apache-2.0
"""What must be done because of recorded events. `react` derives them, `dispatch` turns them into messages."""

from datetime import datetime
from typing import Final, TypeAlias

from msgspec import Struct

from argyll_engine.model.ids import FlowID, StepID, Token


class RunWork(Struct, frozen=True, kw_only=True):
    """Run attempt number `attempt` of a work item, not before `at` (None = now).

    `step_type` chooses the queue. A worker that finds another attempt started drops it, so that sending it twice
    does no harm. Work that `goes_on` with a flow, retries
    among it, comes before work that begins one or is one item more of many.
    """

    flow_id: FlowID
    step_id: StepID
    token: Token
    attempt: int
    step_type: str
    at: datetime | None = None
    goes_on: bool = False


class CompleteParent(Struct, frozen=True, kw_only=True):
    """Give the outcome of a child flow to the work item that started it, if the child has ended."""

    child_id: FlowID


class WakeAt(Struct, frozen=True, kw_only=True):
    """Look at a pending step again at `at` (None = now): a deadline of an optional input ends then."""

    flow_id: FlowID
    step_id: StepID
    at: datetime | None = None


class RunCompensation(Struct, frozen=True, kw_only=True):
    """Undo a work item, not before `at` (None = now); a worker that finds another count drops it."""

    flow_id: FlowID
    step_id: StepID
    token: Token
    retry_count: int
    at: datetime | None = None


class ReleaseHeld(Struct, frozen=True, kw_only=True):
    """Look at `at` whether a step is healthy again, and send what waits for that. `watch` names who looks."""

    step_id: StepID
    watch: str
    at: datetime | None = None


Effect: TypeAlias = RunWork | CompleteParent | WakeAt | RunCompensation | ReleaseHeld

EFFECTS: Final[tuple[type[Effect], ...]] = (RunWork, CompleteParent, WakeAt, RunCompensation, ReleaseHeld)
