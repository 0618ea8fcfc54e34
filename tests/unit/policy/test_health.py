# SPDX-License-Identifier: Apache-2.0
"""What several nodes say of a step, as one word."""

import pytest

from argyll_engine.model.cluster import ClusterState, HealthStatus, NodeState, StepHealth
from argyll_engine.model.ids import NodeID, StepID
from argyll_engine.policy.health import merged_health

HEALTHY, UNHEALTHY, UNKNOWN = HealthStatus.HEALTHY, HealthStatus.UNHEALTHY, HealthStatus.UNKNOWN


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ({}, (UNKNOWN, "")),
        ({"a": (HEALTHY, "")}, (HEALTHY, "")),
        ({"a": (HEALTHY, ""), "b": (UNKNOWN, "")}, (UNKNOWN, "")),
        ({"a": (UNKNOWN, "new"), "b": (UNHEALTHY, "")}, (UNHEALTHY, "")),
        ({"b": (UNHEALTHY, "late"), "a": (UNHEALTHY, "early")}, (UNHEALTHY, "node a: early")),
        ({"a": (UNHEALTHY, ""), "b": (UNHEALTHY, "why")}, (UNHEALTHY, "node b: why")),
    ],
)
def test_the_worst_report_counts(
    reports: dict[str, tuple[HealthStatus, str]], expected: tuple[HealthStatus, str]
) -> None:
    """Unhealthy before unknown before healthy; of equals the first node with an error, which is named."""
    nodes = {
        NodeID(node): NodeState(health={StepID("s"): StepHealth(status=status, error=error)})
        for node, (status, error) in reports.items()
    }
    status, error = expected
    assert StepHealth(status=status, error=error) == merged_health(ClusterState(nodes=nodes), StepID("s"))
