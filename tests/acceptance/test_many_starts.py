# SPDX-License-Identifier: Apache-2.0
"""Many starts at once, over HTTP, with real workers: all that go through are flows like any other."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.acceptance.client import Client, fresh_id
from tests.acceptance.folding import faults_of_log
from tests.acceptance.steps import attributes, script

DOUBLE = script("double", "return {twice = 2 * n}", attributes(["n"], ["twice"]))


def a_start(flow_id: str, n: int, **more: Any) -> dict[str, Any]:
    """A start of the step."""
    return {"id": flow_id, "goals": ["double"], "init": {"n": [n]}, **more}


def test_a_batch_of_starts(client: Client) -> None:
    """Each start has its result in its place, and each flow that started ends with its own values."""
    client.register(DOUBLE)
    ids = [fresh_id("batch") for _ in range(60)]
    starts = [a_start(flow_id, n) for n, flow_id in enumerate(ids)]
    starts[7:7] = [a_start(ids[0], 99), {"id": "nothing"}, a_start(ids[1], 1)]
    answer = client.post("/engine/flows", {"flows": starts})
    assert (200, 63, 61) == (answer.status, answer.json["count"], answer.json["started"])
    assert {7: 409, 8: 400} == {
        place: result["status"] for place, result in enumerate(answer.json["flows"]) if result["status"] != 201
    }
    for n, flow_id in enumerate(ids):
        state = client.await_end(flow_id)
        assert ("completed", 2 * n) == (state["status"], state["attributes"]["twice"][0]["value"])
    assert [] == faults_of_log(client.events(ids[-1]))


def test_starts_that_arrive_together(client: Client) -> None:
    """Single starts of many clients at the same moment are each answered for itself, and each flow runs once."""
    client.register(DOUBLE)
    ids = [fresh_id("crowd") for _ in range(50)]

    def start(n: int) -> int:
        goals = ["double"] if n % 5 else ["gone"]
        return client.post("/engine/flow", a_start(ids[n // 2], n // 2, goals=goals)).status

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(start, range(100)))
    assert [201 if n % 5 else 404 for n in range(100)] == statuses
    for n, flow_id in enumerate(ids):
        assert 2 * n == client.await_end(flow_id)["attributes"]["twice"][0]["value"]
        assert 1 == len(client.of_type(flow_id, "flow_started"))


def test_a_registration_is_seen_by_the_next_start(client: Client) -> None:
    """Also where starts are batched and plans are kept: each start plans with the newest definition."""
    for version in range(5):
        step = script("double", f"return {{twice = {version} * n}}", attributes(["n"], ["twice"]))
        if version:
            assert 200 == client.put("/engine/step/double", step).status
        else:
            client.register(step)
        flow_id = client.start(f"version-{version}", ["double"], {"n": 10})
        assert 10 * version == client.await_end(flow_id)["attributes"]["twice"][0]["value"]
