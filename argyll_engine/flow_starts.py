# SPDX-License-Identifier: Apache-2.0
"""Starts flows, many at once: the plan of each, then one commit a flow, in one round trip. Called by the engine.

Where both stores are on one Redis, the commit of a start is refused if the catalog is not that of the plan. So plans
are made of the catalog that this process saw last, and nobody asks for it beside the commit.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from argyll_engine import log as logs
from argyll_engine.archived_flows import ArchivedFlows
from argyll_engine.errors import (
    ArgyllError,
    BlockedGoalsError,
    BrokenError,
    FlowArchivedError,
    MissingInputsError,
    OutdatedDecisionError,
    TransientError,
)
from argyll_engine.executor import Done, Executor, Request
from argyll_engine.memory_gate import MemoryGate
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.commands import StartFlow
from argyll_engine.model.facts import Scripts
from argyll_engine.model.flow import FlowState
from argyll_engine.model.ids import CATALOG_STREAM, flow_stream
from argyll_engine.model.start import Start, StartTogether
from argyll_engine.plan.inputs import blocked_goals, missing_inputs
from argyll_engine.plan_cache import PlanCache
from argyll_engine.ports import Version
from argyll_engine.projections import Projection
from argyll_engine.query import Queries

log = logs.get(__name__)

DivideStarts: TypeAlias = Callable[[Sequence[Start], StartTogether], list[ArgyllError | None]]
"""Hands starts on, all at once or in parts, and gives the answers in their order."""


def together(starts: Sequence[Start], start: StartTogether) -> list[ArgyllError | None]:
    """All at once."""
    return start(starts)


def _is_open(error: ArgyllError, catalog: Projection[CatalogState]) -> bool:
    """Whether another catalog than this might lead to another answer."""
    return not catalog.is_validated or isinstance(error, OutdatedDecisionError)


class FlowStarts:
    """Starts flows.

    Args:
        scripts: Match values in plans.
        gate: Keeps starts out while memory is short.
        divide: Hands starts on to the stores that they concern, where there are several.
        commits_see_catalog: Whether the flow store's commits can rest on the catalog.
    """

    def __init__(
        self,
        *,
        queries: Queries,
        archived: ArchivedFlows,
        flows: Executor[FlowState],
        scripts: Scripts,
        gate: MemoryGate,
        divide: DivideStarts = together,
        commits_see_catalog: bool = False,
    ) -> None:
        self._queries, self._archived, self._flows = queries, archived, flows
        self._scripts, self._gate, self._divide = scripts, gate, divide
        self._commits_see_catalog = commits_see_catalog
        self._plans = PlanCache()

    def start(self, starts: Sequence[Start]) -> list[ArgyllError | None]:
        """What `Engine.start_flows` answers."""
        return self._divide(starts, self._start_batch)

    def _start_batch(self, starts: Sequence[Start]) -> list[ArgyllError | None]:
        try:
            return self._start_together(starts)
        except TransientError:
            raise
        except Exception:
            if len(starts) == 1:
                raise
            log.exception("starts_broken", count=len(starts))
            return [self._start_alone(start) for start in starts]

    def _start_alone(self, start: Start) -> ArgyllError | None:
        try:
            (refused,) = self._start_together([start])
        except TransientError:
            raise
        except Exception as exc:  # noqa: BLE001 - the others of the batch are to go through
            return BrokenError(f"flow {start.flow_id}: {type(exc).__name__}: {exc}")
        return refused

    def _start_together(self, starts: Sequence[Start]) -> list[ArgyllError | None]:
        """See `start_flows`; raises whatever goes wrong with any of them.

        Where commits can look at the catalog, plans are made of what this process saw of it last. Only what is refused
        then is tried again with the catalog as of now.
        """
        self._gate.check()
        catalog = self._queries.seen_catalog() if self._commits_see_catalog else self._queries.loaded_catalog()
        refused = self._start_by(catalog, starts)
        while again := [index for index, error in enumerate(refused) if error and _is_open(error, catalog)]:
            catalog = self._queries.loaded_catalog()
            for index, error in zip(again, self._start_by(catalog, [starts[index] for index in again]), strict=True):
                refused[index] = error
        return refused

    def _start_by(self, catalog: Projection[CatalogState], starts: Sequence[Start]) -> list[ArgyllError | None]:
        """What `start_flows` answers if the catalog is this one; OutdatedDecisionError if it is not any more."""
        rests_on = None
        if self._commits_see_catalog:
            rests_on = Version(stream_id=CATALOG_STREAM, next_sequence=catalog.next_sequence, mark=catalog.mark)
        refused: list[ArgyllError | None] = [None] * len(starts)
        asked: list[int] = []
        requests: list[Request] = []
        for index, start in enumerate(starts):
            try:
                requests.append(self._start_request(catalog.state or CatalogState(), start, rests_on))
            except TransientError:
                raise
            except ArgyllError as exc:
                refused[index] = exc
            else:
                asked.append(index)
        answers = self._flows.execute(requests) if requests else []
        for index, request, answer in zip(asked, requests, answers, strict=True):
            refused[index] = answer if isinstance(answer, ArgyllError) else None
            if isinstance(answer, FlowArchivedError):
                refused[index] = self._refused_by_archive(request)
        return refused

    def _refused_by_archive(self, request: Request) -> ArgyllError | None:
        """Why a flow is not started whose id was just that of an archived one; None if it is the same start."""
        assert isinstance(request.command, StartFlow)
        answer: Done[FlowState] | ArgyllError = FlowArchivedError(request.command.flow_id)
        try:
            while isinstance(answer, FlowArchivedError):
                if self._archived.check_repeat(request.command):
                    return None
                (answer,) = self._flows.execute([request])  # it was brought back or erased between the two looks
        except ArgyllError as exc:  # what is away concerns this start alone: others of the batch have gone through
            return exc
        return answer if isinstance(answer, ArgyllError) else None

    def _start_request(self, catalog: CatalogState, start: Start, rests_on: Version | None) -> Request:
        """The command that starts a flow, once it is known that it can be started."""
        plan = self._plans.plan(catalog, start.goals, start.init, self._scripts.match)
        blocked = blocked_goals(plan)
        if blocked:
            raise BlockedGoalsError(blocked)
        missing = missing_inputs(plan, start.init)
        if missing:
            raise MissingInputsError(missing)
        command = StartFlow(flow_id=start.flow_id, plan=plan, init=start.init, labels=start.labels)
        return Request(stream_id=flow_stream(start.flow_id), command=command, begins=True, rests_on=rests_on)
