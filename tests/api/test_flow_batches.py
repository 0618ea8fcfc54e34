# SPDX-License-Identifier: Apache-2.0
"""POST /engine/flows: many starts, a result for each."""

import json

import pytest

from argyll_api.app import create_app
from argyll_api.config import ApiConfig
from argyll_api.schemas.flow import MAX_STARTS
from argyll_engine.errors import BrokenError, StoreUnavailableError
from tests.acceptance.client import request
from tests.api.live_server import serving
from tests.definitions import a_step, output, required
from tests.workshop import Workshop

STEP = a_step("a", {"x": required(), "y": output()})


@pytest.fixture
def shop():
    """An engine with one step that needs x."""
    shop = Workshop()
    shop.engine.register_step(STEP)
    return shop


@pytest.fixture
def api(shop):
    """A client of it."""
    return create_app(ApiConfig(), shop.engine).test_client()


def a_start(flow_id="f", **members):
    """A start as it is posted."""
    return {"id": flow_id, "goals": ["a"], "init": {"x": [1]}, **members}


MIXED = [
    a_start("One!"),
    a_start("two", init={}),
    a_start("two", goals=["gone"]),
    a_start("two", goals="a"),
    "rubbish",
    None,
    a_start("one"),
    a_start("one", init={"x": [2]}),
    a_start(""),
    a_start("two"),
]


def test_each_start_has_the_result_that_it_would_have_alone(api, shop):
    """In order: the body of the single route with its status within, also for what was started by one before."""
    alone = Workshop()
    alone.engine.register_step(STEP)
    route = create_app(ApiConfig(), alone.engine).test_client()
    singles = [route.post("/engine/flow", data=json.dumps(start)) for start in MIXED]

    answer = api.post("/engine/flows", json={"flows": MIXED})

    assert (200, 10, 3) == (answer.status_code, answer.json["count"], answer.json["started"])
    results = answer.json["flows"]
    assert [201, 400, 404, 400, 400, 400, 201, 409, 400, 201] == [result["status"] for result in results]
    assert [single.json | {"status": single.status_code} for single in singles] == [
        {name: value for name, value in result.items() if name != "flow_id" or result["status"] == 201}
        for result in results
    ]
    assert ["one", "two", "two", None, None, None, "one", "one", None, "two"] == [
        result.get("flow_id") for result in results
    ]
    assert {"one", "two"} == {item.id for item in shop.engine.queries.list_flows()}


def test_a_thousand_at_once(api, shop):
    """As many as may be; the same again changes nothing."""
    body = {"flows": [a_start(f"f{number}") for number in range(MAX_STARTS)]}
    for _ in range(2):
        assert (1_000, 1_000) == (lambda said: (said["count"], said["started"]))(
            api.post("/engine/flows", json=body).json
        )
    assert 1_000 == len(shop.backend.queues["work"])


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "invalid JSON request: the body is empty"),
        (b"[]", "invalid JSON request: the body must be an object, not a list"),
        (b"{}", "at least one flow is required"),
        (b"null", "at least one flow is required"),
        (b'{"flows": null}', "at least one flow is required"),
        (b'{"flows": []}', "at least one flow is required"),
        (b'{"flows": {}}', "invalid JSON request: flows: must be a list, not an object"),
        (json.dumps({"flows": [a_start()] * 1_001}).encode(), "too many flows: 1001 (max 1000)"),
    ],
)
def test_faults_of_the_whole_body(api, shop, body, text):
    """400, and nothing is started."""
    answer = api.post("/engine/flows", data=body)
    assert (400, {"error": text, "status": 400}) == (answer.status_code, answer.json)
    assert () == shop.engine.queries.list_flows()


def test_its_body_has_a_limit_of_its_own(shop):
    """More than a single start may have, and no more than was configured."""
    large = {"flows": [a_start(f"f{number}", init={"x": ["y" * 600_000]}) for number in range(3)]}
    assert 3 == create_app(ApiConfig(), shop.engine).test_client().post("/engine/flows", json=large).json["started"]
    small = create_app(ApiConfig(max_start_batch_bytes=100), shop.engine).test_client()
    answer = small.post("/engine/flows", json=large)
    assert (400, "invalid JSON request: the body is larger than 100 bytes") == (
        answer.status_code,
        answer.json["error"],
    )


def test_the_server_reads_longer_bodies_for_it_alone():
    """What is longer than any other body may be goes through here, and is refused elsewhere."""
    with serving() as server:
        server.workshop.engine.register_step(STEP)
        large = {"flows": [a_start(f"f{number}", init={"x": ["y" * 900_000]}) for number in range(6)]}
        answer = request(f"{server.url}/engine/flows", "POST", large)
        assert (200, 6) == (answer.status, answer.json["started"])
        refused = request(f"{server.url}/engine/plan", "POST", large)
        assert (400, "invalid JSON request: the body is larger than 4194304 bytes") == (
            refused.status,
            refused.json["error"],
        )


def test_a_store_that_is_away(api, shop, monkeypatch):
    """503 for the whole request, which may then be repeated."""

    def lost(starts):
        raise StoreUnavailableError("flow", "gone")

    monkeypatch.setattr(shop.engine, "start_flows", lost)
    answer = api.post("/engine/flows", json={"flows": [a_start()]})
    assert (503, "1", "flow store unavailable") == (
        answer.status_code,
        answer.headers["Retry-After"],
        answer.json["error"],
    )


def test_faults_of_ours_are_not_told(api, shop, monkeypatch):
    """The reason is in the log; the result says no more than a single start would."""
    monkeypatch.setattr(shop.engine, "start_flows", lambda starts: [BrokenError("secret")] * len(starts))
    answer = api.post("/engine/flows", json={"flows": [a_start()]})
    assert [{"error": "internal error", "status": 500, "flow_id": "f"}] == answer.json["flows"]
