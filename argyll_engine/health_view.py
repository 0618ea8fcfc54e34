# SPDX-License-Identifier: Apache-2.0
"""What this process knows of the health of steps: the cluster's records, at most a second old.

Asked before each work item, so that it must cost nothing while all is well. Source: the contract, execution §7.
"""

from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from argyll_engine import log as logs
from argyll_engine.errors import ScriptCompileError, TransientError
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.cluster import ClusterState, HealthStatus, StepHealth
from argyll_engine.model.ids import CATALOG_STREAM, CLUSTER_STREAM, NodeID, StepID
from argyll_engine.model.step import Step, StepType
from argyll_engine.ports import Clock, ScriptEngine
from argyll_engine.projections import Projections

REFRESH_EVERY: Final = timedelta(seconds=1)

log = logs.get(__name__)


class HealthView:
    """Health of steps as this deployment's node records it. Shared by the threads of one process."""

    def __init__(
        self,
        *,
        node_id: NodeID,
        cluster: Projections[ClusterState],
        catalog: Projections[CatalogState],
        scripts: ScriptEngine,
        clock: Clock,
    ) -> None:
        self.node_id = node_id
        self._cluster_projections = cluster
        self._catalog_projections = catalog
        self._scripts = scripts
        self._clock = clock
        self._lock = Lock()
        self._cluster = ClusterState()
        self._catalog = CatalogState()
        self._seen_at: datetime | None = None

    def of(self, step_id: StepID) -> StepHealth | None:
        """What was last recorded of a step; None if nothing was. Raises StoreUnavailableError."""
        self._refresh(REFRESH_EVERY)
        node = self._cluster.nodes.get(self.node_id)
        return node.health.get(step_id) if node else None

    def obstacle(self, step_id: StepID) -> str:
        """Why work of a step must wait, as known right now; empty when it may run.

        A script that compiles may run: that it failed with one input says nothing of the next. Nobody looks after a
        step that has left the catalog, so what was recorded of it holds nothing back. While the store is away, what
        was known last counts.
        """
        try:
            if not self._obstacle(step_id, REFRESH_EVERY):
                return ""
            return self._obstacle(step_id, timedelta(0))
        except TransientError as exc:
            log.warning("redis connection lost", error=str(exc))
            return self._recorded_obstacle(step_id)

    def learn(self, state: ClusterState) -> None:
        """Take the state that a commit of this process led to."""
        with self._lock:
            self._cluster = state

    def _obstacle(self, step_id: StepID, oldest: timedelta) -> str:
        self._refresh(oldest)
        return self._recorded_obstacle(step_id)

    def _recorded_obstacle(self, step_id: StepID) -> str:
        node = self._cluster.nodes.get(self.node_id)
        health = node.health.get(step_id) if node else None
        if health is None or health.status is not HealthStatus.UNHEALTHY:
            return ""
        step = self._catalog.steps.get(step_id)
        if step is None or (step.type == StepType.SCRIPT and not compile_error(self._scripts, step)):
            return ""
        return health.error or f"step {step_id} unhealthy"

    def _refresh(self, oldest: timedelta) -> None:
        now = self._clock.now()
        with self._lock:
            if self._seen_at is not None and now - self._seen_at < oldest:
                return
            (catalog,) = self._catalog_projections.load([CATALOG_STREAM])
            (cluster,) = self._cluster_projections.load([CLUSTER_STREAM])
            self._catalog = catalog.state or CatalogState()
            self._cluster = cluster.state or ClusterState()
            self._seen_at = now


def compile_error(scripts: ScriptEngine, step: Step) -> str:
    """Why the script of a step does not compile; empty if it does."""
    if step.script is None:
        return "script is empty"
    try:
        scripts.check(step.script, step.argument_names())
    except ScriptCompileError as exc:
        return str(exc)
    return ""
