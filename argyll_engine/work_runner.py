# SPDX-License-Identifier: Apache-2.0
"""Runs one work item: is this attempt still wanted? invoke the step, record the outcome.

Called by the tasks. A message that is late, repeated or about another attempt finds the flow moved on and is dropped.
Scripts, which many messages may share a commit for, are run in `script_runner.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from argyll_engine import log as logs
from argyll_engine.child_flows import ChildFlows
from argyll_engine.errors import FlowNotFoundError, NotFoundError, TransientError
from argyll_engine.executor import Done, Executor, Request
from argyll_engine.held_work import HeldWork
from argyll_engine.memo import Memoization
from argyll_engine.model.commands import WakeStep
from argyll_engine.model.flow import FlowState, WorkState
from argyll_engine.model.ids import FlowID, StepID, Token, child_flow_id, flow_stream
from argyll_engine.model.invocation import Accepted, Failed, Outcome
from argyll_engine.model.step import StepType
from argyll_engine.patience import Patience
from argyll_engine.policy.outcome import not_completed
from argyll_engine.policy.work import FIRST_ATTEMPT, effective_inputs
from argyll_engine.ports import Claim, StepClient, WorkLeases
from argyll_engine.projections import Projections
from argyll_engine.read_along import ReadAlong
from argyll_engine.script_health import ScriptHealth
from argyll_engine.script_runner import Fate, ScriptRunner
from argyll_engine.work_order import WorkOrder, report, webhook_url

CRASH_TEXT: Final = 1_000
"""Characters of an unexpected error that are recorded."""

log = logs.get(__name__)


class WorkRunner:
    """What a worker does with the messages of flows.

    Args:
        worker_id: the name under which this process holds work.
        children: what runs flow steps.
        health: what hears how scripts end.
        held: what keeps work of unhealthy steps.
        memo: what remembers the results of memoizable steps.
        clients: a client for each other step type.
        webhook_base_url: where asynchronous steps send their outcome.
        along: lets the last commit of a batch of scripts bring the next messages.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        flows: Executor[FlowState],
        projections: Projections[FlowState],
        leases: WorkLeases,
        children: ChildFlows,
        health: ScriptHealth,
        held: HeldWork,
        memo: Memoization,
        clients: Mapping[str, StepClient],
        webhook_base_url: str,
        along: ReadAlong | None = None,
    ) -> None:
        self.worker_id = worker_id
        self._flows = flows
        self._projections = projections
        self._leases = leases
        self._children = children
        self._held = held
        self._memo = memo
        self._clients = clients
        self._webhook_base_url = webhook_base_url
        self._patience = Patience()
        self._scripts = ScriptRunner(
            flows=flows,
            projections=projections,
            health=health,
            held=held,
            memo=memo,
            scripts=clients[StepType.SCRIPT],
            patience=self._patience,
            along=along,
        )

    def run(self, flow_id: FlowID, step_id: StepID, token: Token, attempt: int, delivery_tag: str = "") -> None:
        """Run this attempt of a work item, unless the flow has moved on, and record how it ended.

        Raises:
            StoreUnavailableError: the store was away when the worker was told to stop; the message must come again.
        """
        order = WorkOrder(flow_id=flow_id, step_id=step_id, token=token, attempt=attempt, delivery_tag=delivery_tag)
        try:
            state = self._patience.with_store(lambda: self._state(order))
            item = order.item(state)
            step_type = state.plan.steps[step_id].type
            if self._patience.with_store(lambda: self._held.keeps(state, step_id, token, attempt)):
                log.debug("work_dropped", **order.ids, reason="the step is unhealthy")
            elif self._is_remembered(order, state, item):
                log.debug("work_remembered", **order.ids)
            elif step_type == StepType.SCRIPT:
                self._scripts.run_alone(order, state, item)
            elif step_type == StepType.FLOW:
                self._run_child(order)
            else:
                self._run_call(order)
        except NotFoundError as exc:
            log.debug("work_dropped", **order.ids, reason=str(exc))
        except TransientError:
            raise
        except Exception as exc:  # a claim that nobody ends would hold its flow for as long as this worker lives
            log.exception("work_crashed", **order.ids)
            self.record_crash(order, exc)

    def run_together(self, orders: Sequence[WorkOrder]) -> list[Fate]:
        """What became of each order, in their order, when those that are scripts were run as one batch."""
        return self._scripts.run_together(orders)

    def wake(self, flow_id: FlowID, step_id: StepID) -> None:
        """Look at a pending step whose deadline has come. Raises StoreUnavailableError."""
        try:
            self._flows.execute_one(Request(stream_id=flow_stream(flow_id), command=WakeStep(step_id=step_id)))
        except NotFoundError as exc:
            log.debug("work_dropped", flow_id=flow_id, step_id=step_id, reason=str(exc))

    def record_crash(self, order: WorkOrder, exc: Exception) -> None:
        """End the attempt: a call may be tried again, within the step's retries; a script fails.

        Raises StoreUnavailableError, NotFoundError.
        """
        step = self._patience.with_store(lambda: self._state(order)).plan.steps[order.step_id]
        error = f"the worker could not run it: {type(exc).__name__}: {exc}"[:CRASH_TEXT]
        outcome = Failed(error=error) if step.type == StepType.SCRIPT else not_completed(error)
        request = order.run(outcome) if step.type == StepType.SCRIPT else order.result(outcome, order.attempt)
        self._patience.with_store(lambda: self._flows.execute([request]))

    def stop(self, **_signal: object) -> None:
        """Let whoever waits for the store give up now."""
        self._patience.end()

    # ---- remembered results ----

    def _is_remembered(self, order: WorkOrder, state: FlowState, item: WorkState) -> bool:
        """Whether the result of the same call is known; it is recorded then, if this attempt is still wanted.

        Only a first attempt asks: who has to try again wants an answer of now. Source: the contract, execution §5.
        """
        if order.attempt != FIRST_ATTEMPT or not order.is_wanted(item):
            return False
        inputs = effective_inputs(state.executions[order.step_id], item)
        found = self._memo.find(state.plan.steps[order.step_id], inputs)
        if found is not None:
            self._patience.with_store(lambda: self._flows.execute_one(order.start(memo=found)))
        return found is not None

    # ---- calls: the start is the claim, then the call, then the result ----

    def _run_call(self, order: WorkOrder) -> None:
        state = self._begin(order)
        if state is None:
            log.debug("work_dropped", **order.ids, reason="another attempt was started, or it is not due")
            return
        outcome = self._invoke(order, state, order.item(state))
        if not isinstance(
            outcome, Accepted
        ):  # the claim of an accepted call stays until its webhook, or this worker's end
            request = order.result(outcome)  # the first answer counts, whichever attempt it is of
            done = self._patience.with_store(lambda: self._flows.execute_one(request))
            self._memo.keep(done.state, done.events)
        report(order, outcome)

    def _run_child(self, order: WorkOrder) -> None:
        """Start the child; its end, which may have come already, ends the item."""
        state = self._begin(order)
        if state is None:
            log.debug("work_dropped", **order.ids, reason="another attempt was started, or it is not due")
            return
        refusal = self._patience.with_store(lambda: self._children.start(state, order.step_id, order.token))
        if refusal:
            request = order.result(Failed(error=refusal))
            self._patience.with_store(lambda: self._flows.execute_one(request))
            return
        self._patience.with_store(lambda: self._leases.accept(order.flow_id, order.token))
        child_id = child_flow_id(order.flow_id, order.step_id, order.token)
        self._patience.with_store(lambda: self._children.complete_parent(child_id))

    def _begin(self, order: WorkOrder) -> FlowState | None:
        """The flow with this attempt claimed; None if it is not ours to make.

        When the store went away meanwhile, the claim may have been recorded without our hearing of it. Then an attempt
        that is found running is taken for ours: nobody else would make its call while this worker lives.
        """
        claim = Claim(token=order.token, worker_id=self.worker_id)
        request = replace(order.start(), claim=claim)
        tries = 0

        def claim_it() -> Done[FlowState]:
            nonlocal tries
            tries += 1
            return self._flows.execute_one(request)

        started = self._patience.with_store(claim_it)
        is_ours = started.events or (tries > 1 and order.is_running(order.item(started.state)))
        return started.state if is_ours else None

    # ---- parts ----

    def _state(self, order: WorkOrder) -> FlowState:
        """The flow as this process last saw it; what is decided on it is checked by the commit."""
        projection = self._projections.cached(order.stream_id)
        if projection is None or not order.is_wanted_in(projection.state):
            (projection,) = self._projections.load([order.stream_id])
        if projection.state is None:
            raise FlowNotFoundError(order.flow_id)
        return projection.state

    def _invoke(self, order: WorkOrder, state: FlowState, item: WorkState) -> Outcome:
        step = state.plan.steps[order.step_id]
        url = webhook_url(self._webhook_base_url, order, step)
        return self._clients[step.type].invoke(order.invocation(state, item, url))
