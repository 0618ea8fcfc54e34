# SPDX-License-Identifier: Apache-2.0
"""Health of steps as nodes see it. Folding events into it is `evolve/cluster.py`."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct

from argyll_engine.model.ids import NodeID, StepID


class HealthStatus(StrEnum):
    """What is known of a step's ability to run."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


class StepHealth(Struct, frozen=True, kw_only=True):
    """Health of one step on one node; `error` says why it is not healthy."""

    status: HealthStatus
    error: str = ""


class NodeState(Struct, frozen=True, kw_only=True):
    """What one node has reported; `last_seen_at` is None while it has reported nothing."""

    last_seen_at: datetime | None = None
    health: Mapping[StepID, StepHealth] = MappingProxyType({})


class ClusterState(Struct, frozen=True, kw_only=True):
    """Every node that ever reported."""

    last_updated_at: datetime | None = None
    nodes: Mapping[NodeID, NodeState] = MappingProxyType({})
