# SPDX-License-Identifier: Apache-2.0
"""Completes the health view for clients, which want a word for every node and step. Records nothing.

Used by the routes of catalog, cluster and health. Source: the contract, http §1.5.
"""

from collections.abc import Iterable
from types import MappingProxyType

from msgspec.structs import replace

from argyll_engine.model.cluster import ClusterState, HealthStatus, NodeState, StepHealth
from argyll_engine.model.ids import NodeID, StepID


def with_node(cluster: ClusterState, node_id: NodeID) -> ClusterState:
    """The cluster with the configured node in it, even if that has never reported."""
    if node_id in cluster.nodes:
        return cluster
    return replace(cluster, nodes=MappingProxyType({**cluster.nodes, node_id: NodeState()}))


def with_gaps_filled(cluster: ClusterState, node_id: NodeID, steps: Iterable[StepID]) -> ClusterState:
    """The same with `unknown` for every step of which a node has not reported; what it did report stays."""
    unknown = dict.fromkeys(steps, StepHealth(status=HealthStatus.UNKNOWN))
    nodes = {
        name: replace(node, health=MappingProxyType({**unknown, **node.health}))
        for name, node in with_node(cluster, node_id).nodes.items()
    }
    return replace(cluster, nodes=MappingProxyType(nodes))
