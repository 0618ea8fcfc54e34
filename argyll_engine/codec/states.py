# SPDX-License-Identifier: Apache-2.0
"""Projections as JSON: flow, catalog, cluster. Source: the contract, http §1.5 and §1.10."""

from typing import Any

from argyll_engine.codec.plans import edges_to_json, plan_to_json
from argyll_engine.codec.steps import JSONObject, step_to_json
from argyll_engine.codec.wire import time_to_json
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.cluster import ClusterState, NodeState
from argyll_engine.model.flow import AttributeValue, ExecutionState, FlowState, WorkState


def flow_state_to_json(state: FlowState, *, is_archived: bool = False) -> JSONObject:
    """The wire form of a flow's state; one that came from the archive says so."""
    out: JSONObject = {
        "id": state.id,
        "status": state.status,
        "created_at": time_to_json(state.created_at),
        "completed_at": time_to_json(state.completed_at),
        "last_updated": time_to_json(state.last_updated_at),
        "deactivated_at": time_to_json(state.deactivated_at),
        "plan": plan_to_json(state.plan),
        "attributes": {name: [_value_to_json(v) for v in values] for name, values in state.attributes.items()},
        "executions": {step_id: _execution_to_json(ex) for step_id, ex in state.executions.items()},
    }
    _add_filled(out, metadata=dict(state.metadata), labels=dict(state.labels), error=state.error, archived=is_archived)
    return out


def catalog_to_json(state: CatalogState) -> JSONObject:
    """The wire form of the catalog."""
    return {
        "last_updated": time_to_json(state.last_updated_at),
        "steps": {step_id: step_to_json(step) for step_id, step in state.steps.items()},
        "attributes": edges_to_json(state.attributes),
    }


def cluster_to_json(state: ClusterState) -> JSONObject:
    """The wire form of the cluster's health, as recorded."""
    return {
        "last_updated": time_to_json(state.last_updated_at),
        "nodes": {node_id: node_to_json(node) for node_id, node in state.nodes.items()},
    }


def node_to_json(node: NodeState) -> JSONObject:
    """The wire form of what one node reported."""
    health: JSONObject = {}
    for step_id, step in node.health.items():
        health[step_id] = {"status": step.status}
        _add_filled(health[step_id], error=step.error)
    return {"last_seen": time_to_json(node.last_seen_at), "health": health}


def _value_to_json(value: AttributeValue) -> JSONObject:
    out: JSONObject = {"value": value.value, "set_at": time_to_json(value.set_at)}
    _add_filled(out, step=value.step_id)
    return out


def _execution_to_json(ex: ExecutionState) -> JSONObject:
    out: JSONObject = {
        "status": ex.status,
        "started_at": time_to_json(ex.started_at),
        "completed_at": time_to_json(ex.completed_at),
        "inputs": dict(ex.inputs),
    }
    _add_filled(
        out,
        outputs=dict(ex.outputs or {}),
        work_items={token: _work_to_json(item) for token, item in ex.work_items.items()},
        error=ex.error,
        unsatisfied=list(ex.unsatisfied),
        duration=ex.duration_ms,
    )
    return out


def _work_to_json(item: WorkState) -> JSONObject:
    out: JSONObject = {
        "status": item.status,
        "started_at": time_to_json(item.started_at),
        "completed_at": time_to_json(item.completed_at),
        "next_retry_at": time_to_json(item.next_retry_at),
        "inputs": dict(item.inputs),
    }
    _add_filled(out, outputs=dict(item.outputs or {}), error=item.error, retry_count=item.retry_count)
    return out


def _add_filled(out: JSONObject, **members: Any) -> None:
    out.update({name: value for name, value in members.items() if value})
