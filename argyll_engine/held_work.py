# SPDX-License-Identifier: Apache-2.0
"""Holds work of unhealthy steps back, and sends it again when they are well.

Held work costs no slot and no message of its own: its flow is noted, and one delayed message a step looks again every
second. When that message is lost, the recovery sweep sends another. Source: the contract, execution §7; X18.
"""

import uuid
from datetime import timedelta
from typing import Final

from argyll_engine import log as logs
from argyll_engine.errors import TransientError
from argyll_engine.executor import Executor, Request
from argyll_engine.health_view import HealthView
from argyll_engine.model.commands import DeferDispatch, RefuseWork
from argyll_engine.model.effects import ReleaseHeld
from argyll_engine.model.flow import FlowState, FlowStatus, StepStatus, WorkStatus
from argyll_engine.model.ids import FlowID, StepID, Token, flow_stream
from argyll_engine.policy.work import is_due
from argyll_engine.ports import Clock, Dispatcher, HeldFlows, WorkLeases
from argyll_engine.recovery import Recovery

LOOK_EVERY: Final = timedelta(seconds=1)
WATCH_MS: Final = 10_000
"""A step's delayed message that is later than this counts as lost."""
DEFERRAL_MS: Final = 1_000
"""At most one `dispatch_deferred` an item in this time."""
BATCH: Final = 500
"""Flows that are released together."""
BATCHES: Final = 20
"""Batches of one look; the rest waits for the next."""

log = logs.get(__name__)


class HeldWork:
    """What waits for the health of steps.

    Args:
        refuses: whether pending work of an unhealthy step fails instead of waiting.
    """

    def __init__(
        self,
        *,
        flows: Executor[FlowState],
        view: HealthView,
        held: HeldFlows,
        leases: WorkLeases,
        recovery: Recovery,
        dispatcher: Dispatcher,
        clock: Clock,
        refuses: bool,
    ) -> None:
        self._flows = flows
        self._view = view
        self._held = held
        self._leases = leases
        self._recovery = recovery
        self._dispatcher = dispatcher
        self._clock = clock
        self._refuses = refuses

    def keeps(self, state: FlowState, step_id: StepID, token: Token, attempt: int) -> bool:
        """Whether this attempt of an item is not to be made now: it waits, or was refused.

        Work of a dead worker is never refused: nobody knows what its call has done.
        Raises StoreUnavailableError; asking again is safe.
        """
        item = state.executions[step_id].work_items[token]
        is_pending = item.status is WorkStatus.PENDING
        is_next = item.attempt + 1 == attempt and (item.status is WorkStatus.ACTIVE or self._is_open(state, step_id))
        if not is_next or (is_pending and not is_due(item, self._clock.now())):
            return False
        error = self._view.obstacle(step_id)
        if not error or (self._refuses and not is_pending):
            return False
        if self._refuses:
            command = RefuseWork(step_id=step_id, token=token, attempt=attempt, error=f"step unhealthy: {error}")
            self._flows.execute_one(Request(stream_id=flow_stream(state.id), command=command))
            log.debug("work_refused", flow_id=state.id, step_id=step_id, token=token, error=command.error)
        else:
            self._hold(state.id, step_id, token, error)
        return True

    def keeps_compensation(self, state: FlowState, step_id: StepID, token: Token) -> bool:
        """Whether an item is not to be undone now. Undoing is never refused. Raises StoreUnavailableError."""
        item = state.executions[step_id].work_items[token]
        is_due_now = item.next_retry_at is None or item.next_retry_at <= self._clock.now()
        if self._refuses or item.status is not WorkStatus.COMPENSATING or not is_due_now:
            return False
        error = self._view.obstacle(step_id)
        if error:
            self._hold(state.id, step_id, token, error)
        return bool(error)

    def release(self, step_id: StepID, watch: str) -> None:
        """Send what waits for a step if that is well again, else look again in a second; of two watches one goes on.

        Raises StoreUnavailableError.
        """
        lease = _lease(step_id)
        if not self._leases.acquire_lease(lease, watch, WATCH_MS):
            return
        if self._view.obstacle(step_id):
            self._look_later(step_id, watch)
            return
        self._release_flows(step_id)
        self._leases.release_lease(lease, watch)
        if step_id in self._held.steps():  # came meanwhile, and saw our lease
            self._watch(step_id)

    def revive(self) -> None:
        """Watch every step that flows wait for, where the message was lost. Raises StoreUnavailableError."""
        for step_id in self._held.steps():
            self._watch(step_id)

    # ---- parts ----

    def _is_open(self, state: FlowState, step_id: StepID) -> bool:
        return state.status is FlowStatus.ACTIVE and state.executions[step_id].status is StepStatus.ACTIVE

    def _hold(self, flow_id: FlowID, step_id: StepID, token: Token, error: str) -> None:
        """Note the flow first: whoever watches sees it, or we watch ourselves."""
        self._held.add(step_id, flow_id)
        self._watch(step_id)
        if self._leases.acquire_lease(f"deferred:{flow_id}:{token}", uuid.uuid4().hex, DEFERRAL_MS):
            command = DeferDispatch(step_id=step_id, token=token)
            self._flows.execute_one(Request(stream_id=flow_stream(flow_id), command=command))
        log.debug("work_held", flow_id=flow_id, step_id=step_id, token=token, reason=error)

    def _watch(self, step_id: StepID) -> None:
        watch = uuid.uuid4().hex
        if self._leases.acquire_lease(_lease(step_id), watch, WATCH_MS):
            self._look_later(step_id, watch)

    def _look_later(self, step_id: StepID, watch: str) -> None:
        now = self._clock.now()
        effect = ReleaseHeld(step_id=step_id, watch=watch, at=now + LOOK_EVERY)
        self._dispatcher.publish(self._dispatcher.render([effect], now))

    def _release_flows(self, step_id: StepID) -> None:
        for _ in range(BATCHES):
            flow_ids = self._held.take(step_id, BATCH)
            try:
                self._recovery.release(step_id, flow_ids)
            except TransientError:
                for flow_id in flow_ids:
                    self._held.add(step_id, flow_id)
                raise
            if len(flow_ids) < BATCH:
                return


def _lease(step_id: StepID) -> str:
    return f"held:{step_id}"
