# SPDX-License-Identifier: Apache-2.0
"""The engine: one short verb per use case. Called by the API, the CLI and the tasks; built by `wiring`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from argyll_engine import log as logs
from argyll_engine.archive_changes import ArchiveChanges
from argyll_engine.archived_flows import ArchivedFlows
from argyll_engine.errors import (
    ArgyllError,
    ExecutionNotFoundError,
    FlowNotFoundError,
    WorkItemNotFoundError,
)
from argyll_engine.executor import Done, Executor, Request
from argyll_engine.flow_starts import FlowStarts
from argyll_engine.memo import Memoization
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.cluster import ClusterState, HealthStatus
from argyll_engine.model.commands import (
    CompleteWork,
    FailWork,
    RegisterStep,
    ReportHealth,
    UnregisterStep,
    UpdateStep,
)
from argyll_engine.model.flow import FlowState
from argyll_engine.model.ids import (
    CATALOG_STREAM,
    CLUSTER_STREAM,
    FlowID,
    JSONValue,
    NodeID,
    StepID,
    Token,
    flow_stream,
)
from argyll_engine.model.invocation import Failed, Succeeded
from argyll_engine.model.plan import ExecutionPlan, InitArgs
from argyll_engine.model.start import Start
from argyll_engine.model.step import Step, StepType, WorkConfig, WorkDefaults
from argyll_engine.model.trial import ScriptTrial, TrialResult
from argyll_engine.plan.build import build
from argyll_engine.policy.definition import check_definition
from argyll_engine.policy.outcome import read_outputs
from argyll_engine.ports import ScriptEngine
from argyll_engine.query import Queries
from argyll_engine.script_trial import try_script

log = logs.get(__name__)


class Engine:
    """Registers steps, starts flows, takes results. Reading is `queries`, changing the archive is `archive`.

    Every verb raises StoreUnavailableError when a store does not answer; carrying it out again is safe.
    """

    def __init__(
        self,
        *,
        node_id: NodeID,
        work_defaults: WorkDefaults,
        queries: Queries,
        archived: ArchivedFlows,
        archive: ArchiveChanges,
        scripts: ScriptEngine,
        catalog: Executor[CatalogState],
        cluster: Executor[ClusterState],
        flows: Executor[FlowState],
        memo: Memoization,
        starts: FlowStarts,
    ) -> None:
        self.node_id = node_id
        self.work_defaults = work_defaults
        self.queries = queries
        self.archive = archive
        self._archived = archived
        self._scripts = scripts
        self._catalog = catalog
        self._cluster = cluster
        self._flows = flows
        self._memo = memo
        self._starts = starts

    # ---- steps ----

    def register_step(self, step: Step) -> None:
        """Add a step; the same definition again changes nothing.

        Raises:
            InvalidStepError, StepExistsError
        """
        stored = self._checked(step)
        if self._catalog.execute_one(Request(stream_id=CATALOG_STREAM, command=RegisterStep(step=stored))).events:
            self._reset_health(stored)

    def update_step(self, step: Step) -> None:
        """Replace a step's definition; the same definition again changes nothing.

        Raises:
            InvalidStepError, StepNotFoundError
        """
        stored = self._checked(step)
        if self._catalog.execute_one(Request(stream_id=CATALOG_STREAM, command=UpdateStep(step=stored))).events:
            self._reset_health(stored)

    def unregister_step(self, step_id: StepID) -> None:
        """Remove a step. Raises StepNotFoundError."""
        self._catalog.execute_one(Request(stream_id=CATALOG_STREAM, command=UnregisterStep(step_id=step_id)))

    def try_script(self, trial: ScriptTrial) -> TrialResult:
        """What a script would give a step, without one; nothing is stored.

        Raises:
            InvalidRequestError, ScriptError
        """
        return try_script(self._scripts, trial)

    # ---- flows ----

    def preview_plan(self, goals: tuple[StepID, ...], init: InitArgs) -> ExecutionPlan:
        """What a start with these goals would run, unsatisfiable chains included.

        Raises:
            PlanError, StepNotFoundError
        """
        return build(self.queries.catalog(), goals, init, self._scripts.match, preview=True)

    def start_flow(self, flow_id: FlowID, goals: tuple[StepID, ...], init: InitArgs, labels: Mapping[str, str]) -> None:
        """Start a flow; the same start again changes nothing.

        Raises:
            PlanError, StepNotFoundError, BlockedGoalsError, MissingInputsError, FlowExistsError, StoreFullError
        """
        (refused,) = self.start_flows([Start(flow_id=flow_id, goals=goals, init=init, labels=labels)])
        if refused is not None:
            raise refused

    def start_flows(self, starts: Sequence[Start]) -> list[ArgyllError | None]:
        """Start many flows at once, each as if alone: None for one that is started, else what `start_flow` raises.

        Several of one id are started one after the other. What nobody foresaw is the fault of one, with a BrokenError.
        Raises StoreUnavailableError or StoreFullError for all of them. Of several flow stores, one that is away or full
        is what those starts are refused for that it concerns.
        """
        return self._starts.start(starts)

    # ---- results from outside ----

    def check_work_item(self, flow_id: FlowID, step_id: StepID, token: Token) -> Step:
        """The definition of the step that a work item belongs to.

        Raises:
            FlowNotFoundError, ExecutionNotFoundError, WorkItemNotFoundError: in this order.
        """
        state = self.queries.flow(flow_id)
        ex = state.executions.get(step_id)
        if ex is None:
            raise ExecutionNotFoundError(flow_id, step_id)
        if token not in ex.work_items:
            raise WorkItemNotFoundError(flow_id, step_id, token)
        return state.plan.steps[step_id]

    def complete_work(
        self, flow_id: FlowID, step_id: StepID, token: Token, outputs: Mapping[str, JSONValue] | None
    ) -> None:
        """Record what a step's service sent; a finished item stays as it is.

        Raises:
            FlowNotFoundError, ExecutionNotFoundError, WorkItemNotFoundError
        """
        match read_outputs(self.check_work_item(flow_id, step_id, token), outputs):
            case Succeeded(outputs=result):
                command: CompleteWork | FailWork = CompleteWork(step_id=step_id, token=token, outputs=result)
            case Failed(error=error):
                command = FailWork(step_id=step_id, token=token, error=error)
        done = self._report(flow_id, command)
        if done is not None:
            self._memo.keep(done.state, done.events)

    def fail_work(self, flow_id: FlowID, step_id: StepID, token: Token, error: str) -> None:
        """Record that a work item failed for good; a finished item stays as it is.

        Raises:
            FlowNotFoundError, ExecutionNotFoundError, WorkItemNotFoundError
        """
        self.check_work_item(flow_id, step_id, token)
        self._report(flow_id, FailWork(step_id=step_id, token=token, error=error))

    def _report(self, flow_id: FlowID, command: CompleteWork | FailWork) -> Done[FlowState] | None:
        """What a report came to; None for an archived flow, for which it is too late."""
        request = Request(stream_id=flow_stream(flow_id), command=command, released=(command.token,))
        try:
            return self._flows.execute_one(request)
        except FlowNotFoundError:
            if self._archived.digest(flow_id) is None:
                raise
            return None

    # ---- parts ----

    def _checked(self, step: Step) -> Step:
        """The step as it is stored: engine defaults filled in, then checked. Source: the contract, http §1.6."""
        work_config = (step.work_config or WorkConfig()).filled(self.work_defaults)
        stored = replace(step, work_config=work_config)
        check_definition(stored, self._scripts.check)
        return stored

    def _reset_health(self, step: Step) -> None:
        """A script that compiled is healthy; of the others nothing is known yet."""
        status = HealthStatus.HEALTHY if step.type == StepType.SCRIPT else HealthStatus.UNKNOWN
        command = ReportHealth(node_id=self.node_id, step_id=step.id, status=status)
        self._cluster.execute_one(Request(stream_id=CLUSTER_STREAM, command=command))
