# SPDX-License-Identifier: Apache-2.0
"""The flows that work orders are about, many in one round trip. Called by the script runner and the call runner."""

from collections.abc import Sequence

from argyll_engine.model.flow import FlowState
from argyll_engine.model.ids import FlowID
from argyll_engine.projections import Projections
from argyll_engine.work_order import WorkOrder


def wanted_states(projections: Projections[FlowState], orders: Sequence[WorkOrder]) -> dict[FlowID, FlowState | None]:
    """The flows as this process last saw them, as messages brought them, or as of now; commits check which is true.

    Raises:
        StoreUnavailableError, UndecodableEventError
    """
    states: dict[FlowID, FlowState | None] = {}
    missing = {}
    for order in orders:
        projection = projections.cached(order.stream_id)
        if projection is None and order.log:
            projection = projections.begun(order.stream_id, order.log.encode().split(b"\n"))
        if projection is not None and order.is_wanted_in(projection.state):
            states[order.flow_id] = projection.state
        else:
            missing[order.flow_id] = order.stream_id
    if missing:
        loaded = projections.load(tuple(missing.values()))
        states.update(zip(missing, (projection.state for projection in loaded), strict=True))
    return states
