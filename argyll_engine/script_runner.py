# SPDX-License-Identifier: Apache-2.0
"""Runs script steps, many together: the states in one round trip, the scripts, then all results in another.

A script's start and its result are one commit, for nobody outside has seen it run; so a script may also run again.
Called by the work runner, and through it by the tasks for what one read brought.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from enum import StrEnum
from typing import Final

from msgspec import Struct

from argyll_engine import log as logs
from argyll_engine.errors import ArgyllError, TransientError
from argyll_engine.executor import Done, Executor, Request
from argyll_engine.held_work import HeldWork
from argyll_engine.memo import Memoization
from argyll_engine.model.flow import FlowState, WorkState
from argyll_engine.model.invocation import Failed, Outcome
from argyll_engine.model.step import StepType
from argyll_engine.patience import Patience
from argyll_engine.policy.work import FIRST_ATTEMPT, effective_inputs
from argyll_engine.ports import StepClient
from argyll_engine.projections import Projections
from argyll_engine.read_along import ReadAlong
from argyll_engine.script_health import ScriptHealth
from argyll_engine.wanted_states import wanted_states
from argyll_engine.work_order import WorkOrder, report

BATCH_SECONDS: Final = 0.05
"""How long scripts run before their results are recorded: what is quick need not wait for what is slow."""

log = logs.get(__name__)


class Fate(StrEnum):
    """What became of an order in a batch."""

    COMMITTED = "committed"  # its result is recorded, and its message is acknowledged with it
    DONE = "done"  # nothing was left to record
    ALONE = "alone"  # it is nothing for a batch, or did not work in one: run it alone
    LEFT = "left"  # the worker stops: somebody else is to have its message


class _Attempt(Struct, frozen=True):
    """What is to be recorded of an order, and how its script ended; None for a remembered result."""

    request: Request
    outcome: Outcome | None


class ScriptRunner:
    """What a worker does with script steps.

    Args:
        health: what hears how scripts end.
        held: what keeps work of unhealthy steps.
        memo: what remembers the results of memoizable steps.
        scripts: runs one script.
        along: lets the last commit of a batch bring the next messages.
        clock: seconds, from any starting point.
    """

    def __init__(
        self,
        *,
        flows: Executor[FlowState],
        projections: Projections[FlowState],
        health: ScriptHealth,
        held: HeldWork,
        memo: Memoization,
        scripts: StepClient,
        patience: Patience,
        along: ReadAlong | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._flows = flows
        self._projections = projections
        self._health = health
        self._held = held
        self._memo = memo
        self._scripts = scripts
        self._patience = patience
        self._along = along or ReadAlong()
        self._clock = clock

    def run_alone(self, order: WorkOrder, state: FlowState, item: WorkState) -> None:
        """Run the script and record both its start and its outcome, if it is still wanted then.

        Raises:
            NotFoundError: the flow does not know the work item.
        """
        if not order.is_wanted(item):
            log.debug("work_dropped", **order.ids, reason="another attempt was started")
            return
        attempt = self._run(order, state, item)
        done = self._patience.with_store(lambda: self._flows.execute_one(attempt.request))
        self._conclude(order, attempt, done)

    def run_together(self, orders: Sequence[WorkOrder]) -> list[Fate]:
        """What became of each order, in their order; raises nothing.

        What fails in a batch, or is no script, comes back as `ALONE`; it takes no neighbour down.
        """
        fates = [Fate.LEFT] * len(orders)
        first = 0
        while first < len(orders) and not self._patience.is_over:
            try:
                found = self._turn(orders[first:])
            except TransientError:
                break  # the worker stops, and nobody knows what was recorded: whoever gets the messages finds out
            except Exception:
                log.exception("batch_failed", orders=len(orders) - first)
                found = [Fate.ALONE] * (len(orders) - first)
            fates[first : first + len(found)] = found
            first += len(found)
        return fates

    # ---- one turn: as many as run in a moment ----

    def _turn(self, orders: Sequence[WorkOrder]) -> list[Fate]:
        """The fates of the first few orders, at least of one."""
        until = self._clock() + BATCH_SECONDS
        states = self._patience.with_store(lambda: wanted_states(self._projections, orders))
        tried: list[Fate | _Attempt] = []
        for order in orders:
            tried.append(self._try(order, states.get(order.flow_id)))
            if self._clock() >= until:
                break
        requests = [found.request for found in tried if isinstance(found, _Attempt)]
        with self._along.wanted() if len(tried) == len(orders) else nullcontext():
            answers = iter(self._patience.with_store(lambda: self._flows.execute(requests)) if requests else ())
        return [
            found if isinstance(found, Fate) else self._fate(order, found, next(answers))
            for order, found in zip(orders, tried, strict=False)
        ]

    def _try(self, order: WorkOrder, state: FlowState | None) -> Fate | _Attempt:
        """The script of one order is run; what it leads to, or its fate if there is nothing to record."""
        step = state.plan.steps.get(order.step_id) if state else None
        if state is None or step is None or not order.is_wanted_in(state):
            log.debug("work_dropped", **order.ids, reason="another attempt was started, or there is no such work")
            return Fate.DONE
        if step.type != StepType.SCRIPT:
            return Fate.ALONE
        try:
            item = order.item(state)
            if self._held.keeps(state, order.step_id, order.token, order.attempt):
                log.debug("work_dropped", **order.ids, reason="the step is unhealthy")
                return Fate.DONE
            return self._remembered(order, state, item) or self._run(order, state, item)
        except Exception:  # whatever it is, it concerns this order only, and happens again when it runs alone
            log.exception("batch_member_failed", **order.ids)
            return Fate.ALONE

    def _remembered(self, order: WorkOrder, state: FlowState, item: WorkState) -> _Attempt | None:
        """The record of what the same call gave earlier; only a first attempt asks."""
        step = state.plan.steps[order.step_id]
        if order.attempt != FIRST_ATTEMPT or not step.memoizable:
            return None
        found = self._memo.find(step, effective_inputs(state.executions[order.step_id], item))
        return _Attempt(order.start(memo=found), None) if found else None

    def _run(self, order: WorkOrder, state: FlowState, item: WorkState) -> _Attempt:
        outcome = self._scripts.invoke(order.invocation(state, item))
        return _Attempt(order.run(outcome), outcome)

    def _fate(self, order: WorkOrder, attempt: _Attempt, answer: Done[FlowState] | ArgyllError) -> Fate:
        if isinstance(answer, ArgyllError):
            return Fate.ALONE
        self._conclude(order, attempt, answer)
        return Fate.COMMITTED if answer.events else Fate.DONE

    def _conclude(self, order: WorkOrder, attempt: _Attempt, done: Done[FlowState]) -> None:
        """After the commit: remember the result, and let others know how the script ended."""
        self._memo.keep(done.state, done.events)
        outcome = attempt.outcome
        if outcome is not None:
            self._health.note(order.step_id, outcome.error if isinstance(outcome, Failed) else "")
            report(order, outcome)
