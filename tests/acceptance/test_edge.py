# SPDX-License-Identifier: Apache-2.0
"""What holds for every route: answers, errors, methods, slashes, CORS, ids. Source: the contract, http §1.1 to §1.4."""

import http.client
from typing import Any

import pytest

from tests.acceptance.client import Answer, Client, fresh_id
from tests.acceptance.folding import NEVER
from tests.acceptance.steps import attributes, script

QUICK = script("quick", "return {done = true}", attributes(gives=["done"]))
JSON_TYPE = "application/json; charset=utf-8"
CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, POST, PUT, DELETE, OPTIONS",
    "access-control-allow-headers": "Content-Type, Authorization",
}
ROUTES = [
    ("GET", "/health", 200),
    ("GET", "/engine", 200),
    ("GET", "/engine/", 200),
    ("GET", "/engine/catalog", 200),
    ("GET", "/engine/catalog/events", 200),
    ("GET", "/engine/cluster", 200),
    ("GET", "/engine/cluster/events", 200),
    ("GET", "/engine/health", 200),
    ("GET", "/engine/health/quick", 200),
    ("GET", "/engine/step", 200),
    ("POST", "/engine/step", 400),
    ("GET", "/engine/step/quick", 200),
    ("PUT", "/engine/step/quick", 400),
    ("DELETE", "/engine/step/absent", 404),
    ("POST", "/engine/plan", 400),
    ("GET", "/engine/flow", 200),
    ("POST", "/engine/flow", 400),
    ("POST", "/engine/flow/query", 400),
    ("GET", "/engine/flow/absent", 404),
    ("GET", "/engine/flow/absent/status", 404),
    ("GET", "/engine/flow/absent/events", 404),
    ("POST", "/webhook/absent/s/t", 400),
]
"""Every route of the contract but the socket, and what it answers to an empty request."""


def ask(client: Client, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
    """The answer itself, wherever it points to."""
    host = client.base_url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        received = connection.getresponse()
        named = {name.lower(): value for name, value in received.headers.items()}
        return Answer(status=received.status, headers=named, body=received.read())
    finally:
        connection.close()


@pytest.mark.parametrize(("method", "path", "status"), ROUTES)
def test_every_route_answers_in_json(client: Client, method: str, path: str, status: int) -> None:
    """With the CORS headers, errors in the one form of errors, nothing to cache by."""
    client.register(QUICK)
    answer = ask(client, method, path)
    assert (status, JSON_TYPE) == (answer.status, answer.headers["content-type"])
    assert CORS == {name: answer.headers.get(name) for name in CORS}
    assert not {"etag", "last-modified", "cache-control"} & set(answer.headers)
    if status >= 400:
        assert ({"error", "status"}, status) == (set(answer.json), answer.json["status"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nowhere"),
        ("PATCH", "/engine/step"),
        ("DELETE", "/engine/flow"),
        ("HEAD", "/health"),
        ("PUT", "/engine"),
    ],
)
def test_what_is_no_route(client: Client, method: str, path: str) -> None:
    """Is a 404 in plain text, a known path with another method too."""
    answer = ask(client, method, path)
    assert (404, "text/plain", CORS) == (
        answer.status,
        answer.headers["content-type"].partition(";")[0],
        {name: answer.headers.get(name) for name in CORS},
    )
    assert answer.body in (b"404 page not found", b"" if method == "HEAD" else b"404 page not found")


@pytest.mark.parametrize("path", ["/engine/flow", "/health", "/nowhere/at/all"])
def test_preflights(client: Client, path: str) -> None:
    """OPTIONS is fine anywhere, with headers alone."""
    answer = ask(client, "OPTIONS", path, Origin="http://elsewhere")
    assert (200, b"", CORS) == (answer.status, answer.body, {name: answer.headers.get(name) for name in CORS})


@pytest.mark.parametrize(("method", "status"), [("GET", 301), ("POST", 307)])
def test_slashes_at_the_end(client: Client, method: str, status: int) -> None:
    """Lead to the path without, with the query kept."""
    answer = ask(client, method, "/engine/flow/?a=1")
    assert (status, "/engine/flow?a=1") == (answer.status, answer.headers["location"].removeprefix(client.base_url))


def test_bodies_are_read_tolerantly(client: Client) -> None:
    """Whatever their type says; names in any case, unknown ones dropped, only the first value."""
    flow_id = fresh_id("tolerant")
    client.register(QUICK)
    body = f'{{"ID": "{flow_id}", "Goals": ["quick"], "INIT": null, "more": 1}} and more'.encode()
    answer = ask(client, "POST", "/engine/flow", body, Content_Type="text/plain")
    assert (201, {"message": "", "flow_id": flow_id}) == (answer.status, answer.json)
    assert "completed" == client.checked_end(flow_id)["status"]


@pytest.mark.parametrize(("path", "limit"), [("/engine/step", 512 * 1024), ("/engine/flow", 1024 * 1024)])
def test_bodies_that_are_too_large(client: Client, path: str, limit: int) -> None:
    """Are invalid requests, not a status of their own."""
    answer = ask(client, "POST", path, b'{"id": "' + b"x" * limit + b'"}')
    assert (400, True) == (answer.status, answer.json["error"].startswith("invalid JSON request"))


# ---- ids -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "proper"), [("  My  Flow! ", "my--flow"), ("a:b@c", "abc"), ("--x_y.z+1--", "x_y.z+1"), ("ÄB", "b")]
)
def test_ids_are_made_proper(client: Client, given: str, proper: str) -> None:
    """Of flows and of steps alike; a path must have them as they are."""
    client.register(QUICK)
    answer = client.post("/engine/flow", {"id": given, "goals": ["quick"]})
    step = client.post("/engine/step", QUICK | {"id": given})
    assert (201, proper, proper) == (answer.status, answer.json["flow_id"], step.json["step"]["id"])
    assert (200, 200) == (client.get(f"/engine/flow/{proper}").status, client.get(f"/engine/step/{proper}").status)
    client.await_end(proper)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"id": "!!"}, "flow ID empty"),
        ({"id": "x" * 257}, "flow ID too long"),
        ({"id": "x", "goals": []}, "at least one goal step is required"),
        ({"id": "x", "goals": ["quick"] * 65}, "too many goals"),
        ({"id": "x", "init": {f"k{n}": [1] for n in range(129)}}, "too many init keys"),
        ({"id": "x", "labels": {f"k{n}": "v" for n in range(33)}}, "too many labels"),
    ],
)
def test_limits_of_a_start(client: Client, body: Any, text: str) -> None:
    """Each has its text, and leaves no flow."""
    client.register(QUICK)
    answer = client.post("/engine/flow", {"goals": ["quick"]} | body)
    assert (400, True) == (answer.status, text in answer.json["error"])
    assert 404 == client.get("/engine/flow/x").status


# ---- liveness, starts, states ----------------------------------------------------------------


def test_liveness(client: Client) -> None:
    """The process is alive, counts its sockets, and calls itself a leader to balancers."""
    answer = client.get("/health")
    assert (200, "argyll-engine", "healthy") == (answer.status, answer.json["service"], answer.json["status"])
    assert ("leader", True) == (
        answer.headers["x-argyll-raft-state"],
        isinstance(answer.json["details"]["websocket"]["clients"], int),
    )


def test_a_socket_without_an_upgrade(client: Client) -> None:
    """Is a bad request in plain text."""
    assert 400 == client.get("/engine/ws").status


def test_repeated_starts(client: Client) -> None:
    """The same goals and initial values are the same start, labels are not looked at; anything else is a conflict."""
    client.register(QUICK, script("other", "return {}", attributes(["n"])))
    body: dict[str, Any] = {"id": fresh_id("again"), "goals": ["other"], "init": {"n": [{"a": 1, "b": 2}]}}
    assert 201 == client.post("/engine/flow", body).status
    client.await_end(body["id"])
    same = [body, body | {"labels": {"x": "y"}}, body | {"init": {"n": [{"b": 2, "a": 1.0}]}}]
    other = [body | {"init": {"n": [1]}}, body | {"goals": ["other", "other"]}, body | {"goals": ["quick"]}]
    before = client.events(body["id"])
    assert [201] * 3 == [client.post("/engine/flow", again).status for again in same]
    assert [(409, f"flow exists with different plan or init: {body['id']}")] * 3 == [
        ((answer := client.post("/engine/flow", again)).status, answer.json["error"]) for again in other
    ]
    assert before == client.events(body["id"])


def test_the_shape_of_a_state(client: Client) -> None:
    """Every member that is always there, and times that never came as the zero time."""
    client.register(QUICK, script("waiting", "return {}", attributes(["done", "n"])))
    flow_id = client.start_with(fresh_id("shape"), ["quick"], {"n": [1, None], "none": []}, labels={"shop": "north"})
    state = client.checked_end(flow_id)
    assert {"id", "status", "created_at", "completed_at", "last_updated", "deactivated_at", "plan", "labels",
            "attributes", "executions"} == set(state)  # fmt: skip
    assert {"n": [1, None], "done": [True]} == {
        name: [value["value"] for value in values] for name, values in state["attributes"].items()
    }
    assert (False, "quick") == ("step" in state["attributes"]["n"][0], state["attributes"]["done"][0]["step"])
    execution = state["executions"]["quick"]
    assert {"status", "started_at", "completed_at", "inputs", "outputs", "work_items"} <= set(execution)
    (item,) = execution["work_items"].values()
    assert {"status", "started_at", "completed_at", "next_retry_at", "inputs", "outputs"} == set(item)
    assert (NEVER, {}, [], {}) == (
        item["next_retry_at"],
        item["inputs"],
        state["plan"]["required"],
        state["plan"]["excluded"],
    )


def test_the_order_of_a_success(client: Client) -> None:
    """The log of the smallest flow, event by event."""
    client.register(QUICK)
    flow_id = client.start(fresh_id("log"), ["quick"])
    client.checked_end(flow_id)
    expected = ["flow_started", "step_started", "work_started", "work_succeeded", "attribute_set", "step_completed",
                "flow_completed", "flow_deactivated"]  # fmt: skip
    assert expected == client.types(flow_id)
    assert {flow_id} == {event["data"]["flow_id"] for event in client.events(flow_id)}
    assert {("flow", flow_id)} == {tuple(event["aggregate_id"]) for event in client.events(flow_id)}
