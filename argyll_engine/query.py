# SPDX-License-Identifier: Apache-2.0
"""The read side: states, logs and lists as of now. Nothing here writes.

Every answer is checked against the store, so that whatever was answered to a writer is seen by every process.
"""

from functools import partial

from argyll_engine.errors import FlowNotFoundError, StepNotFoundError
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.cluster import ClusterState, StepHealth
from argyll_engine.model.flow import FlowState, FlowStatus
from argyll_engine.model.ids import CATALOG_STREAM, CLUSTER_STREAM, FlowID, StepID, StreamID, flow_stream
from argyll_engine.model.listing import FlowItem, FlowPage, FlowQuery
from argyll_engine.model.step import StepType
from argyll_engine.plan.health import FlowHealth
from argyll_engine.policy.health import merged_health
from argyll_engine.ports import EventStore, FlowIndex
from argyll_engine.projections import Projections


class Queries:
    """Answers questions. Every method raises StoreUnavailableError when a store does not answer."""

    def __init__(
        self,
        *,
        engine_store: EventStore,
        flow_store: EventStore,
        index: FlowIndex,
        catalog: Projections[CatalogState],
        cluster: Projections[ClusterState],
        flows: Projections[FlowState],
    ) -> None:
        self._engine_store = engine_store
        self._flow_store = flow_store
        self._index = index
        self._catalog = catalog
        self._cluster = cluster
        self._flows = flows

    def aggregate(self, stream_id: StreamID) -> tuple[CatalogState | ClusterState | FlowState | None, int]:
        """The state of any stream, None for a flow that is not there, and the sequence of its next event."""
        match stream_id:
            case ("catalog",):
                (catalog,) = self._catalog.load([stream_id])
                return catalog.state or CatalogState(), catalog.next_sequence
            case ("cluster",):
                (cluster,) = self._cluster.load([stream_id])
                return cluster.state or ClusterState(), cluster.next_sequence
        (flow,) = self._flows.load([stream_id])
        return flow.state, flow.next_sequence

    def catalog(self) -> CatalogState:
        """The registered steps."""
        (projection,) = self._catalog.load([CATALOG_STREAM])
        return projection.state or CatalogState()

    def cluster(self) -> ClusterState:
        """The health that nodes reported."""
        (projection,) = self._cluster.load([CLUSTER_STREAM])
        return projection.state or ClusterState()

    def catalog_log(self) -> tuple[bytes, ...]:
        """The catalog's events as served."""
        return self._engine_store.read_log(CATALOG_STREAM)

    def cluster_log(self) -> tuple[bytes, ...]:
        """The cluster's events as served."""
        return self._engine_store.read_log(CLUSTER_STREAM)

    def step_health(self, step_id: StepID) -> StepHealth:
        """The worst that any node says of a step; of a flow step, what follows from the steps of its plan.

        Raises StepNotFoundError. Source: the contract, execution §7 and http §1.5.
        """
        catalog = self.catalog()
        step = catalog.steps.get(step_id)
        if step is None:
            raise StepNotFoundError(step_id)
        reported = partial(merged_health, self.cluster())
        return FlowHealth(catalog, reported).of(step_id) if step.type == StepType.FLOW else reported(step_id)

    def flow(self, flow_id: FlowID) -> FlowState:
        """The state of a flow. Raises FlowNotFoundError."""
        (projection,) = self._flows.load([flow_stream(flow_id)])
        if projection.state is None:
            raise FlowNotFoundError(flow_id)
        return projection.state

    def flow_log(self, flow_id: FlowID) -> tuple[bytes, ...]:
        """The flow's events as served, complete. Raises FlowNotFoundError."""
        log = self._flow_store.read_log(flow_stream(flow_id))
        if not log:
            raise FlowNotFoundError(flow_id)
        return log

    def flow_status(self, flow_id: FlowID) -> FlowStatus:
        """The indexed status, which is active until the flow is deactivated. Raises FlowNotFoundError."""
        status = self._index.status(flow_id)
        if status is None:
            raise FlowNotFoundError(flow_id)
        return status

    def list_flows(self) -> tuple[FlowItem, ...]:
        """Every root flow: active ones first, then newest first."""
        return self._index.all_flows()

    def query(self, query: FlowQuery) -> FlowPage:
        """One page of the root flows that match."""
        return self._index.query(query)
