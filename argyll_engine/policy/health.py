# SPDX-License-Identifier: Apache-2.0
"""What several nodes say of a step, as one word. Source: the contract, execution §7."""

from typing import Final

from argyll_engine.model.cluster import ClusterState, HealthStatus, StepHealth
from argyll_engine.model.ids import StepID

UNREPORTED: Final = StepHealth(status=HealthStatus.UNKNOWN)
_SEVERITY: Final = (HealthStatus.HEALTHY, HealthStatus.UNKNOWN, HealthStatus.UNHEALTHY)


def merged_health(cluster: ClusterState, step_id: StepID) -> StepHealth:
    """The worst that any node says of a step, its error with the node's name; of equals the first with an error."""
    reports = (
        StepHealth(status=health.status, error=f"node {node_id}: {health.error}" if health.error else "")
        for node_id, node in sorted(cluster.nodes.items())
        if (health := node.health.get(step_id)) is not None
    )
    return max(reports, key=_rank, default=UNREPORTED)


def _rank(health: StepHealth) -> tuple[int, bool]:
    return _SEVERITY.index(health.status), bool(health.error)
