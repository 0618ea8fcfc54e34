# SPDX-License-Identifier: Apache-2.0
"""Looks at the health of every step in rounds: compiles scripts, asks services, derives flow steps.

A round runs in threads of its own, so that a long list of slow services takes no thread from the work of flows.
Beat starts it through a task. Source: the contract, execution §7 and http §3.5; X29.
"""

import uuid
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Lock, Thread
from typing import Final

from argyll_engine import log as logs
from argyll_engine.errors import TransientError
from argyll_engine.executor import Executor, Request
from argyll_engine.health_view import compile_error
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.cluster import ClusterState, HealthStatus, StepHealth
from argyll_engine.model.commands import ReportHealth
from argyll_engine.model.ids import CATALOG_STREAM, CLUSTER_STREAM, NodeID, StepID
from argyll_engine.model.step import Step, StepType
from argyll_engine.plan.health import FlowHealth
from argyll_engine.policy.health import UNREPORTED
from argyll_engine.ports import HealthProbe, ScriptEngine, WorkLeases
from argyll_engine.projections import Projections

ROUND_LEASE: Final = "health"
PACE_LEASE: Final = "health-pace"
PACE: Final = 0.75
"""Of the interval: rounds of several schedulers, such as those of flow shards, begin at least so far apart."""
PROBE_TIMEOUT_MS: Final = 3_000
PROBES_AT_ONCE: Final = 8
SPREAD: Final = 0.8
"""The part of the interval over which the requests of a round are spread."""
LEASE_MARGIN_MS: Final = 10_000
"""How long after its expected end a round still counts as running."""

log = logs.get(__name__)


class HealthChecks:
    """Rounds of checks; one at a time among all processes, so that two schedulers are harmless.

    Args:
        node_id: in whose name health is reported.
        interval_seconds: time between two rounds.
    """

    def __init__(
        self,
        *,
        node_id: NodeID,
        catalog: Projections[CatalogState],
        cluster: Projections[ClusterState],
        reports: Executor[ClusterState],
        scripts: ScriptEngine,
        probe: HealthProbe,
        leases: WorkLeases,
        interval_seconds: float,
    ) -> None:
        self._node_id = node_id
        self._catalog_projections = catalog
        self._cluster_projections = cluster
        self._reports = reports
        self._scripts = scripts
        self._probe = probe
        self._leases = leases
        self._interval_seconds = interval_seconds
        self._lease_ttl_ms = int(interval_seconds * 1_000) + LEASE_MARGIN_MS
        self._running = Lock()
        self._stopping = Event()

    def begin(self, *, is_first: bool = False) -> None:
        """Start a round, unless one began lately or this process is in the middle of one; returns at once.

        Args:
            is_first: whether it is the first of a scheduler, which goes ahead however late the last one was.
        """
        if self._running.acquire(blocking=False):
            Thread(target=self._run, args=(is_first,), name="health-checks", daemon=True).start()

    def stop(self, **_signal: object) -> None:
        """Let the round end after the requests that are on their way."""
        self._stopping.set()

    def check(self) -> None:
        """One round, unless another process is in one. Raises StoreUnavailableError."""
        owner = uuid.uuid4().hex
        if not self._leases.acquire_lease(ROUND_LEASE, owner, self._lease_ttl_ms):
            return
        try:
            steps = self._catalog().steps
            self._report(self._known_at_once(steps), steps)
            self._ask([step for step in steps.values() if _address(step)], owner)
            self._derive()
        finally:
            self._leases.release_lease(ROUND_LEASE, owner)

    # ---- parts of a round ----

    def _run(self, is_first: bool) -> None:
        try:
            pace_ms = int(self._interval_seconds * 1_000 * PACE)
            if self._leases.acquire_lease(PACE_LEASE, uuid.uuid4().hex, pace_ms) or is_first:
                self.check()
        except TransientError as exc:
            log.warning("redis connection lost", error=str(exc))
        except Exception:  # the next round makes up for it; this one must not leave the process without rounds
            log.exception("health_check_failed")
        finally:
            self._running.release()

    def _known_at_once(self, steps: Mapping[StepID, Step]) -> dict[StepID, StepHealth]:
        """Scripts by compiling them; of a service without an address to ask, nothing is known.

        That was reported when the step was registered, unless an answer about its older definition came after.
        """
        reported = self._reported()
        found: dict[StepID, StepHealth] = {}
        for step_id, step in steps.items():
            if step.type == StepType.SCRIPT:
                found[step_id] = _health(compile_error(self._scripts, step))
            elif step.type != StepType.FLOW and not _address(step) and step_id in reported:
                found[step_id] = UNREPORTED
        return found

    def _ask(self, steps: list[Step], owner: str) -> None:
        """Send the requests of a round, evenly over the interval, and report each answer as it comes."""
        pause_seconds = self._interval_seconds * SPREAD / max(len(steps), 1)
        asked: list[Future[None]] = []
        with ThreadPoolExecutor(PROBES_AT_ONCE, "health-check") as pool:
            for step in steps:
                if asked and self._stopping.wait(pause_seconds):
                    break
                asked.append(pool.submit(self._ask_one, step, owner))
        for answer in asked:
            answer.result()

    def _ask_one(self, step: Step, owner: str) -> None:
        if self._stopping.is_set():
            return
        error = self._probe.probe(_address(step), PROBE_TIMEOUT_MS)
        self._report({step.id: _health(error)}, {step.id: step})
        self._leases.acquire_lease(ROUND_LEASE, owner, self._lease_ttl_ms)

    def _derive(self) -> None:
        """Flow steps from what is recorded of all others by now."""
        catalog, reported = self._catalog(), self._reported()
        flows = FlowHealth(catalog, lambda step_id: reported.get(step_id, UNREPORTED))
        steps = {step_id: step for step_id, step in catalog.steps.items() if step.type == StepType.FLOW}
        self._report({step_id: flows.of(step_id) for step_id in steps}, steps)

    def _report(self, found: Mapping[StepID, StepHealth], checked: Mapping[StepID, Step]) -> None:
        """Record what has changed; a step that was updated or removed since it was looked at is left alone."""
        reported = self._reported()
        changed = {step_id: health for step_id, health in found.items() if reported.get(step_id) != health}
        if not changed:
            return
        steps = self._catalog().steps
        requests = [
            Request(
                stream_id=CLUSTER_STREAM,
                command=ReportHealth(node_id=self._node_id, step_id=step_id, status=health.status, error=health.error),
            )
            for step_id, health in changed.items()
            if steps.get(step_id) == checked[step_id]
        ]
        self._reports.execute(requests)
        for request in requests:
            log.info("step_health_changed", **_fields(request))

    def _catalog(self) -> CatalogState:
        (projection,) = self._catalog_projections.load([CATALOG_STREAM])
        return projection.state or CatalogState()

    def _reported(self) -> Mapping[StepID, StepHealth]:
        (projection,) = self._cluster_projections.load([CLUSTER_STREAM])
        node = projection.state.nodes.get(self._node_id) if projection.state else None
        return node.health if node else {}


def _address(step: Step) -> str:
    """Where the service of a step is asked how it is; empty for steps without such an address."""
    return step.http.health_check if step.http and step.type in (StepType.SYNC, StepType.ASYNC) else ""


def _health(error: str) -> StepHealth:
    return StepHealth(status=HealthStatus.UNHEALTHY if error else HealthStatus.HEALTHY, error=error)


def _fields(request: Request) -> dict[str, object]:
    command = request.command
    assert isinstance(command, ReportHealth)
    return {"step_id": command.step_id, "status": command.status, "error": command.error}
