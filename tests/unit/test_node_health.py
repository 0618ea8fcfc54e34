# SPDX-License-Identifier: Apache-2.0
"""Completing the health view: nodes that are silent, steps that nobody spoke of."""

from argyll_api.node_health import with_gaps_filled, with_node
from argyll_engine.model.cluster import ClusterState, HealthStatus, NodeState, StepHealth

HEALTHY = StepHealth(status=HealthStatus.HEALTHY)
UNKNOWN = StepHealth(status=HealthStatus.UNKNOWN)
TWO = ClusterState(nodes={"a": NodeState(health={"s": HEALTHY, "gone": HEALTHY}), "b": NodeState()})


def test_a_silent_node_is_added():
    """With nothing to say."""
    assert with_node(ClusterState(), "a").nodes == {"a": NodeState()}


def test_a_known_node_is_left_alone():
    """The state itself comes back."""
    assert with_node(TWO, "a") is TWO


def test_every_node_gets_a_word_for_every_step():
    """What was reported stays, also of steps that are gone."""
    filled = with_gaps_filled(TWO, "c", ("s", "t"))
    assert {name: dict(node.health) for name, node in filled.nodes.items()} == {
        "a": {"s": HEALTHY, "t": UNKNOWN, "gone": HEALTHY},
        "b": {"s": UNKNOWN, "t": UNKNOWN},
        "c": {"s": UNKNOWN, "t": UNKNOWN},
    }
