# SPDX-License-Identifier: Apache-2.0
"""The edge over the real engine on the memory store: what was answered can be read, and errors are the engine's own."""

import pytest

from argyll_api.app import create_app
from argyll_api.config import ApiConfig
from argyll_engine.config import EngineConfig
from argyll_engine.store.memory import (
    MemoryBackend,
    MemoryEventStore,
    MemoryFlowIndex,
    MemoryHeldFlows,
    MemoryMemo,
    MemoryWorkLeases,
)
from argyll_engine.store.memory_archive import MemoryArchiveStore
from argyll_engine.wiring import Stores, assemble_engine, assemble_parts
from tests.fakes import ManualClock

PAY = {
    "id": "pay",
    "name": "Pay",
    "type": "async",
    "attributes": {"sum": {"role": "required", "type": "number"}, "receipt": {"role": "output", "type": "string"}},
    "http": {"endpoint": "http://k/pay", "timeout": 0},
}
START = {"id": "order-1", "goals": ["pay"], "init": {"sum": [7]}}


class Nobody:
    """A dispatcher whose messages no worker takes."""

    def render(self, effects, now):
        """Nothing."""
        return ()

    def seal(self, messages, log=()):
        """Nothing."""
        return ()

    def publish(self, messages):
        """Nothing."""


@pytest.fixture
def api():
    """A client of the whole process but its workers."""
    engine, flows = MemoryBackend(), MemoryBackend()
    stores = Stores(
        engine=MemoryEventStore(engine),
        flows=MemoryEventStore(flows),
        index=MemoryFlowIndex(flows),
        archive=MemoryArchiveStore(flows),
        held=MemoryHeldFlows(flows),
        memo=MemoryMemo(engine, capacity=1),
        engine_leases=MemoryWorkLeases(engine),
        flow_leases=MemoryWorkLeases(flows),
    )
    config = EngineConfig()
    parts = assemble_parts(config, stores, Nobody(), ManualClock())
    return create_app(ApiConfig.from_engine(config), assemble_engine(config, parts)).test_client()


@pytest.fixture
def token(api):
    """The work item of the one step of a started flow."""
    assert api.post("/engine/step", json=PAY).status_code == 201
    assert api.post("/engine/flow", json=START).status_code == 201
    (found,) = api.get("/engine/flow/order-1").json["executions"]["pay"]["work_items"]
    return found


def kinds(api):
    """The types of the events of the flow."""
    return [event["type"] for event in api.get("/engine/flow/order-1/events").json["events"]]


def test_a_registered_step_is_read_with_its_defaults(api):
    """The echo has none, every view of the catalog has them all."""
    assert api.post("/engine/step", json=PAY).json["step"] == PAY
    stored = api.get("/engine/step/pay").json
    defaults = {"max_retries": 10, "init_backoff": 1000, "max_backoff": 60000, "backoff_type": "exponential"}
    assert stored == {**PAY, "work_config": defaults}
    assert api.get("/engine").json["steps"] == {"pay": stored}
    assert api.get("/engine/catalog/events").json["events"][0]["data"]["step"] == stored
    assert api.get("/engine/health/pay").json == {"status": "unknown"}


def test_a_registration_is_repeated_refused_or_in_conflict(api):
    """The same is fine, an invalid one is 400 even under a known id, another one is 409."""
    assert [api.post("/engine/step", json=PAY).status_code for _ in range(2)] == [201, 201]
    assert api.post("/engine/step", json={**PAY, "name": ""}).json["error"] == "invalid step\nstep name empty"
    assert api.post("/engine/step", json={**PAY, "name": "x"}).json == {"error": "step exists: pay", "status": 409}
    assert api.get("/engine/catalog/events").json["count"] == 1


def test_an_update_of_an_unknown_step(api):
    """Invalid beats unknown."""
    assert api.put("/engine/step/pay", json={**PAY, "name": ""}).status_code == 400
    assert api.put("/engine/step/pay", json=PAY).json == {"error": "step not found: pay", "status": 404}


def test_a_null_attribute_is_refused_by_the_engine(api):
    """By a rule of definitions, not by the reader."""
    res = api.post("/engine/step", json={**PAY, "attributes": {"x": None}})
    assert res.json["error"].startswith("invalid step\n")


def test_a_plan_of_unknown_goals(api):
    """404 with every requested goal."""
    res = api.post("/engine/plan", json={"goals": ["a", "b"]})
    assert res.json == {"error": "step not found: [a b]", "status": 404}


def test_a_start_without_its_input(api):
    """400, and there is no flow."""
    api.post("/engine/step", json=PAY)
    res = api.post("/engine/flow", json={**START, "init": {"sum": None}})
    assert res.json == {"error": "required inputs not provided: [sum]", "status": 400}
    assert api.get("/engine/flow/order-1/status").status_code == 404


def test_a_started_flow_is_read_at_once(api, token):
    """By state, status, list and query."""
    assert api.get("/engine/flow/order-1").json["status"] == "active"
    assert api.get("/engine/flow/order-1/status").json == {"id": "order-1", "status": "active"}
    assert [row["id"] for row in api.get("/engine/flow").json] == ["order-1"]
    assert api.post("/engine/flow/query", json={"id_prefix": "order"}).json["total"] == 1


def test_a_repeated_start(api, token):
    """The same, also in the old spelling of init, is 201; another is 409."""
    assert api.post("/engine/flow", json={**START, "init": {"sum": 7}}).json == {"message": "", "flow_id": "order-1"}
    res = api.post("/engine/flow", json={**START, "init": {"sum": [8]}})
    assert res.json == {"error": "flow exists with different plan or init: order-1", "status": 409}


def test_a_webhook_completes_its_flow(api, token):
    """Once; later reports are 200 and change nothing."""
    for _ in range(2):
        assert api.post(f"/webhook/order-1/pay/{token}", json={"receipt": "r-1"}).status_code == 200
    state = api.get("/engine/flow/order-1").json
    assert (state["status"], state["attributes"]["receipt"][0]["value"]) == ("completed", "r-1")
    log = kinds(api)
    assert (log.count("work_succeeded"), log[-2:]) == (1, ["flow_completed", "flow_deactivated"])


@pytest.mark.parametrize(
    "body,content_type,error",
    [
        ('{"detail": "no money", "status": 503}', "application/problem+json", "no money"),
        ('{"success": false, "error": "declined"}', "application/json", "declined"),
    ],
)
def test_a_webhook_fails_its_flow(api, token, body, content_type, error):
    """By a problem, or in the words of the first step services."""
    assert api.post(f"/webhook/order-1/pay/{token}", data=body, content_type=content_type).status_code == 200
    state = api.get("/engine/flow/order-1").json
    assert (state["status"], state["executions"]["pay"]["error"]) == ("failed", error)


@pytest.mark.parametrize(
    "path,text",
    [
        ("gone/pay/t", "Flow not found"),
        ("order-1/gone/t", "Step execution not found"),
        ("order-1/pay/gone", "Work item not found for token"),
    ],
)
def test_webhooks_of_nothing(api, token, path, text):
    """400 that names what is unknown, before the body is looked at."""
    assert api.post(f"/webhook/{path}", data="broken").json == {"error": text, "status": 400}
