# SPDX-License-Identifier: Apache-2.0
"""Flow steps: a work item that is a flow of its own. Starting the child, and bringing its outcome to the parent.

Called by the tasks. A child's id follows from its parent's work item, so that starting it twice is the same start,
and the parent hears of it by a message committed with the child's deactivation. Source: the contract, execution §6.
"""

from argyll_engine import log as logs
from argyll_engine.errors import (
    ArgyllError,
    BlockedGoalsError,
    FlowArchivedError,
    MissingInputsError,
    NotFoundError,
    TransientError,
)
from argyll_engine.executor import Executor, Request
from argyll_engine.memo import Memoization
from argyll_engine.model.commands import Command, CompleteWork, FailWork, StartFlow
from argyll_engine.model.flow import FlowState, FlowStatus
from argyll_engine.model.ids import FlowID, JSONValue, Name, StepID, Token, child_flow_id, flow_stream
from argyll_engine.model.step import Step
from argyll_engine.plan.inputs import blocked_goals, missing_inputs
from argyll_engine.policy.work import effective_inputs
from argyll_engine.projections import Projections

log = logs.get(__name__)


class ChildFlows:
    """Starts children and completes their parents; every verb may be repeated."""

    def __init__(self, *, flows: Executor[FlowState], projections: Projections[FlowState], memo: Memoization) -> None:
        self._flows = flows
        self._projections = projections
        self._memo = memo

    def start(self, parent: FlowState, step_id: StepID, token: Token) -> str:
        """Start the child of a work item; the reason if it cannot be, else an empty text."""
        ex = parent.executions[step_id]
        plan = parent.plan.children[step_id]
        inputs = effective_inputs(ex, ex.work_items[token])
        init = {Name(name): (value,) for name, value in inputs.items()}
        parentage = {"parent_flow_id": parent.id, "parent_step_id": step_id, "parent_work_item_token": token}
        command = StartFlow(
            flow_id=child_flow_id(parent.id, step_id, token),
            plan=plan,
            init=init,
            metadata={**parent.metadata, **parentage},
        )
        try:
            if blocked := blocked_goals(plan):
                raise BlockedGoalsError(blocked)
            if missing := missing_inputs(plan, init):
                raise MissingInputsError(missing)
            self._flows.execute_one(Request(stream_id=flow_stream(command.flow_id), command=command))
        except TransientError:
            raise
        except FlowArchivedError:
            return ""  # its id says that it is the flow of this work item
        except ArgyllError as exc:
            return str(exc)
        return ""

    def complete_parent(self, child_id: FlowID) -> None:
        """Give the outcome of a child that has ended to its parent's work item; nothing while it goes on."""
        (projection,) = self._projections.load([flow_stream(child_id)])
        child = projection.state
        if child is None or child.deactivated_at is None:
            return
        parent_id = FlowID(child.metadata["parent_flow_id"])
        step_id, token = StepID(child.metadata["parent_step_id"]), Token(child.metadata["parent_work_item_token"])
        try:
            (loaded,) = self._projections.load([flow_stream(parent_id)])
            if loaded.state is None:
                return
            command = _outcome(child, loaded.state.plan.steps[step_id], step_id, token)
            request = Request(stream_id=flow_stream(parent_id), command=command, released=(token,))
            done = self._flows.execute_one(request)
            self._memo.keep(done.state, done.events)
        except NotFoundError as exc:
            log.warning("child_without_parent", flow_id=child_id, reason=str(exc))


def _outcome(child: FlowState, step: Step, step_id: StepID, token: Token) -> Command:
    """What a child that has ended means for its parent's work item: the first value of each of its attributes."""
    if child.status is FlowStatus.FAILED:
        return FailWork(step_id=step_id, token=token, error=child.error or "child flow failed")
    outputs: dict[str, JSONValue] = {name: values[0].value for name, values in child.attributes.items() if values}
    for name in step.outputs():
        mapping = step.attributes[name].mapping
        if mapping and mapping.name and mapping.name not in outputs:
            return FailWork(step_id=step_id, token=token, error=f"flow output missing: {mapping.name}")
    return CompleteWork(step_id=step_id, token=token, outputs=outputs)
