# SPDX-License-Identifier: Apache-2.0
"""A flow of one script step, run to see that flows run: through the store, the queue and a worker, and then forgotten.

Its step is in no catalog, for its plan is made here; its id begins with `CANARY_PREFIX`, so that no list, no metric and
no trace shows it. Called by the deep health probe.
"""

import time
import uuid
from collections.abc import Sequence
from threading import Lock
from typing import Final, Protocol

from argyll_engine.errors import StoreUnavailableError
from argyll_engine.executor import Executor, Request
from argyll_engine.model.attribute import AttributeSpec, Role, ScriptConfig
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.commands import StartFlow
from argyll_engine.model.facts import Scripts
from argyll_engine.model.flow import FlowState, FlowStatus
from argyll_engine.model.ids import CANARY_PREFIX, FlowID, Name, StepID, flow_stream
from argyll_engine.model.step import Step, StepType
from argyll_engine.plan.build import build
from argyll_engine.projections import Projections

PATIENCE_SECONDS: Final = 5.0
"""How long a canary may take; on an idle system it takes milliseconds."""
POLL_SECONDS: Final = 0.005

STEP: Final = Step(
    id=StepID("argyll-canary"),
    name="Canary",
    type=StepType.SCRIPT,
    script=ScriptConfig(language="ale", script="1"),
    attributes={Name("result"): AttributeSpec(role=Role.OUTPUT, type="number")},
)
_CATALOG: Final = CatalogState(steps={STEP.id: STEP})


class Remains(Protocol):
    """Forgets what a flow has left in the store."""

    def begin(self, flow_id: FlowID) -> Sequence[FlowID]:
        """Notes a flow; those of killed processes, which nobody has forgotten. Raises StoreUnavailableError."""

    def forget(self, flow_id: FlowID) -> None:
        """Every key and entry of one flow. Raises StoreUnavailableError."""


class RunsCanary(Protocol):
    """Sees whether flows run."""

    def run(self) -> float | None:
        """Seconds that a flow took; None if it has not completed in time. Raises StoreUnavailableError."""


class Canary:
    """Runs canary flows, one at a time in a process.

    Args:
        patience_seconds: how long one may take.
    """

    def __init__(
        self,
        *,
        flows: Executor[FlowState],
        projections: Projections[FlowState],
        scripts: Scripts,
        remains: Remains,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._flows = flows
        self._projections = projections
        self._plan = build(_CATALOG, (STEP.id,), {}, scripts.match)
        self._remains = remains
        self._patience_seconds = patience_seconds
        self._lock = Lock()

    def run(self) -> float | None:
        """Seconds from the start to the end of a flow; None if it has not completed in time.

        Raises StoreUnavailableError.
        """
        with self._lock:
            flow_id = FlowID(CANARY_PREFIX + uuid.uuid4().hex)
            for left in self._remains.begin(flow_id):
                self._remains.forget(left)
            started_at = time.monotonic()
            try:
                command = StartFlow(flow_id=flow_id, plan=self._plan, init={})
                self._flows.execute_one(Request(stream_id=flow_stream(flow_id), command=command))
                has_completed = self._wait(flow_id, started_at + self._patience_seconds)
                return time.monotonic() - started_at if has_completed else None
            finally:
                self._remains.forget(flow_id)
                self._projections.forget(flow_stream(flow_id))

    def _wait(self, flow_id: FlowID, deadline: float) -> bool:
        """Whether the flow is complete and at rest before the deadline."""
        while time.monotonic() < deadline:
            (projection,) = self._projections.load([flow_stream(flow_id)])
            state = projection.state
            if state is None:
                return False
            if state.deactivated_at is not None:
                return state.status is FlowStatus.COMPLETED
            time.sleep(POLL_SECONDS)
        return False


class Canaries:
    """One canary for each of several flow stores."""

    def __init__(self, canaries: Sequence[RunsCanary]) -> None:
        self._canaries = canaries

    def run(self) -> float | None:
        """Seconds that the slowest took, of those whose store answers; None if one has not completed in time.

        Raises StoreUnavailableError where no store answers.
        """
        found: list[float | None] = []
        away: list[StoreUnavailableError] = []
        for canary in self._canaries:
            try:
                found.append(canary.run())
            except StoreUnavailableError as exc:
                away.append(exc)
        if not found:
            raise away[0]
        seconds = [taken for taken in found if taken is not None]
        return max(seconds) if len(seconds) == len(found) else None
