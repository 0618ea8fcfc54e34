# SPDX-License-Identifier: Apache-2.0
"""Health of script steps as their runs show it: a failure makes a step unhealthy, a success healthy again.

Called by the work runner after each script. Source: the contract, execution §7.
"""

from typing import Final

from argyll_engine import log as logs
from argyll_engine.errors import TransientError
from argyll_engine.executor import Executor, Request
from argyll_engine.health_view import HealthView
from argyll_engine.model.cluster import ClusterState, HealthStatus, StepHealth
from argyll_engine.model.commands import ReportHealth
from argyll_engine.model.ids import CLUSTER_STREAM, StepID

UNREPORTED: Final = StepHealth(status=HealthStatus.HEALTHY)
"""A step that nobody reported counts as healthy: a success is no news of it."""

log = logs.get(__name__)


class ScriptHealth:
    """Reports changes of health, and nothing while a step goes on as before."""

    def __init__(self, *, cluster: Executor[ClusterState], view: HealthView) -> None:
        self._cluster = cluster
        self._view = view

    def note(self, step_id: StepID, error: str) -> None:
        """A run of a step's script ended with this error, or empty for a success. Raises nothing: it is only news."""
        status = HealthStatus.UNHEALTHY if error else HealthStatus.HEALTHY
        try:
            known = self._view.of(step_id) or UNREPORTED
            if known.status is status and known.error == error:
                return
            command = ReportHealth(node_id=self._view.node_id, step_id=step_id, status=status, error=error)
            done = self._cluster.execute_one(Request(stream_id=CLUSTER_STREAM, command=command))
            self._view.learn(done.state)
        except TransientError as exc:
            log.warning("redis connection lost", error=str(exc))
