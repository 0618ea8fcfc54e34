# SPDX-License-Identifier: Apache-2.0
"""Projections as kept between loads: the wire form plus what clients never see.

A snapshot of another schema version reads as None, and the log is folded from its beginning instead.
"""

from typing import Any, Final

from argyll_engine.codec.plans import edges_from_json, plan_from_json
from argyll_engine.codec.states import catalog_to_json, cluster_to_json, flow_state_to_json
from argyll_engine.codec.steps import JSONObject, step_from_json
from argyll_engine.codec.wire import decode, encode, time_from_json
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.cluster import ClusterState, HealthStatus, NodeState, StepHealth
from argyll_engine.model.flow import (
    AttributeValue,
    ExecutionState,
    FlowState,
    FlowStatus,
    StepStatus,
    WorkState,
    WorkStatus,
)
from argyll_engine.model.ids import FlowID, Name, NodeID, StepID, Token
from argyll_engine.model.work_items import WorkItems

SCHEMA: Final = 1
"""Version of the snapshot form; raise it when a field changes its meaning."""


def flow_to_snapshot(state: FlowState) -> bytes:
    """The bytes to keep for a flow."""
    attempts = {
        step_id: {token: item.attempt for token, item in ex.work_items.items()}
        for step_id, ex in state.executions.items()
        if ex.work_items
    }
    init = {name: None if values is None else list(values) for name, values in state.init.items()}
    return encode({"schema": SCHEMA, "state": flow_state_to_json(state), "init": init, "attempts": attempts})


def flow_from_snapshot(payload: bytes) -> FlowState | None:
    """The flow of a snapshot."""
    raw = _read(payload)
    if raw is None:
        return None
    state, attempts = raw["state"], raw["attempts"]
    return FlowState(
        id=FlowID(state["id"]),
        plan=plan_from_json(state["plan"]),
        created_at=_time(state["created_at"]),
        last_updated_at=_time(state["last_updated"]),
        status=FlowStatus(state["status"]),
        completed_at=time_from_json(state["completed_at"]),
        deactivated_at=time_from_json(state["deactivated_at"]),
        init={Name(name): None if values is None else tuple(values) for name, values in raw["init"].items()},
        metadata=state.get("metadata", {}),
        labels=state.get("labels", {}),
        attributes={
            Name(name): tuple(_value_from_json(value) for value in values)
            for name, values in state["attributes"].items()
        },
        executions={
            StepID(step_id): _execution_from_json(ex, attempts.get(step_id, {}))
            for step_id, ex in state["executions"].items()
        },
        error=state.get("error", ""),
    )


def catalog_to_snapshot(state: CatalogState) -> bytes:
    """The bytes to keep for the catalog."""
    return encode({"schema": SCHEMA, "state": catalog_to_json(state)})


def catalog_from_snapshot(payload: bytes) -> CatalogState | None:
    """The catalog of a snapshot."""
    raw = _read(payload)
    if raw is None:
        return None
    state = raw["state"]
    return CatalogState(
        last_updated_at=time_from_json(state["last_updated"]),
        steps={StepID(step_id): step_from_json(step) for step_id, step in state["steps"].items()},
        attributes=edges_from_json(state["attributes"]),
    )


def cluster_to_snapshot(state: ClusterState) -> bytes:
    """The bytes to keep for the cluster."""
    return encode({"schema": SCHEMA, "state": cluster_to_json(state)})


def cluster_from_snapshot(payload: bytes) -> ClusterState | None:
    """The cluster of a snapshot."""
    raw = _read(payload)
    if raw is None:
        return None
    state = raw["state"]
    return ClusterState(
        last_updated_at=time_from_json(state["last_updated"]),
        nodes={NodeID(node_id): _node_from_json(node) for node_id, node in state["nodes"].items()},
    )


def _read(payload: bytes) -> JSONObject | None:
    raw: JSONObject = decode(payload)
    return raw if raw.get("schema") == SCHEMA else None


def _time(text: str) -> Any:
    return time_from_json(text)


def _value_from_json(raw: JSONObject) -> AttributeValue:
    step_id = raw.get("step")
    return AttributeValue(
        value=raw["value"], set_at=_time(raw["set_at"]), step_id=None if step_id is None else StepID(step_id)
    )


def _execution_from_json(raw: JSONObject, attempts: dict[str, int]) -> ExecutionState:
    status = StepStatus(raw["status"])
    items = {
        Token(token): _work_from_json(item, attempts.get(token, 0), index)
        for index, (token, item) in enumerate(raw.get("work_items", {}).items())
    }
    pending = {token: item for token, item in items.items() if item.status is WorkStatus.PENDING}
    return ExecutionState(
        status=status,
        started_at=time_from_json(raw["started_at"]),
        completed_at=time_from_json(raw["completed_at"]),
        inputs=raw["inputs"],
        outputs=raw.get("outputs", {} if status is StepStatus.COMPLETED else None),
        work_items=WorkItems(items),
        error=raw.get("error", ""),
        unsatisfied=tuple(raw.get("unsatisfied", ())),
        duration_ms=raw.get("duration", 0),
        fresh_from=next((item.index for item in pending.values() if item.is_fresh), len(items)),
        retrying_items={token: None for token, item in pending.items() if item.attempt > 0},
        active_count=sum(item.status is WorkStatus.ACTIVE for item in items.values()),
        succeeded_count=sum(item.status is WorkStatus.SUCCEEDED for item in items.values()),
        compensating_count=sum(item.status is WorkStatus.COMPENSATING for item in items.values()),
    )


def _work_from_json(raw: JSONObject, attempt: int, index: int) -> WorkState:
    return WorkState(
        status=WorkStatus(raw["status"]),
        inputs=raw["inputs"],
        started_at=time_from_json(raw["started_at"]),
        completed_at=time_from_json(raw["completed_at"]),
        next_retry_at=time_from_json(raw["next_retry_at"]),
        outputs=raw.get("outputs"),
        error=raw.get("error", ""),
        retry_count=raw.get("retry_count", 0),
        attempt=attempt,
        index=index,
    )


def _node_from_json(raw: JSONObject) -> NodeState:
    return NodeState(
        last_seen_at=time_from_json(raw["last_seen"]),
        health={
            StepID(step_id): StepHealth(status=HealthStatus(health["status"]), error=health.get("error", ""))
            for step_id, health in raw["health"].items()
        },
    )
