# SPDX-License-Identifier: Apache-2.0
"""Health of flow steps, which follows from that of the steps they would run.

What is recorded of a flow step itself does not count, nor the order in which steps are looked at. Called by the health
checks and the read side. Source: the contract, execution §7; X29.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from argyll_engine.errors import PlanError, StepNotFoundError
from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.cluster import HealthStatus, StepHealth
from argyll_engine.model.ids import JSONValue, StepID
from argyll_engine.model.step import StepType
from argyll_engine.plan.build import build_level

Reported: TypeAlias = Callable[[StepID], StepHealth]
"""What was reported of a step that is no flow step."""

_HEALTHY = StepHealth(status=HealthStatus.HEALTHY)


class FlowHealth:
    """Derives the health of any flow steps of one catalog; plans are made once."""

    def __init__(self, catalog: CatalogState, reported: Reported) -> None:
        self._catalog = catalog
        self._reported = reported
        self._planned: dict[StepID, tuple[StepID, ...] | StepHealth] = {}

    def of(self, step_id: StepID) -> StepHealth:
        """The health of a flow step: that of all steps which a start without initial values would plan."""
        settled: dict[StepID, StepHealth] = {}
        path: dict[StepID, _Visit] = {}
        entering: StepID | None = step_id
        while entering is not None or path:
            if entering is not None:
                path[entering] = _Visit.of(self._members(entering))
            current, visit = next(reversed(path.items()))
            entering = next((m for m in visit.open if self._is_flow(m) and m not in settled and m not in path), None)
            if entering is None:
                settled[current] = visit.failure or _worst(self._seen(m, settled, path) for m in visit.members)
                del path[current]
        return settled[step_id]

    def _seen(
        self, step_id: StepID, settled: Mapping[StepID, StepHealth], path: Mapping[StepID, object]
    ) -> tuple[StepID, StepHealth]:
        """A planned step and its health; one that is just being derived closes a cycle."""
        if not self._is_flow(step_id):
            return step_id, self._reported(step_id)
        if step_id in path:
            return step_id, _unknown(f"flow health cycle at step {step_id}")
        return step_id, settled[step_id]

    def _members(self, step_id: StepID) -> tuple[StepID, ...] | StepHealth:
        """The steps of a flow step's plan, or the health of one that has no plan."""
        if step_id not in self._planned:
            self._planned[step_id] = self._plan(step_id)
        return self._planned[step_id]

    def _plan(self, step_id: StepID) -> tuple[StepID, ...] | StepHealth:
        flow = self._catalog.steps[step_id].flow
        try:
            return tuple(build_level(self._catalog, flow.goals if flow else (), {}, _no_match).steps)
        except (PlanError, StepNotFoundError) as exc:
            return _unknown(f"flow preview failed for {step_id}: {exc}")

    def _is_flow(self, step_id: StepID) -> bool:
        return self._catalog.steps[step_id].type == StepType.FLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    """A flow step on the way down: its planned steps, those still to be looked at, or why it has no plan."""

    members: tuple[StepID, ...]
    open: Iterator[StepID]
    failure: StepHealth | None

    @classmethod
    def of(cls, found: tuple[StepID, ...] | StepHealth) -> "_Visit":
        members, failure = ((), found) if isinstance(found, StepHealth) else (found, None)
        return cls(members=members, open=iter(members), failure=failure)


def _worst(members: Iterable[tuple[StepID, StepHealth]]) -> StepHealth:
    """The first unhealthy step decides, else the first of which something unknown was said."""
    unknown: StepHealth | None = None
    for step_id, health in members:
        if health.status is HealthStatus.UNHEALTHY:
            text = f"step {step_id}: {health.error}" if health.error else f"step {step_id} unhealthy"
            return StepHealth(status=HealthStatus.UNHEALTHY, error=text)
        if health.status is HealthStatus.UNKNOWN and health.error:
            unknown = unknown or health
    return unknown or _HEALTHY


def _unknown(error: str) -> StepHealth:
    return StepHealth(status=HealthStatus.UNKNOWN, error=error)


def _no_match(script: ScriptConfig, candidate: JSONValue) -> bool:
    """Without initial values there is no candidate to match."""
    return False
