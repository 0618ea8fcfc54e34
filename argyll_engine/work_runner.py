# SPDX-License-Identifier: Apache-2.0
"""Runs one work item: is this attempt still wanted? invoke the step, record the outcome.

Called by the tasks. A message that is late, repeated or about another attempt finds the flow moved on and is dropped.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import Event
from typing import Final, TypeVar

from argyll_engine import log as logs
from argyll_engine.child_flows import ChildFlows
from argyll_engine.errors import (
    ArgyllError,
    BrokenError,
    ExecutionNotFoundError,
    FlowNotFoundError,
    NotFoundError,
    TransientError,
    WorkItemNotFoundError,
)
from argyll_engine.executor import Done, Executor, Request
from argyll_engine.held_work import HeldWork
from argyll_engine.memo import Memoization
from argyll_engine.model.commands import Command, CompleteWork, FailWork, NotCompleteWork, StartWork, WakeStep
from argyll_engine.model.flow import FlowState, WorkState, WorkStatus
from argyll_engine.model.ids import FlowID, StepID, Token, child_flow_id, flow_stream
from argyll_engine.model.invocation import Accepted, Failed, Invocation, NotCompleted, Outcome, Succeeded
from argyll_engine.model.step import StepType
from argyll_engine.policy.arguments import build_arguments, build_metadata
from argyll_engine.policy.outcome import not_completed
from argyll_engine.policy.work import FIRST_ATTEMPT, effective_inputs
from argyll_engine.ports import Claim, StepClient, WorkLeases
from argyll_engine.projections import Projections
from argyll_engine.script_health import ScriptHealth

FIRST_WAIT_SECONDS: Final = 0.1
LONGEST_WAIT_SECONDS: Final = 2.0
CRASH_TEXT: Final = 1_000
"""Characters of an unexpected error that are recorded."""

T = TypeVar("T")

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
    ) -> None:
        self.worker_id = worker_id
        self._flows = flows
        self._projections = projections
        self._leases = leases
        self._children = children
        self._health = health
        self._held = held
        self._memo = memo
        self._clients = clients
        self._webhook_base_url = webhook_base_url
        self._stopping = Event()

    def run(self, flow_id: FlowID, step_id: StepID, token: Token, attempt: int, delivery_tag: str = "") -> None:
        """Run this attempt of a work item, unless the flow has moved on, and record how it ended.

        Raises:
            StoreUnavailableError: the store was away when the worker was told to stop; the message must come again.
        """
        work = _Work(flow_id=flow_id, step_id=step_id, token=token, attempt=attempt, delivery_tag=delivery_tag)
        try:
            state = self._patiently(lambda: self._state(work))
            item = work.item(state)
            step_type = state.plan.steps[step_id].type
            if self._patiently(lambda: self._held.keeps(state, step_id, token, attempt)):
                log.debug("work_dropped", **work.ids, reason="the step is unhealthy")
            elif self._is_remembered(work, state, item):
                log.debug("work_remembered", **work.ids)
            elif step_type == StepType.SCRIPT:
                self._run_script(work, state, item)
            elif step_type == StepType.FLOW:
                self._run_child(work)
            else:
                self._run_call(work)
        except NotFoundError as exc:
            log.debug("work_dropped", **work.ids, reason=str(exc))
        except TransientError:
            raise
        except Exception as exc:  # a claim that nobody ends would hold its flow for as long as this worker lives
            log.exception("work_crashed", **work.ids)
            self._record_crash(work, exc)

    def wake(self, flow_id: FlowID, step_id: StepID) -> None:
        """Look at a pending step whose deadline has come. Raises StoreUnavailableError."""
        try:
            self._flows.execute_one(Request(stream_id=flow_stream(flow_id), command=WakeStep(step_id=step_id)))
        except NotFoundError as exc:
            log.debug("work_dropped", flow_id=flow_id, step_id=step_id, reason=str(exc))

    def stop(self, **_signal: object) -> None:
        """Let whoever waits for the store give up now."""
        self._stopping.set()

    # ---- remembered results ----

    def _is_remembered(self, work: "_Work", state: FlowState, item: WorkState) -> bool:
        """Whether the result of the same call is known; it is recorded then, if this attempt is still wanted.

        Only a first attempt asks: who has to try again wants an answer of now. Source: the contract, execution §5.
        """
        if work.attempt != FIRST_ATTEMPT or not work.is_wanted(item):
            return False
        inputs = effective_inputs(state.executions[work.step_id], item)
        found = self._memo.find(state.plan.steps[work.step_id], inputs)
        if found is not None:
            request = replace(self._start(work), memo=found, delivery_tag=work.delivery_tag)
            self._patiently(lambda: self._flows.execute_one(request))
        return found is not None

    # ---- scripts: start and result are one commit ----

    def _run_script(self, work: "_Work", state: FlowState, item: WorkState) -> None:
        """Run the script first and record both its start and its outcome, if it is still wanted then."""
        if not work.is_wanted(item):
            log.debug("work_dropped", **work.ids, reason="another attempt was started")
            return
        outcome = self._invoke(work, state, item)
        requests = [self._start(work), self._result(work, outcome, work.attempt)]
        answers = self._patiently(lambda: self._flows.execute(requests))
        for answer in answers:
            if isinstance(answer, ArgyllError):
                raise answer
            self._memo.keep(answer.state, answer.events)
        self._health.note(work.step_id, outcome.error if isinstance(outcome, Failed) else "")
        _report(work, outcome)

    # ---- calls: the start is the claim, then the call, then the result ----

    def _run_call(self, work: "_Work") -> None:
        state = self._begin(work)
        if state is None:
            log.debug("work_dropped", **work.ids, reason="another attempt was started, or it is not due")
            return
        outcome = self._invoke(work, state, work.item(state))
        if not isinstance(
            outcome, Accepted
        ):  # the claim of an accepted call stays until its webhook, or this worker's end
            request = self._result(work, outcome)  # the first answer counts, whichever attempt it is of
            done = self._patiently(lambda: self._flows.execute_one(request))
            self._memo.keep(done.state, done.events)
        _report(work, outcome)

    def _run_child(self, work: "_Work") -> None:
        """Start the child; its end, which may have come already, ends the item."""
        state = self._begin(work)
        if state is None:
            log.debug("work_dropped", **work.ids, reason="another attempt was started, or it is not due")
            return
        refusal = self._patiently(lambda: self._children.start(state, work.step_id, work.token))
        if refusal:
            request = self._result(work, Failed(error=refusal))
            self._patiently(lambda: self._flows.execute_one(request))
            return
        self._patiently(lambda: self._leases.accept(work.flow_id, work.token))
        child_id = child_flow_id(work.flow_id, work.step_id, work.token)
        self._patiently(lambda: self._children.complete_parent(child_id))

    def _begin(self, work: "_Work") -> FlowState | None:
        """The flow with this attempt claimed; None if it is not ours to make.

        When the store went away meanwhile, the claim may have been recorded without our hearing of it. Then an attempt
        that is found running is taken for ours: nobody else would make its call while this worker lives.
        """
        claim = Claim(token=work.token, worker_id=self.worker_id)
        request = replace(self._start(work), claim=claim)
        tries = 0

        def claim_it() -> Done[FlowState]:
            nonlocal tries
            tries += 1
            return self._flows.execute_one(request)

        started = self._patiently(claim_it)
        is_ours = started.events or (tries > 1 and work.is_running(work.item(started.state)))
        return started.state if is_ours else None

    # ---- parts ----

    def _record_crash(self, work: "_Work", exc: Exception) -> None:
        """End the attempt: a call may be tried again, within the step's retries; a script fails."""
        step = self._patiently(lambda: self._state(work)).plan.steps[work.step_id]
        error = f"the worker could not run it: {type(exc).__name__}: {exc}"[:CRASH_TEXT]
        outcome = Failed(error=error) if step.type == StepType.SCRIPT else not_completed(error)
        result = self._result(work, outcome, work.attempt)
        requests = [self._start(work), result] if step.type == StepType.SCRIPT else [result]
        self._patiently(lambda: self._flows.execute(requests))

    def _state(self, work: "_Work") -> FlowState:
        """The flow as this process last saw it; what is decided on it is checked by the commit."""
        stream_id = flow_stream(work.flow_id)
        projection = self._projections.cached(stream_id)
        if projection is None or not work.is_wanted_in(projection.state):
            (projection,) = self._projections.load([stream_id])
        if projection.state is None:
            raise FlowNotFoundError(work.flow_id)
        return projection.state

    def _start(self, work: "_Work") -> Request:
        command = StartWork(step_id=work.step_id, token=work.token, attempt=work.attempt)
        return Request(stream_id=flow_stream(work.flow_id), command=command)

    def _result(self, work: "_Work", outcome: Outcome, attempt: int | None = None) -> Request:
        return Request(
            stream_id=flow_stream(work.flow_id),
            command=_command(work, outcome, attempt),
            released=(work.token,),
            delivery_tag=work.delivery_tag,
        )

    def _invoke(self, work: "_Work", state: FlowState, item: WorkState) -> Outcome:
        step = state.plan.steps[work.step_id]
        client = self._clients[step.type]
        is_async = step.type == StepType.ASYNC
        path = f"/webhook/{work.flow_id}/{work.step_id}/{work.token}"
        webhook_url = self._webhook_base_url + path if is_async else ""
        metadata = build_metadata(state, work.step_id, work.token, webhook_url)
        return client.invoke(
            Invocation(
                flow_id=work.flow_id,
                step_id=work.step_id,
                token=work.token,
                attempt=work.attempt,
                step=step,
                arguments=build_arguments(step, effective_inputs(state.executions[work.step_id], item), metadata),
                webhook_url=webhook_url,
            )
        )

    def _patiently(self, record: Callable[[], T]) -> T:
        """Do something with the store, waiting for it while it is away, for as long as the worker is to run.

        A step's answer must not be lost for an outage: until this worker stops, nobody else would call the step again.
        """
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                return record()
            except TransientError as exc:
                log.warning("redis connection lost", error=str(exc))
                if self._stopping.wait(wait):
                    raise
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What a message asks for."""

    flow_id: FlowID
    step_id: StepID
    token: Token
    attempt: int
    delivery_tag: str

    @property
    def ids(self) -> dict[str, object]:
        """The names of this work in the log."""
        ids = {"flow_id": self.flow_id, "step_id": self.step_id, "token": self.token}
        return ids | {"attempt": self.attempt}

    def item(self, state: FlowState) -> WorkState:
        """The work item. Raises ExecutionNotFoundError, WorkItemNotFoundError."""
        ex = state.executions.get(self.step_id)
        if ex is None:
            raise ExecutionNotFoundError(self.flow_id, self.step_id)
        item = ex.work_items.get(self.token)
        if item is None:
            raise WorkItemNotFoundError(self.flow_id, self.step_id, self.token)
        return item

    def is_wanted(self, item: WorkState) -> bool:
        """Whether this attempt is the next one of an item that has not ended."""
        is_open = item.status in (WorkStatus.PENDING, WorkStatus.ACTIVE)
        return is_open and item.attempt + 1 == self.attempt

    def is_running(self, item: WorkState) -> bool:
        """Whether this attempt was started and has not ended."""
        return item.status is WorkStatus.ACTIVE and item.attempt == self.attempt

    def is_wanted_in(self, state: FlowState | None) -> bool:
        """The same for a flow that may not have the item."""
        ex = state.executions.get(self.step_id) if state else None
        item = ex.work_items.get(self.token) if ex else None
        return item is not None and self.is_wanted(item)


def _command(work: _Work, outcome: Outcome, attempt: int | None) -> Command:
    match outcome:
        case Succeeded(outputs=outputs):
            return CompleteWork(step_id=work.step_id, token=work.token, outputs=outputs, attempt=attempt)
        case NotCompleted(error=error):
            return NotCompleteWork(step_id=work.step_id, token=work.token, attempt=work.attempt, error=error)
        case Failed(error=error):
            return FailWork(step_id=work.step_id, token=work.token, error=error, attempt=attempt)
        case Accepted():
            raise BrokenError("an accepted call has no outcome to record")


def _report(work: _Work, outcome: Outcome) -> None:
    match outcome:
        case Failed(error=error):
            log.error("step execution failed", **work.ids, error=error)
        case NotCompleted(error=error):
            log.warning("work_not_completed", **work.ids, error=error)
        case _:
            log.debug("work_succeeded", **work.ids)
