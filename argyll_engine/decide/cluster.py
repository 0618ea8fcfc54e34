# SPDX-License-Identifier: Apache-2.0
"""Decisions on the cluster: which reports of a step's health are worth recording.

Called through the decision table.
"""

from argyll_engine.model.cluster import ClusterState, NodeState, StepHealth
from argyll_engine.model.commands import ReportHealth
from argyll_engine.model.events import ClusterEvent, StepHealthChanged
from argyll_engine.model.facts import Facts


def report_health(state: ClusterState, command: ReportHealth, facts: Facts) -> tuple[ClusterEvent, ...]:
    """The event of a changed health; none if the node said the same of the step before.

    Source: the contract, execution §7.
    """
    node = state.nodes.get(command.node_id, NodeState())
    reported = StepHealth(status=command.status, error=command.error)
    if node.health.get(command.step_id) == reported:
        return ()
    changed = StepHealthChanged(
        node_id=command.node_id, step_id=command.step_id, status=command.status, error=command.error
    )
    return (changed,)
