# SPDX-License-Identifier: Apache-2.0
"""Which reports of health are recorded."""

import pytest

from argyll_engine.decide.cluster import report_health
from argyll_engine.evolve.cluster import evolve_cluster
from argyll_engine.model.cluster import ClusterState, HealthStatus
from argyll_engine.model.commands import ReportHealth
from argyll_engine.model.events import Recorded, StepHealthChanged
from argyll_engine.model.ids import NodeID, StepID
from tests.definitions import AT
from tests.unit.decide.test_catalog import FACTS

N, S = NodeID("n"), StepID("s")
BAD = StepHealthChanged(node_id=N, step_id=S, status=HealthStatus.UNHEALTHY, error="HTTP 503")
KNOWN = evolve_cluster(ClusterState(), Recorded(event=BAD, sequence=0, at=AT))


def test_first_report() -> None:
    """What a node says for the first time is recorded, "unknown" included."""
    report = ReportHealth(node_id=N, step_id=S, status=HealthStatus.UNKNOWN)
    expected = StepHealthChanged(node_id=N, step_id=S, status=HealthStatus.UNKNOWN)
    assert report_health(ClusterState(), report, FACTS) == (expected,)


def test_repeated_report() -> None:
    """The same status with the same error is nothing new."""
    report = ReportHealth(node_id=N, step_id=S, status=BAD.status, error=BAD.error)
    assert report_health(KNOWN, report, FACTS) == ()


@pytest.mark.parametrize(
    "report",
    [
        ReportHealth(node_id=N, step_id=S, status=HealthStatus.HEALTHY),
        ReportHealth(node_id=N, step_id=S, status=HealthStatus.UNKNOWN, error=BAD.error),
        ReportHealth(node_id=N, step_id=S, status=HealthStatus.UNHEALTHY, error="HTTP 500"),
        ReportHealth(node_id=N, step_id=StepID("t"), status=BAD.status, error=BAD.error),
        ReportHealth(node_id=NodeID("m"), step_id=S, status=BAD.status, error=BAD.error),
    ],
)
def test_changed_report(report: ReportHealth) -> None:
    """Another status, another error, another step and another node are recorded."""
    expected = StepHealthChanged(
        node_id=report.node_id, step_id=report.step_id, status=report.status, error=report.error
    )
    assert report_health(KNOWN, report, FACTS) == (expected,)
