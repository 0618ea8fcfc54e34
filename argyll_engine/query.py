# SPDX-License-Identifier: Apache-2.0
"""The read side: states, logs and lists as of now. Nothing here writes.

Every answer is checked against the store, so that whatever was answered to a writer is seen by every process.
"""

from functools import partial

from msgspec import Struct

from argyll_engine.archived_flows import ArchivedFlows
from argyll_engine.errors import FlowNotFoundError, StepNotFoundError
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.cluster import ClusterState, StepHealth
from argyll_engine.model.flow import FlowState
from argyll_engine.model.ids import CATALOG_STREAM, CLUSTER_STREAM, FlowID, StepID, StreamID, flow_stream
from argyll_engine.model.listing import FlowItem, FlowPage, FlowQuery, FlowStanding
from argyll_engine.model.step import StepType
from argyll_engine.plan.health import FlowHealth
from argyll_engine.policy.health import merged_health
from argyll_engine.ports import EventStore, FlowIndex
from argyll_engine.projections import Projection, Projections


class ServedFlow(Struct, frozen=True, kw_only=True):
    """The state of a flow, the sequence of its next event, and whether all of it came from the archive."""

    state: FlowState
    next_sequence: int
    is_archived: bool


class ServedLog(Struct, frozen=True, kw_only=True):
    """All events of a flow as served, and whether they came from the archive."""

    events: tuple[bytes, ...]
    is_archived: bool


class Queries:
    """Answers questions. Every method raises StoreUnavailableError when a store does not answer.

    Those that read one flow may raise ArchiveUnavailableError and DamagedArchiveError too, if it is archived.
    """

    def __init__(
        self,
        *,
        engine_store: EventStore,
        flow_store: EventStore,
        index: FlowIndex,
        catalog: Projections[CatalogState],
        cluster: Projections[ClusterState],
        flows: Projections[FlowState],
        archived: ArchivedFlows,
    ) -> None:
        self._engine_store = engine_store
        self._flow_store = flow_store
        self._index = index
        self._catalog = catalog
        self._cluster = cluster
        self._flows = flows
        self._archived = archived

    def aggregate(self, stream_id: StreamID) -> tuple[CatalogState | ClusterState, int]:
        """The state of the catalog or the cluster, and the sequence of its next event."""
        match stream_id:
            case ("catalog",):
                (catalog,) = self._catalog.load([stream_id])
                return catalog.state or CatalogState(), catalog.next_sequence
        (cluster,) = self._cluster.load([stream_id])
        return cluster.state or ClusterState(), cluster.next_sequence

    def catalog(self) -> CatalogState:
        """The registered steps."""
        return self.loaded_catalog().state or CatalogState()

    def seen_catalog(self) -> Projection[CatalogState]:
        """The registered steps as this process saw them last; as of now if it has not yet."""
        return self._catalog.cached(CATALOG_STREAM) or self.loaded_catalog()

    def loaded_catalog(self) -> Projection[CatalogState]:
        """The registered steps as of now."""
        (projection,) = self._catalog.load([CATALOG_STREAM])
        return projection

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
        return self.served_flow(flow_id).state

    def served_flow(self, flow_id: FlowID) -> ServedFlow:
        """The state of a flow, wherever it is. Raises FlowNotFoundError."""
        stream_id = flow_stream(flow_id)
        (projection,) = self._flows.load([stream_id])
        state, digest = projection.state, projection.digest
        if state is None and digest is not None:
            state = self._flows.fold(stream_id, self._archived.events_of(digest))
        if state is None:
            raise FlowNotFoundError(flow_id)
        return ServedFlow(state=state, next_sequence=projection.next_sequence, is_archived=digest is not None)

    def flow_log(self, flow_id: FlowID) -> ServedLog:
        """The flow's events as served, complete. Raises FlowNotFoundError."""
        log = self._flow_store.read_log(flow_stream(flow_id))
        digest = None if log else self._archived.digest(flow_id)
        if digest is not None:
            return ServedLog(events=self._archived.events(digest), is_archived=True)
        # without either it may have been brought back between the two looks
        log = log or self._flow_store.read_log(flow_stream(flow_id))
        if not log:
            raise FlowNotFoundError(flow_id)
        return ServedLog(events=log, is_archived=False)

    def flow_status(self, flow_id: FlowID) -> FlowStanding:
        """The indexed status, which is active until the flow is deactivated. Raises FlowNotFoundError."""
        standing = self._index.standing(flow_id)
        if standing is None:
            raise FlowNotFoundError(flow_id)
        return standing

    def list_flows(self) -> tuple[FlowItem, ...]:
        """Every root flow: active ones first, then newest first."""
        return self._index.all_flows()

    def query(self, query: FlowQuery) -> FlowPage:
        """One page of the root flows that match."""
        return self._index.query(query)
