# SPDX-License-Identifier: Apache-2.0
"""What existing clients rely on: both SDKs, the agent server, the web UI, load tests. Source: the contract, http §5."""

import json
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.acceptance.client import Client, eventually, fresh_id, request
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.steps import asynchronous, attributes, script, sync

QUICK = script("quick", "return {done = true}", attributes(gives=["done"]))


def test_python_sdk_lists_steps(client: Client) -> None:
    """A step without attributes does not break the list: collections are there, never null."""
    bare = {"id": "bare", "name": "Bare", "type": "script", "script": {"language": "ale", "script": "{}"}}
    assert 201 == client.post("/engine/step", bare).status
    (step,) = client.get("/engine/step").json["steps"]
    assert ({}, {"id", "name", "type", "script", "attributes", "work_config"}) == (step["attributes"], set(step))


def test_python_sdk_registers_by_falling_back_to_put(client: Client) -> None:
    """409 exactly says that there is another step under the id, and PUT replaces it."""
    client.register(QUICK)
    changed = QUICK | {"name": "changed"}
    assert (409, 200) == (client.post("/engine/step", changed).status, client.put("/engine/step/quick", changed).status)


def test_python_step_server(client: Client, services: StepServices) -> None:
    """A handler gets a JSON body with its type even without arguments, and can read its flow while it runs."""
    read: list[int] = []

    def handle(call: Any) -> Reply:
        read.append(client.get(f"/engine/flow/{call.headers['argyll-flow-id']}").status)
        return Reply(body={"o": 1})

    services["handler"].decides(handle)
    client.register(sync("handler", services["handler"].url, attributes(gives=["o"])))
    client.run(fresh_id("handler"), ["handler"])
    (call,) = services["handler"].calls
    assert ({}, "application/json", [200]) == (call.arguments, call.headers["content-type"], read)


def test_python_async_context(client: Client, services: StepServices) -> None:
    """Its failure is a problem document; any 2xx will do for it, 200 alone for the other SDK."""
    services["later"].answers(Reply(body={}))
    client.register(asynchronous("later", services["later"].url, attributes(gives=["o"])))
    flow_id = client.start(fresh_id("context"), ["later"])
    eventually("the call", lambda: services["later"].calls)
    problem = {"type": "about:blank", "title": "Failed", "status": 422, "detail": "no stock"}
    webhook = services["later"].calls[0].webhook_url.replace("http://localhost:8080", client.base_url)
    assert 200 == request(webhook, "POST", problem, "application/problem+json").status
    assert "step later failed: no stock" == client.checked_end(flow_id)["error"]


def test_go_sdk_decodes_with_types(client: Client, services: StepServices) -> None:
    """Counts and durations are integers in the text, times have an offset, whatever was sent."""
    services["busy"].answers(Reply(status=503), Reply(body=None))
    step = sync("busy", services["busy"].url, attributes(), work_config={"max_retries": 3, "init_backoff": 5})
    client.register(step)
    assert 201 == client.post("/engine/flow", {"id": "typed", "goals": ["busy"], "init": None}).status
    client.checked_end("typed")
    texts = [client.get(path).body.decode() for path in ("/engine/flow/typed", "/engine/flow/typed/events", "/engine")]
    for text in texts:
        found: list[Any] = []
        json.loads(text, parse_float=found.append)
        assert [] == found
    state = client.state("typed")
    assert {"Z"} == {state[name][-1] for name in ("created_at", "completed_at", "deactivated_at", "last_updated")}


def test_agent_server_reads_after_its_writes(client: Client) -> None:
    """Every answer is JSON with something in it, and a step is in the list right after it was written."""
    answers = [
        client.post("/engine/step", QUICK),
        client.get("/engine/step"),
        client.put("/engine/step/quick", QUICK | {"name": "new"}),
        client.post("/engine/plan", {"goals": ["quick"]}),
        client.post("/engine/flow/query", {}),
        client.delete("/engine/step/quick"),
    ]
    assert all(200 <= answer.status < 300 and answer.json for answer in answers)
    assert ["quick"] == [step["id"] for step in answers[1].json["steps"]]


@pytest.fixture
def socket(client: Client) -> Any:
    """A WebSocket as the UI opens it."""
    address = client.base_url.replace("http", "ws", 1) + "/engine/ws"
    with connect(address, compression=None, proxy=None, origin="http://ui.example") as sock:  # type: ignore[arg-type]
        yield sock


def subscribe(sock: ClientConnection, sub_id: str, path: list[str], **more: Any) -> Any:
    """What a subscription is answered."""
    data = {"sub_id": sub_id, "aggregate_ids": [path], "include_state": True} | more
    sock.send(json.dumps({"type": "subscribe", "data": data}))
    return json.loads(sock.recv(timeout=30))


def test_ui_loads_by_subscriptions_alone(client: Client, socket: ClientConnection) -> None:
    """Catalog, cluster and one flow, each with its state, and each frame with the id of its subscription."""
    client.register(QUICK)
    flow_id = client.start(fresh_id("ui"), ["quick"])
    catalog = subscribe(socket, "0", ["catalog"], event_types=["step_registered"])
    cluster = subscribe(socket, "1", ["cluster"], event_types=["step_health_changed"])
    flow = subscribe(socket, "2", ["flow", flow_id], event_types=["flow_completed"])
    assert (["0", "1", "2"], {"quick"}) == (
        [frame["sub_id"] for frame in (catalog, cluster, flow)],
        set(catalog["items"][0]["data"]["steps"]),
    )
    (node,) = cluster["items"][0]["data"]["nodes"].values()
    assert "healthy" == node["health"]["quick"]["status"]
    state = flow["items"][0]["data"]
    assert (flow_id, True) == (state["id"], {"status", "attributes", "plan", "executions"} <= set(state))
    client.await_end(flow_id)


def test_ui_subscribes_right_after_a_start(client: Client, socket: ClientConnection) -> None:
    """The flow is in the answer, always: without it the page would say that there is none."""
    client.register(QUICK)
    for number in range(20):
        flow_id = client.start(fresh_id("right-after"), ["quick"])
        frame = subscribe(socket, str(number), ["flow", flow_id], event_types=["nothing"])
        assert [flow_id] == [item["data"]["id"] for item in frame["items"]]


def test_ui_resubscribes_under_the_same_id(client: Client, socket: ClientConnection) -> None:
    """And a ping of the application is no nuisance."""
    client.register(QUICK)
    subscribe(socket, "0", ["catalog"])
    socket.send('{"type": "ping"}')
    assert ("subscribed", "0") == ((again := subscribe(socket, "0", ["catalog"]))["type"], again["sub_id"])
    client.register(QUICK | {"id": "one-more"})
    assert "one-more" == json.loads(socket.recv(timeout=30))["data"]["step"]["id"]


def test_ui_lists_flows(client: Client) -> None:
    """Newest first, with what a row shows."""
    client.register(QUICK)
    flow_id = client.start(fresh_id("row"), ["quick"])
    client.await_end(flow_id)
    page = client.post("/engine/flow/query", {"limit": 1000, "sort": "recent_desc"}).json
    (row,) = [row for row in page["flows"] if row["id"] == flow_id]
    assert {"id", "status", "timestamp"} <= set(row)


def test_ui_saves_a_step(client: Client) -> None:
    """The answer carries the step with the id it really has; a refusal carries its text."""
    saved = client.post("/engine/step", QUICK | {"id": "My Step"})
    refused = client.post("/engine/step", QUICK | {"name": ""})
    assert ("my-step", True) == (saved.json["step"]["id"], "step name empty" in refused.json["error"])


def test_load_tests_and_balancers(client: Client) -> None:
    """201 or 409 to a registration, exactly 201 to a start, the header that picks a node to write to."""
    assert {201} == {client.post("/engine/step", QUICK).status for _ in range(2)}
    started = client.post("/engine/flow", {"id": fresh_id("k6"), "goals": ["quick"]})
    health = client.get("/health")
    assert (201, 200, "leader") == (started.status, health.status, health.headers["x-argyll-raft-state"])
    client.await_end(started.json["flow_id"])
