# SPDX-License-Identifier: Apache-2.0
"""An engine whose answers a test lays down and whose calls it reads: the edge alone is under test here."""

from argyll_engine.errors import FlowNotFoundError, StepNotFoundError
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.cluster import ClusterState, HealthStatus, StepHealth
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.listing import FlowPage, FlowStanding
from argyll_engine.model.plan import ExecutionPlan
from argyll_engine.model.trial import TrialResult
from argyll_engine.query import ServedFlow, ServedLog


class RecordingQueries:
    """The read side: hands out what it was given."""

    def __init__(self):
        self.error = None
        self.catalog_state = CatalogState()
        self.cluster_state = ClusterState()
        self.flow_state = None
        self.is_archived = False
        self.items = ()
        self.page = FlowPage(items=(), total=0)
        self.log = ()
        self.asked = []

    def _asked(self, *question):
        self.asked.append(question)
        if self.error:
            raise self.error

    def catalog(self):
        """The catalog."""
        self._asked("catalog")
        return self.catalog_state

    def cluster(self):
        """The cluster."""
        self._asked("cluster")
        return self.cluster_state

    def catalog_log(self):
        """The log, whatever it is of."""
        self._asked("catalog_log")
        return self.log

    def cluster_log(self):
        """The log, whatever it is of."""
        self._asked("cluster_log")
        return self.log

    def flow_log(self, flow_id):
        """The log; an empty one means that there is no such flow."""
        self._asked("flow_log", flow_id)
        if not self.log:
            raise FlowNotFoundError(flow_id)
        return ServedLog(events=self.log, is_archived=self.is_archived)

    def served_flow(self, flow_id):
        """The flow state."""
        self._asked("flow", flow_id)
        return ServedFlow(state=self.flow_state, next_sequence=1, is_archived=self.is_archived)

    def flow_status(self, flow_id):
        """Always active."""
        self._asked("flow_status", flow_id)
        return FlowStanding(status=FlowStatus.ACTIVE, is_archived=self.is_archived)

    def list_flows(self):
        """The rows."""
        self._asked("list_flows")
        return self.items

    def query(self, query):
        """The page."""
        self._asked("query", query)
        return self.page

    def step_health(self, step_id):
        """Unhealthy if registered."""
        self._asked("step_health", step_id)
        if step_id not in self.catalog_state.steps:
            raise StepNotFoundError(step_id)
        return StepHealth(status=HealthStatus.UNHEALTHY, error="node argyll-1: HTTP 500")


class RecordingEngine:
    """The write side: keeps every call, and raises `error` where one is set."""

    node_id = "argyll-1"

    def __init__(self):
        self.queries = RecordingQueries()
        self.calls = []
        self.plan = None
        self.error = None
        self.item_error = None
        self.trial_result = TrialResult(value=True)

    def _called(self, *call):
        self.calls.append(call)
        if self.error:
            raise self.error

    def register_step(self, step):
        """Kept."""
        self._called("register_step", step)

    def update_step(self, step):
        """Kept."""
        self._called("update_step", step)

    def unregister_step(self, step_id):
        """Kept."""
        self._called("unregister_step", step_id)

    def try_script(self, trial):
        """The result that was laid down."""
        self._called("try_script", trial)
        return self.trial_result

    def preview_plan(self, goals, init):
        """The plan that was laid down, else one of nothing but its goals."""
        self._called("preview_plan", goals, dict(init))
        return self.plan or ExecutionPlan(goals=goals)

    def start_flow(self, flow_id, goals, init, labels):
        """Kept."""
        self._called("start_flow", flow_id, goals, dict(init), dict(labels))

    def check_work_item(self, flow_id, step_id, token):
        """Fine unless `item_error` is set."""
        if self.item_error:
            raise self.item_error

    def complete_work(self, flow_id, step_id, token, outputs):
        """Kept."""
        self._called("complete_work", flow_id, step_id, token, outputs)

    def fail_work(self, flow_id, step_id, token, error):
        """Kept."""
        self._called("fail_work", flow_id, step_id, token, error)
