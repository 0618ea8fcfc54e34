# SPDX-License-Identifier: Apache-2.0
"""Bodies and answers as they may look, for the documents of the API. Tests post each body and read each answer.

All belong to one story: a step that takes `litres` and gives `hot_water`, and one flow of it. Used by the routes.
"""

from typing import Any, Final

from argyll_engine.codec import ZERO_TIME

_AT: Final = "2026-07-02T09:10:11.5Z"
_LATER: Final = "2026-07-02T09:10:12.304Z"
_TOKEN: Final = "6f1c2c1e-0d5b-4c57-9f0b-2d3a5b6c7d8e"

STEP: Final[dict[str, Any]] = {
    "id": "boil-water",
    "name": "Boil water",
    "type": "sync",
    "attributes": {
        "litres": {"role": "required", "type": "number"},
        "hot_water": {"role": "output", "type": "boolean"},
    },
    "http": {"endpoint": "http://localhost:8081/boil-water", "timeout": 5000},
}
STORED_STEP: Final[dict[str, Any]] = {
    **STEP,
    "work_config": {"max_retries": 10, "init_backoff": 1000, "max_backoff": 60000, "backoff_type": "exponential"},
}
STEP_REGISTERED: Final = {"message": "Step registered", "step": STEP}
STEP_UPDATED: Final = {"message": "Step updated", "step": STEP}
STEP_UNREGISTERED: Final = {"message": "Step unregistered"}
STEP_LIST: Final = {"steps": [STORED_STEP], "count": 1}

PLAN_REQUEST: Final = {"goals": ["boil-water"], "init": {"litres": [2]}}
PLAN: Final[dict[str, Any]] = {
    "goals": ["boil-water"],
    "required": [],
    "steps": {"boil-water": STORED_STEP},
    "attributes": {
        "litres": {"providers": [], "consumers": ["boil-water"]},
        "hot_water": {"providers": ["boil-water"], "consumers": []},
    },
    "excluded": {},
}

START: Final = {"id": "tea-1", "goals": ["boil-water"], "init": {"litres": [2]}, "labels": {"shop": "north"}}
STARTED: Final = {"message": "", "flow_id": "tea-1"}
START_BATCH: Final = {"flows": [START, {"id": "tea-2", "goals": []}]}
STARTED_BATCH: Final = {
    "flows": [
        {"status": 201, "message": "", "flow_id": "tea-1"},
        {"status": 400, "error": "at least one goal step is required"},
    ],
    "count": 2,
    "started": 1,
}
FLOW_STATUS: Final = {"id": "tea-1", "status": "completed"}
FLOW_ROW: Final = {"id": "tea-1", "status": "completed", "timestamp": _LATER}
FLOW_ROWS: Final = [FLOW_ROW]
RESTORED: Final = {"flow_id": "tea-1", "restored": 1}
ERASE: Final = {"reason": "asked for by the customer"}
ERASED: Final = {"flow_id": "tea-1", "erased": 1}
QUERY: Final = {"id_prefix": "tea", "statuses": ["completed"], "limit": 50, "sort": "recent_desc"}
FLOW_PAGE: Final = {"flows": [FLOW_ROW], "count": 1, "total": 1}
FLOW: Final = {
    "id": "tea-1",
    "status": "completed",
    "created_at": _AT,
    "completed_at": _LATER,
    "last_updated": _LATER,
    "deactivated_at": _LATER,
    "plan": PLAN,
    "labels": {"shop": "north"},
    "attributes": {
        "litres": [{"value": 2, "set_at": _AT}],
        "hot_water": [{"value": True, "step": "boil-water", "set_at": _LATER}],
    },
    "executions": {
        "boil-water": {
            "status": "completed",
            "started_at": _AT,
            "completed_at": _LATER,
            "inputs": {"litres": 2},
            "outputs": {"hot_water": True},
            "duration": 804,
            "work_items": {
                _TOKEN: {
                    "status": "succeeded",
                    "started_at": _AT,
                    "completed_at": _LATER,
                    "next_retry_at": ZERO_TIME,
                    "inputs": {},
                    "outputs": {"hot_water": True},
                }
            },
        }
    },
}


def log_of(aggregate_id: list[str], kind: str, happened: dict[str, Any]) -> dict[str, Any]:
    """A log of one event."""
    event = {"sequence": 0, "timestamp": _AT, "type": kind, "aggregate_id": aggregate_id, "data": happened}
    return {"events": [event], "count": 1}


FLOW_LOG: Final = log_of(["flow", "tea-1"], "flow_started", {"flow_id": "tea-1", "plan": PLAN, "init": {"litres": [2]}})
CATALOG_LOG: Final = log_of(["catalog"], "step_registered", {"step": STORED_STEP})
CLUSTER_LOG: Final = log_of(
    ["cluster"], "step_health_changed", {"node_id": "argyll-1", "step_id": "boil-water", "status": "healthy"}
)

CATALOG: Final = {"last_updated": _AT, "steps": {"boil-water": STORED_STEP}, "attributes": PLAN["attributes"]}
_NODES: Final = {"argyll-1": {"last_seen": _AT, "health": {"boil-water": {"status": "unknown"}}}}
CLUSTER: Final = {"last_updated": _AT, "nodes": _NODES}
ENGINE: Final = {**CATALOG, "health": _NODES}
STEP_HEALTH: Final = {"status": "unhealthy", "error": "node argyll-1: HTTP 503 Service Unavailable"}
LIVENESS: Final = {
    "service": "argyll-engine",
    "details": {"websocket": {"clients": 3}, "backend": {"type": "redis"}},
    "status": "healthy",
}

ALIVE: Final = {"status": "alive"}
METRICS: Final = """\
# HELP argyll_flows_started_total Flows started.
# TYPE argyll_flows_started_total counter
argyll_flows_started_total{kind="root"} 3.0
"""
READY: Final = {
    "status": "ready",
    "checks": {
        "flow_store": {"ok": True, "detail": "ok"},
        "engine_store": {"ok": True, "detail": "ok"},
        "persistence": {"ok": True, "detail": "ok"},
        "workers": {"ok": True, "detail": "3 alive"},
        "queues": {"ok": True, "detail": "ok"},
    },
}
NOT_READY: Final = {
    "status": "not ready",
    "checks": READY["checks"] | {"workers": {"ok": False, "detail": "no worker has shown a sign of life lately"}},  # type: ignore[operator]
}

OUTPUTS: Final = {"hot_water": True}
PROBLEM: Final = {"title": "No water", "detail": "the tap is closed", "status": 422}

TRIAL: Final = {"language": "ale", "script": "(+ litres 1)", "mode": "mapping", "inputs": {"litres": 2}}
TRIAL_RESULT: Final = {"result": 3}
