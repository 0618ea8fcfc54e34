# SPDX-License-Identifier: Apache-2.0
"""Two API processes on one Redis: what one has answered, the other one knows.

Source: the contract, http §5.6 (read your writes) and §4.4; X34, X35.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.acceptance.client import Client, eventually, fresh_id, request
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.stack import Stack
from tests.acceptance.steps import asynchronous, attributes, script

QUICK = script("quick", "return {done = n}", attributes(["n"], ["done"]))


@pytest.fixture(scope="module")
def other_api(shared_stack: Stack) -> Iterator[Client]:
    """A second API process of the shared stack."""
    with shared_stack.second_api() as client:
        yield client


@pytest.fixture
def both(client: Client, other_api: Client) -> tuple[Client, Client]:
    """The API of the stack and the other one, with no steps."""
    return client, other_api


def views(client: Client, flow_id: str) -> list[int]:
    """The statuses of all ways to read a flow."""
    return [client.get(f"/engine/flow/{flow_id}{path}").status for path in ("", "/status", "/events")]


def items_of_subscription(client: Client, aggregate_id: list[str]) -> list[Any]:
    """What a new subscription with state starts with."""
    address = client.base_url.replace("http", "ws", 1) + "/engine/ws"
    with connect(address, compression=None, proxy=None) as sock:
        data = {"sub_id": "s", "aggregate_ids": [aggregate_id], "include_state": True}
        sock.send(json.dumps({"type": "subscribe", "data": data}))
        items: list[Any] = json.loads(sock.recv(timeout=30))["items"]
        return items


def test_a_flow_that_one_process_started_is_there_for_the_other(both: tuple[Client, Client]) -> None:
    """Right after the 201, by state, status, log, list, query and subscription, in either direction."""
    both[0].register(QUICK)
    for number in range(10):
        writer, reader = both[number % 2], both[(number + 1) % 2]
        flow_id = writer.start(fresh_id("mine"), ["quick"], {"n": number})
        assert [200, 200, 200] == views(reader, flow_id)
        assert flow_id in [item["id"] for item in reader.get("/engine/flow").json]
        assert [flow_id] == [
            item["id"] for item in reader.post("/engine/flow/query", {"id_prefix": flow_id}).json["flows"]
        ]
        assert [flow_id] == [item["data"]["id"] for item in items_of_subscription(reader, ["flow", flow_id])]
        assert "completed" == reader.checked_end(flow_id)["status"]


def test_a_step_that_one_process_wrote_is_there_for_the_other(both: tuple[Client, Client]) -> None:
    """Registered, changed and removed: by its id, in the list, in the views, in plans and starts."""
    for number in range(10):
        writer, reader = both[number % 2], both[(number + 1) % 2]
        writer.register(QUICK | {"id": "shared-step"})
        assert "quick" == reader.get("/engine/step/shared-step").json["name"]
        assert 200 == writer.put("/engine/step/shared-step", QUICK | {"id": "shared-step", "name": "new"}).status
        assert "new" == reader.get("/engine/catalog").json["steps"]["shared-step"]["name"]
        assert "new" == items_of_subscription(reader, ["catalog"])[0]["data"]["steps"]["shared-step"]["name"]
        assert 200 == reader.post("/engine/plan", {"goals": ["shared-step"]}).status
        assert 200 == writer.delete("/engine/step/shared-step").status
        assert 404 == reader.get("/engine/step/shared-step").status
        assert 404 == reader.post("/engine/flow", {"id": fresh_id("no"), "goals": ["shared-step"]}).status


def test_the_same_start_at_both(both: tuple[Client, Client]) -> None:
    """One flow, whoever is asked, and however often at once; another start under its id is a conflict everywhere."""
    both[0].register(QUICK)
    body = {"id": fresh_id("same"), "goals": ["quick"], "init": {"n": [1]}}
    with ThreadPoolExecutor(8) as pool:
        statuses = [*pool.map(lambda number: both[number % 2].post("/engine/flow", body).status, range(16))]
    different = [client.post("/engine/flow", body | {"init": {"n": [2]}}).status for client in both]
    assert ({201}, [409, 409]) == (set(statuses), different)
    both[1].checked_end(str(body["id"]))


def test_outcomes_at_both(both: tuple[Client, Client], services: StepServices) -> None:
    """A webhook that is told to two processes at once is kept once."""
    services["later"].answers(Reply(status=202))
    both[0].register(asynchronous("later", services["later"].url, attributes(gives=["o"])))
    flow_id = both[0].start(fresh_id("told-twice"), ["later"])
    eventually("the call", lambda: services["later"].calls)
    path = f"/webhook/{flow_id}/later/{services['later'].calls[0].token}"
    with ThreadPoolExecutor(8) as pool:
        posted = [*pool.map(lambda n: request(both[n % 2].base_url + path, "POST", {"o": n}).status, range(16))]
    assert ({200}, "completed") == (set(posted), both[1].checked_end(flow_id)["status"])


def test_x35_clients_that_register_at_once(both: tuple[Client, Client]) -> None:
    """Eight of them, forty steps, two processes: every one is answered 201 and is there."""
    steps = [QUICK | {"id": f"at-once-{number}"} for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        statuses = [*pool.map(lambda pair: both[pair[0] % 2].post("/engine/step", pair[1]).status, enumerate(steps))]
    assert {201} == set(statuses)
    for client in both:
        assert {step["id"] for step in steps} == {step["id"] for step in client.get("/engine/step").json["steps"]}


def test_x34_subscribers_of_one_process_see_what_the_other_commits(both: tuple[Client, Client]) -> None:
    """The whole log of a flow that was started elsewhere, once, in order."""
    both[0].register(QUICK)
    flow_id = fresh_id("seen-elsewhere")
    with ExitStack() as opened:
        sockets = []
        for client in both:
            address = client.base_url.replace("http", "ws", 1) + "/engine/ws"
            sock = opened.enter_context(connect(address, compression=None, proxy=None))
            data = {"sub_id": "s", "aggregate_ids": [["flow", flow_id]], "include_state": True}
            sock.send(json.dumps({"type": "subscribe", "data": data}))
            assert [] == json.loads(sock.recv(timeout=30))["items"]
            sockets.append(sock)
        both[1].start(flow_id, ["quick"], {"n": 1})
        seen: list[list[Any]] = []
        for sock in sockets:
            frames = [json.loads(sock.recv(timeout=30))]
            while frames[-1]["type"] != "flow_deactivated":
                frames.append(json.loads(sock.recv(timeout=30)))
            seen.append([(frame["sequence"], frame["type"], frame["data"]) for frame in frames])
    log = [(event["sequence"], event["type"], event["data"]) for event in both[0].events(flow_id)]
    assert [log, log] == seen
