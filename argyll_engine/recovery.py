# SPDX-License-Identifier: Apache-2.0
"""The periodic sweep: finds flows without a sign of life and sends again what should be on its way for them.

It executes nothing itself, and takes nothing from a worker that refreshes its lease. A message that was not lost
after all finds its attempt started and is dropped. Source: the contract, execution §8.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from argyll_engine import log as logs
from argyll_engine.errors import BrokenError
from argyll_engine.metrics import instruments as all_metrics
from argyll_engine.model.effects import Effect, RunCompensation, RunWork
from argyll_engine.model.flow import FlowState
from argyll_engine.model.ids import FlowID, StepID, flow_stream
from argyll_engine.ports import Clock, Dispatcher, WorkLeases
from argyll_engine.projections import Projections
from argyll_engine.react import resume

SWEEP_LEASE: Final = "recovery"
BATCH: Final = 500
"""Flows that are looked at together."""
BATCHES: Final = 20
"""Batches of one sweep; the rest waits for the next."""
LONGEST_LOOK_AWAY: Final = timedelta(minutes=10)
"""A flow that waits for a webhook is looked at this often at least."""
LONGEST_LOOK_AT_CALLS: Final = timedelta(minutes=1)
"""A flow whose step is being called is looked at this often at least, in case its worker dies."""

log = logs.get(__name__)


class Recovery:
    """Sweeps; one sweep at a time among all processes, so that two schedulers are harmless.

    Args:
        interval_seconds: time between two sweeps.
        grace_seconds: how long a flow may be silent, or active work without a live worker.
    """

    def __init__(
        self,
        *,
        projections: Projections[FlowState],
        leases: WorkLeases,
        dispatcher: Dispatcher,
        clock: Clock,
        interval_seconds: float,
        grace_seconds: float,
    ) -> None:
        self._projections = projections
        self._leases = leases
        self._dispatcher = dispatcher
        self._clock = clock
        self._lease_ttl_ms = max(1, int(interval_seconds * 1000 / 2))
        self._grace = timedelta(seconds=grace_seconds)

    def sweep(self) -> int:
        """The number of work items that were sent again. Raises StoreUnavailableError."""
        if not self._leases.acquire_lease(SWEEP_LEASE, uuid.uuid4().hex, self._lease_ttl_ms):
            return 0
        sent = 0
        for _ in range(BATCHES):
            looked_at, resumed = self._look(self._clock.now())
            sent += resumed
            if looked_at < BATCH:
                break
        all_metrics.RECOVERY_SWEEPS.inc()
        if sent:
            all_metrics.RECOVERY_SWEEPS_WITH_WORK.inc()
            all_metrics.RECOVERY_ITEMS.inc(sent)
        return sent

    def release(self, step_id: StepID, flow_ids: Sequence[FlowID]) -> None:
        """Send what should be on its way of one step in these flows. Raises StoreUnavailableError."""
        now = self._clock.now()
        stranded = (effect for state in self._states(flow_ids) for effect in self._stranded(state, now))
        effects = [ef for ef in stranded if isinstance(ef, RunWork | RunCompensation) and ef.step_id == step_id]
        if effects:
            self._dispatcher.publish(self._dispatcher.render(effects, now))

    def _look(self, now: datetime) -> tuple[int, int]:
        """How many flows of one batch were looked at, and how many messages were sent again."""
        due = self._leases.due_flows(_ms(now), BATCH)
        states = self._states(due)
        effects = [effect for state in states for effect in self._stranded(state, now)]
        looks = dict.fromkeys(due, now + LONGEST_LOOK_AWAY) | {st.id: now + self._patience(st, now) for st in states}
        self._leases.postpone({flow_id: _ms(at) for flow_id, at in looks.items()})
        if effects:
            self._dispatcher.publish(self._dispatcher.render(effects, now))
            log.warning("work_resumed", flows=len(due), items=len(effects))
        return len(due), len(effects)

    def _states(self, flow_ids: Sequence[FlowID]) -> list[FlowState]:
        """The flows that can be read; one with a damaged log does not stop the others."""
        if not flow_ids:
            return []
        try:
            loaded = self._projections.load([flow_stream(flow_id) for flow_id in flow_ids])
        except BrokenError as exc:
            if len(flow_ids) > 1:
                return [state for flow_id in flow_ids for state in self._states([flow_id])]
            log.error("flow_not_recovered", flow_id=flow_ids[0], error=str(exc))
            return []
        return [projection.state for projection in loaded if projection.state is not None]

    def _stranded(self, state: FlowState, now: datetime) -> tuple[Effect, ...]:
        held = self._leases.held(state.id, _ms(now))
        return resume(state, held, now - self._grace, now)

    def _patience(self, state: FlowState, now: datetime) -> timedelta:
        """The longer nothing has happened to a flow, the rarer it is looked at; calls are kept an eye on."""
        longest = max(LONGEST_LOOK_AT_CALLS, self._grace) if _has_running_call(state) else LONGEST_LOOK_AWAY
        return min(max(now - state.last_updated_at, self._grace), longest)


def _has_running_call(state: FlowState) -> bool:
    """Whether some work item may have to be taken from a dead worker, as opposed to waiting for a retry."""
    return any(ex.active_count for ex in state.executions.values())


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
