# SPDX-License-Identifier: Apache-2.0
"""Undoes one work item: is this try still wanted? call the step's compensation, record how it ended.

Called by the tasks. A lease per item keeps a repeated message from undoing at the same time.
Source: the contract, execution §4.
"""

import uuid
from typing import Final

from argyll_engine import log as logs
from argyll_engine.errors import NotFoundError
from argyll_engine.executor import Executor, Request
from argyll_engine.held_work import HeldWork
from argyll_engine.model.commands import (
    Command,
    CompleteCompensation,
    FailCompensation,
    NotCompleteCompensation,
    StartCompensation,
)
from argyll_engine.model.flow import FlowState, WorkState, WorkStatus
from argyll_engine.model.ids import FlowID, StepID, Token, flow_stream
from argyll_engine.model.invocation import Compensation, Failed, NotCompleted, Outcome
from argyll_engine.policy.work import effective_inputs
from argyll_engine.ports import CompensationClient, WorkLeases
from argyll_engine.projections import Projections

LEASE_MS: Final = 60_000
"""How long a try keeps others away when its worker dies; a call that takes longer may be repeated after it."""

log = logs.get(__name__)


class Compensator:
    """What a worker does with messages that ask to undo."""

    def __init__(
        self,
        *,
        flows: Executor[FlowState],
        projections: Projections[FlowState],
        leases: WorkLeases,
        client: CompensationClient,
        held: HeldWork,
    ) -> None:
        self._flows = flows
        self._projections = projections
        self._leases = leases
        self._client = client
        self._held = held

    def run(self, flow_id: FlowID, step_id: StepID, token: Token, retry_count: int) -> None:
        """Undo a work item, unless that was done or is being done. Raises StoreUnavailableError."""
        lease, owner = f"compensate:{flow_id}:{token}", uuid.uuid4().hex
        if not self._leases.acquire_lease(lease, owner, LEASE_MS):
            return
        try:
            self._run(flow_id, step_id, token, retry_count)
        except NotFoundError as exc:
            log.debug("work_dropped", flow_id=flow_id, step_id=step_id, token=token, reason=str(exc))
        finally:
            self._leases.release_lease(lease, owner)

    def _run(self, flow_id: FlowID, step_id: StepID, token: Token, retry_count: int) -> None:
        if self._is_held(flow_id, step_id, token, retry_count):
            return
        state = self._started(flow_id, step_id, token, retry_count)
        item = _wanted(state, step_id, token, retry_count)
        if state is None or item is None:
            return
        outcome = self._client.compensate(
            Compensation(
                flow_id=flow_id,
                step_id=step_id,
                token=token,
                step=state.plan.steps[step_id],
                inputs=effective_inputs(state.executions[step_id], item),
                outputs=item.outputs,
            )
        )
        command = _command(step_id, token, retry_count, outcome)
        self._flows.execute_one(Request(stream_id=flow_stream(flow_id), command=command))
        if isinstance(outcome, Failed | NotCompleted):
            log.warning("compensation_failed", flow_id=flow_id, step_id=step_id, token=token, error=outcome.error)

    def _is_held(self, flow_id: FlowID, step_id: StepID, token: Token, retry_count: int) -> bool:
        """Whether this try must wait for the health of its step."""
        (projection,) = self._projections.load([flow_stream(flow_id)])
        state, item = projection.state, _item(projection.state, step_id, token)
        is_next = item is not None and item.retry_count == retry_count
        return state is not None and is_next and self._held.keeps_compensation(state, step_id, token)

    def _started(self, flow_id: FlowID, step_id: StepID, token: Token, retry_count: int) -> FlowState | None:
        """The flow, with the start of a later try recorded; a try before its time is put back."""
        (projection,) = self._projections.load([flow_stream(flow_id)])
        item = _item(projection.state, step_id, token)
        if item is None or item.next_retry_at is None:
            return projection.state
        command = StartCompensation(step_id=step_id, token=token, retry_count=retry_count)
        return self._flows.execute_one(Request(stream_id=flow_stream(flow_id), command=command)).state


def _item(state: FlowState | None, step_id: StepID, token: Token) -> WorkState | None:
    ex = state.executions.get(step_id) if state else None
    return ex.work_items.get(token) if ex else None


def _wanted(state: FlowState | None, step_id: StepID, token: Token, retry_count: int) -> WorkState | None:
    """The work item, if this try is the one that is due."""
    item = _item(state, step_id, token)
    is_due = item is not None and item.status is WorkStatus.COMPENSATING and item.next_retry_at is None
    return item if item is not None and is_due and item.retry_count == retry_count else None


def _command(step_id: StepID, token: Token, retry_count: int, outcome: Outcome) -> Command:
    match outcome:
        case Failed(error=error):
            return FailCompensation(step_id=step_id, token=token, error=error)
        case NotCompleted(error=error):
            return NotCompleteCompensation(step_id=step_id, token=token, retry_count=retry_count, error=error)
        case _:
            return CompleteCompensation(step_id=step_id, token=token)
