# SPDX-License-Identifier: Apache-2.0
"""Health of steps as nodes see it. Folding events into it is `evolve/cluster.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from argyll_engine.model.ids import NodeID, StepID


class HealthStatus(StrEnum):
    """What is known of a step's ability to run."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepHealth:
    """Health of one step on one node; `error` says why it is not healthy."""

    status: HealthStatus
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """What one node has reported; `last_seen_at` is None while it has reported nothing."""

    last_seen_at: datetime | None = None
    health: Mapping[StepID, StepHealth] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterState:
    """Every node that ever reported."""

    last_updated_at: datetime | None = None
    nodes: Mapping[NodeID, NodeState] = field(default_factory=lambda: MappingProxyType({}))
