# SPDX-License-Identifier: Apache-2.0
"""Health of script steps as their runs show it: a failure makes a step unhealthy, a success healthy again.

Called by the work runner after each script. Source: the contract, execution §7.
"""

from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from argyll_engine import log as logs
from argyll_engine.errors import TransientError
from argyll_engine.executor import Executor, Request
from argyll_engine.model.cluster import ClusterState, HealthStatus, StepHealth
from argyll_engine.model.commands import ReportHealth
from argyll_engine.model.ids import CLUSTER_STREAM, NodeID, StepID
from argyll_engine.ports import Clock
from argyll_engine.projections import Projections

REFRESH_EVERY: Final = timedelta(seconds=1)
"""How old the picture of others' reports may be: a success reports only what somebody saw fail."""

log = logs.get(__name__)


class ScriptHealth:
    """Reports changes of health, and nothing while a step goes on as before."""

    def __init__(
        self, *, node_id: NodeID, cluster: Executor[ClusterState], projections: Projections[ClusterState], clock: Clock
    ) -> None:
        self._node_id = node_id
        self._cluster = cluster
        self._projections = projections
        self._clock = clock
        self._lock = Lock()
        self._state = ClusterState()
        self._seen_at: datetime | None = None

    def note(self, step_id: StepID, error: str) -> None:
        """A run of a step's script ended with this error, or empty for a success. Raises nothing: it is only news."""
        status = HealthStatus.UNHEALTHY if error else HealthStatus.HEALTHY
        try:
            if self._known(step_id) == StepHealth(status=status, error=error):
                return
            command = ReportHealth(node_id=self._node_id, step_id=step_id, status=status, error=error)
            done = self._cluster.execute_one(Request(stream_id=CLUSTER_STREAM, command=command))
            with self._lock:
                self._state = done.state
        except TransientError as exc:
            log.warning("redis connection lost", error=str(exc))

    def _known(self, step_id: StepID) -> StepHealth | None:
        """What this node last reported of a step; a step that nobody reported counts as healthy."""
        now = self._clock.now()
        with self._lock:
            if self._seen_at is None or now - self._seen_at > REFRESH_EVERY:
                (projection,) = self._projections.load([CLUSTER_STREAM])
                self._state, self._seen_at = projection.state or ClusterState(), now
            node = self._state.nodes.get(self._node_id)
        found = node.health.get(step_id) if node else None
        return found or StepHealth(status=HealthStatus.HEALTHY)
