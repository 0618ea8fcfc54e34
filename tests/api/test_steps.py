# SPDX-License-Identifier: Apache-2.0
"""Routes of the catalog: register, update, read, remove, and the views of the whole."""

from datetime import UTC, datetime

import pytest

from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.cluster import ClusterState, HealthStatus, NodeState, StepHealth
from argyll_engine.model.plan import AttributeEdges
from argyll_engine.model.step import HttpConfig, Step, WorkConfig

NINE = datetime(2026, 7, 2, 9, 0, 0, tzinfo=UTC)
TEN = datetime(2026, 7, 2, 10, 0, 0, 500_000, tzinfo=UTC)
ZERO = "0001-01-01T00:00:00Z"
BOIL = Step(
    id="boil", name="Boil", type="sync", http=HttpConfig(endpoint="http://k/b"), work_config=WorkConfig(max_retries=10)
)
BOIL_JSON = {
    "id": "boil",
    "name": "Boil",
    "type": "sync",
    "attributes": {},
    "http": {"endpoint": "http://k/b", "timeout": 0},
    "work_config": {"max_retries": 10},
}
STEEP = Step(id="steep", name="Steep", type="sync", http=HttpConfig(endpoint="http://k/s"))


@pytest.fixture
def catalog(engine):
    """Two registered steps and a node that has reported one of them and one that is gone."""
    engine.queries.catalog_state = CatalogState(
        last_updated_at=NINE,
        steps={"steep": STEEP, "boil": BOIL},
        attributes={"litres": AttributeEdges(consumers=("boil",))},
    )
    health = {
        "boil": StepHealth(status=HealthStatus.UNHEALTHY, error="HTTP 500"),
        "gone": StepHealth(status=HealthStatus.HEALTHY),
    }
    engine.queries.cluster_state = ClusterState(
        last_updated_at=TEN, nodes={"argyll-1": NodeState(last_seen_at=TEN, health=health)}
    )
    return engine.queries


REPORTED = {"boil": {"status": "unhealthy", "error": "HTTP 500"}, "gone": {"status": "healthy"}}
FILLED = {**REPORTED, "steep": {"status": "unknown"}}


def test_registering_echoes_what_was_sent(api, engine):
    """201 with the id sanitised and without any default filled in; the engine gets the same."""
    res = api.post(
        "/engine/step",
        json={"id": " Boil! ", "name": "Boil", "type": "sync", "http": {"endpoint": "http://k/b"}, "extra": 1},
    )
    step = {
        "id": "boil",
        "name": "Boil",
        "type": "sync",
        "attributes": {},
        "http": {"endpoint": "http://k/b", "timeout": 0},
    }
    assert (res.status_code, res.json) == (201, {"message": "Step registered", "step": step})
    assert engine.calls == [
        ("register_step", Step(id="boil", name="Boil", type="sync", http=HttpConfig(endpoint="http://k/b")))
    ]


def test_updating_echoes_what_was_sent(api, engine):
    """200; both ids are sanitised before they are compared."""
    res = api.put("/engine/step/BOIL%20it", json={"id": "Boil it!", "name": "n", "type": "sync"})
    assert (res.status_code, res.json["message"], res.json["step"]["id"]) == (200, "Step updated", "boil-it")
    assert [(verb, step.id) for verb, step in engine.calls] == [("update_step", "boil-it")]


@pytest.mark.parametrize("body", [{"id": "other"}, {}, {"id": None}, {"id": ""}, {"id": "@@"}])
def test_an_update_with_another_id_is_refused(api, engine, body):
    """400 before anything is validated."""
    res = api.put("/engine/step/boil", json=body)
    assert (res.status_code, engine.calls) == (400, [])
    assert "does not match" in res.json["error"]


def test_removing_a_step(api, engine):
    """200 with a message; the id is taken as it is."""
    assert api.delete("/engine/step/Boil").json == {"message": "Step unregistered"}
    assert engine.calls == [("unregister_step", "Boil")]


def test_reading_one_step(api, catalog):
    """The stored form, not wrapped; another spelling is another id."""
    assert api.get("/engine/step/boil").json == BOIL_JSON
    assert api.get("/engine/step/Boil").json == {"error": "step not found: Boil", "status": 404}


def test_listing_steps(api, catalog):
    """Sorted by id, with their count."""
    body = api.get("/engine/step").json
    assert ([step["id"] for step in body["steps"]], body["count"]) == (["boil", "steep"], 2)


def test_an_empty_catalog_lists_no_steps(api):
    """An empty list, never null."""
    assert api.get("/engine/step").json == {"steps": [], "count": 0}


def test_the_catalog_view(api, catalog):
    """Time, steps by id, attribute graph."""
    body = api.get("/engine/catalog").json
    assert body["last_updated"] == "2026-07-02T09:00:00Z"
    assert body["steps"]["boil"] == BOIL_JSON
    assert body["attributes"] == {"litres": {"providers": [], "consumers": ["boil"]}}


@pytest.mark.parametrize("path", ["/engine", "/engine/"])
def test_the_engine_view(api, catalog, path):
    """The catalog, the later of the two times, and a word of every node on every step."""
    body = api.get(path).json
    assert list(body) == ["last_updated", "steps", "attributes", "health"]
    assert body["last_updated"] == "2026-07-02T10:00:00.500000Z"
    assert body["health"] == {"argyll-1": {"last_seen": "2026-07-02T10:00:00.500000Z", "health": FILLED}}


def test_the_cluster_view_fills_no_gaps(api, catalog):
    """What was reported, steps that are gone included."""
    body = api.get("/engine/cluster").json
    assert body["nodes"]["argyll-1"]["health"] == REPORTED


def test_the_health_view_fills_gaps(api, catalog):
    """The shape of the cluster view, with `unknown` for silence."""
    body = api.get("/engine/health").json
    assert (set(body), body["nodes"]["argyll-1"]["health"]) == ({"last_updated", "nodes"}, FILLED)


@pytest.mark.parametrize("path,key", [("/engine", "health"), ("/engine/cluster", "nodes"), ("/engine/health", "nodes")])
def test_a_silent_node_is_shown(api, path, key):
    """The configured node is there from the first moment on, with unset times."""
    body = api.get(path).json
    assert (body["last_updated"], body[key]) == (ZERO, {"argyll-1": {"last_seen": ZERO, "health": {}}})


def test_health_of_one_step(api, catalog):
    """Status, and the error where there is one."""
    assert api.get("/engine/health/boil").json == {"status": "unhealthy", "error": "node argyll-1: HTTP 500"}


def test_health_of_an_unknown_step(api, catalog):
    """404 in words of its own."""
    assert api.get("/engine/health/Boil").json == {"error": "Health not found for step: Boil", "status": 404}


@pytest.mark.parametrize("path", ["/engine/catalog/events", "/engine/cluster/events"])
def test_logs_of_catalog_and_cluster(api, engine, path):
    """The stored envelopes as they are; an empty log is 200."""
    assert api.get(path).json == {"events": [], "count": 0}
    engine.queries.log = (b'{"sequence":3,"data":{"n":1.50}}', b'{"sequence":4}')
    assert api.get(path).data == b'{"events":[{"sequence":3,"data":{"n":1.50}},{"sequence":4}],"count":2}'


def test_liveness(api):
    """Service, status, and the header that load balancers choose by."""
    res = api.get("/health")
    details = {"websocket": {"clients": 0}, "backend": {"type": "redis"}}
    assert res.json == {"service": "argyll-engine", "details": details, "status": "healthy"}
    assert (res.status_code, res.headers["X-Argyll-Raft-State"]) == (200, "leader")


def test_liveness_does_not_ask_the_store(api, engine):
    """It says that the process serves, and nothing else."""
    engine.queries.error = RuntimeError("no store")
    assert api.get("/health").status_code == 200
