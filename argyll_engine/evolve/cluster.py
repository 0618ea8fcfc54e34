# SPDX-License-Identifier: Apache-2.0
"""Folds cluster events into a ClusterState. Source: the contract, execution §9.3."""

from collections.abc import Callable, Iterable
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from argyll_engine.model.cluster import ClusterState, NodeState, StepHealth
from argyll_engine.model.events import Event, Recorded, StepHealthChanged
from argyll_engine.model.ids import NodeID, StepID


class ClusterDraft:
    """A cluster being folded; `freeze` gives the result and ends it."""

    __slots__ = ("_health", "_last_updated_at", "_nodes")

    def __init__(self, state: ClusterState) -> None:
        self._nodes = dict(state.nodes)
        self._health: dict[NodeID, dict[StepID, StepHealth]] = {}  # of nodes that the draft changed
        self._last_updated_at = state.last_updated_at

    def fold(self, recorded: Recorded) -> None:
        """Take one event in; types that are not of the cluster are ignored."""
        apply = FOLDS.get(type(recorded.event))
        if apply is not None:
            apply(self, recorded.event, recorded.at)
            self._last_updated_at = recorded.at

    def freeze(self) -> ClusterState:
        """The cluster so far."""
        return ClusterState(last_updated_at=self._last_updated_at, nodes=MappingProxyType(self._nodes))

    def put(self, node_id: NodeID, step_id: StepID, health: StepHealth, at: datetime) -> None:
        """Enter what a node sees of a step."""
        known = self._nodes.get(node_id, NodeState())
        changed = self._health.setdefault(node_id, {})
        if not changed:
            changed.update(known.health)
        changed[step_id] = health
        self._nodes[node_id] = NodeState(last_seen_at=at, health=MappingProxyType(changed))


def evolve_cluster(state: ClusterState, recorded: Recorded) -> ClusterState:
    """The cluster after one more event."""
    return replay_cluster(state, (recorded,))


def replay_cluster(state: ClusterState, log: Iterable[Recorded]) -> ClusterState:
    """The cluster after these events, in order."""
    draft = ClusterDraft(state)
    for recorded in log:
        draft.fold(recorded)
    return draft.freeze()


def _health_changed(draft: ClusterDraft, event: StepHealthChanged, at: datetime) -> None:
    draft.put(event.node_id, event.step_id, StepHealth(status=event.status, error=event.error), at)


FOLDS: Final[dict[type[Event], Callable[[ClusterDraft, Any, datetime], None]]] = {StepHealthChanged: _health_changed}
"""How each cluster event changes the cluster."""
