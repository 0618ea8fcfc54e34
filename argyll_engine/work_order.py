# SPDX-License-Identifier: Apache-2.0
"""What a message asks for: one attempt of a work item. Whether a flow still wants it, and the requests it leads to.

Made by the tasks; used by `work_runner.py` and `script_runner.py`. Nothing here touches a store.
"""

from msgspec import Struct

from argyll_engine import log as logs
from argyll_engine.errors import BrokenError, ExecutionNotFoundError, WorkItemNotFoundError
from argyll_engine.executor import Request
from argyll_engine.model.commands import Command, CompleteWork, FailWork, NotCompleteWork, RecordRun, StartWork
from argyll_engine.model.flow import FlowState, WorkState, WorkStatus
from argyll_engine.model.ids import FlowID, StepID, StreamID, Token, flow_stream
from argyll_engine.model.invocation import Accepted, Failed, Invocation, NotCompleted, Outcome, Succeeded
from argyll_engine.model.step import Step, StepType
from argyll_engine.policy.arguments import build_arguments, build_metadata
from argyll_engine.policy.work import effective_inputs

log = logs.get(__name__)


class WorkOrder(Struct, frozen=True, kw_only=True):
    """One attempt of a work item; `delivery_tag` names the message that asked for it.

    `log` holds the first events of the flow, one a line, if the message brought them; they may not be all by now.
    """

    flow_id: FlowID
    step_id: StepID
    token: Token
    attempt: int
    delivery_tag: str = ""
    log: str = ""

    @property
    def ids(self) -> dict[str, object]:
        """The names of this work in the log."""
        ids = {"flow_id": self.flow_id, "step_id": self.step_id, "token": self.token}
        return ids | {"attempt": self.attempt}

    @property
    def stream_id(self) -> StreamID:
        """The stream of its flow."""
        return flow_stream(self.flow_id)

    # ---- the work item in a flow ----

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

    def invocation(self, state: FlowState, item: WorkState, webhook_url: str = "") -> Invocation:
        """The call to make; `webhook_url` for asynchronous steps."""
        step = state.plan.steps[self.step_id]
        metadata = build_metadata(state, self.step_id, self.token, webhook_url)
        return Invocation(
            flow_id=self.flow_id,
            step_id=self.step_id,
            token=self.token,
            attempt=self.attempt,
            step=step,
            arguments=build_arguments(step, effective_inputs(state.executions[self.step_id], item), metadata),
            webhook_url=webhook_url,
        )

    # ---- what is recorded of it ----

    def start(self, memo: Succeeded | None = None) -> Request:
        """Asks for the start of the attempt, or for the record of a remembered result, which ends the message too."""
        command = StartWork(step_id=self.step_id, token=self.token, attempt=self.attempt)
        tag = self.delivery_tag if memo else ""
        return Request(stream_id=self.stream_id, command=command, memo=memo, delivery_tag=tag)

    def run(self, outcome: Outcome) -> Request:
        """Asks for the record of a script that was run: its start and its outcome."""
        result = self._command(outcome, self.attempt)
        if not isinstance(result, CompleteWork | FailWork):
            raise BrokenError(f"a script ended as {type(outcome).__name__}")
        start = StartWork(step_id=self.step_id, token=self.token, attempt=self.attempt)
        return Request(
            stream_id=self.stream_id,
            command=RecordRun(start=start, result=result),
            released=(self.token,),
            delivery_tag=self.delivery_tag,
        )

    def result(self, outcome: Outcome, attempt: int | None = None) -> Request:
        """Asks for the record of an outcome; with an `attempt`, only while that one runs."""
        return Request(
            stream_id=self.stream_id,
            command=self._command(outcome, attempt),
            released=(self.token,),
            delivery_tag=self.delivery_tag,
        )

    def _command(self, outcome: Outcome, attempt: int | None) -> Command:
        match outcome:
            case Succeeded(outputs=outputs):
                return CompleteWork(step_id=self.step_id, token=self.token, outputs=outputs, attempt=attempt)
            case NotCompleted(error=error):
                return NotCompleteWork(step_id=self.step_id, token=self.token, attempt=self.attempt, error=error)
            case Failed(error=error):
                return FailWork(step_id=self.step_id, token=self.token, error=error, attempt=attempt)
            case Accepted():
                raise BrokenError("an accepted call has no outcome to record")


def webhook_url(base_url: str, order: WorkOrder, step: Step) -> str:
    """Where an asynchronous step sends the outcome of an order; empty for other steps."""
    path = f"/webhook/{order.flow_id}/{order.step_id}/{order.token}"
    return base_url + path if step.type == StepType.ASYNC else ""


def report(order: WorkOrder, outcome: Outcome) -> None:
    """Says in the log how an attempt ended; of failures the commit that records them tells (`flow_log.py`)."""
    match outcome:
        case Succeeded() | Accepted():
            log.debug("work_succeeded", **order.ids)
        case NotCompleted(error=error):
            log.warning("work_not_completed", **order.ids, error=error)
