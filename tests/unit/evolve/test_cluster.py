# SPDX-License-Identifier: Apache-2.0
"""What cluster events make of the cluster."""

from datetime import timedelta

from argyll_engine.evolve.cluster import FOLDS, evolve_cluster, replay_cluster
from argyll_engine.model.cluster import ClusterState, HealthStatus, NodeState, StepHealth
from argyll_engine.model.events import CLUSTER_EVENTS, Recorded, StepHealthChanged, StepUnregistered
from argyll_engine.model.ids import NodeID, StepID
from tests.definitions import AT

LATER = AT + timedelta(seconds=1)
UP, DOWN = StepHealth(status=HealthStatus.HEALTHY), StepHealth(status=HealthStatus.UNHEALTHY, error="HTTP 503")


def changed(node_id: str, step_id: str, health: StepHealth) -> StepHealthChanged:
    """The event that makes this of a step."""
    return StepHealthChanged(node_id=NodeID(node_id), step_id=StepID(step_id), status=health.status, error=health.error)


FIRST = Recorded(event=changed("n", "s", DOWN), sequence=0, at=AT)


def test_every_cluster_event_is_folded() -> None:
    """Each event has its row."""
    assert set(FOLDS) == set(CLUSTER_EVENTS)


def test_first_report_of_a_node() -> None:
    """The node appears, with what it saw and when."""
    node = NodeState(last_seen_at=AT, health={StepID("s"): DOWN})
    assert evolve_cluster(ClusterState(), FIRST) == ClusterState(last_updated_at=AT, nodes={NodeID("n"): node})


def test_later_reports() -> None:
    """A later report replaces what its node said of the step and leaves the rest."""
    log = [
        FIRST,
        Recorded(event=changed("n", "t", UP), sequence=1, at=AT),
        Recorded(event=changed("m", "s", UP), sequence=2, at=AT),
        Recorded(event=changed("n", "s", UP), sequence=3, at=LATER),
    ]
    state = replay_cluster(ClusterState(), log)
    assert state.nodes == {
        "n": NodeState(last_seen_at=LATER, health={StepID("s"): UP, StepID("t"): UP}),
        "m": NodeState(last_seen_at=AT, health={StepID("s"): UP}),
    }
    assert state.last_updated_at == LATER


def test_the_state_before_is_untouched() -> None:
    """Folding makes a new state."""
    before = evolve_cluster(ClusterState(), FIRST)
    again = [Recorded(event=changed("n", step_id, UP), sequence=1, at=LATER) for step_id in ("s", "t")]
    replay_cluster(before, again)
    assert before == evolve_cluster(ClusterState(), FIRST)


def test_foreign_events_change_nothing() -> None:
    """Events of other aggregates are passed over."""
    before = evolve_cluster(ClusterState(), FIRST)
    foreign = Recorded(event=StepUnregistered(step_id=StepID("s")), sequence=1, at=LATER)
    assert evolve_cluster(before, foreign) == before


def test_what_a_node_said_before_stays() -> None:
    """A report of one step leaves what the state already had of the node's other steps."""
    before = evolve_cluster(ClusterState(), FIRST)
    after = evolve_cluster(before, Recorded(event=changed("n", "t", UP), sequence=1, at=LATER))
    assert after.nodes[NodeID("n")].health == {"s": DOWN, "t": UP}
