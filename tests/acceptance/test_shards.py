# SPDX-License-Identifier: Apache-2.0
"""Several flow shards: the same product, of which a part may be away, and to which a part may be added.

The suite itself runs in a pytest of its own, for shards are chosen once for all stacks; see `SHARDS_VARIABLE`.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from argyll_engine.model.ids import FlowID
from argyll_engine.policy.placement import home_of
from tests.acceptance.client import eventually, request
from tests.acceptance.folding import faults_of_log, fold
from tests.acceptance.part import ROOT
from tests.acceptance.services import Call, StepServices, running
from tests.acceptance.stack import SHARDS_VARIABLE, Stack
from tests.acceptance.steps import asynchronous, attributes, flow_step, script

pytestmark = pytest.mark.slow

PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", "-m", "not slow")
OF_ONE_STORE = ("metrics", "served_metrics", "memory", "doctor", "foreign_broker")
"""Tests that look into the one flow store by its name, or name another broker for it."""
TIMED = "tests/acceptance/test_health.py::test_the_first_round_is_at_the_start"
"""It waits for less than an interval, in which twice as many processes may not have started."""
SHOWN_CHARACTERS = 20_000

QUICK = script("quick", "return {twice = 2 * n}", attributes(["n"], ["twice"]))
FAMILY = flow_step("family", ["quick"], attributes(["n"], ["twice"]))


def test_the_suite_passes_on_two_shards() -> None:
    """Users see no difference."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment[SHARDS_VARIABLE] = "2"
    left_out = [f"--ignore=tests/acceptance/test_{name}.py" for name in OF_ONE_STORE]
    suite = (*PYTEST, *left_out, f"--deselect={TIMED}", "tests/acceptance", "tests/chaos/test_kill.py")
    ran = subprocess.run(suite, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert 0 == ran.returncode, (ran.stdout + ran.stderr)[-SHOWN_CHARACTERS:]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Two shards beside the engine store."""
    with Stack(tmp_path, shards=2) as stack:
        yield stack


@pytest.fixture
def services() -> Iterator[StepServices]:
    """A step service."""
    with running() as services:
        yield services


def flows_of(stack: Stack, number: int, stem: str, count: int) -> list[FlowID]:
    """So many ids of flows whose home is a shard."""
    names = [f"{shard.socket}?db=0" for shard in stack.shards]
    ids = (FlowID(f"{stem}-{n}") for n in range(1_000))
    return [flow_id for flow_id in ids if home_of(flow_id, names) == names[number]][:count]


def a_start(flow_id: str, goal: str = "quick", n: int = 4) -> dict[str, Any]:
    """A start of a step that doubles."""
    return {"id": flow_id, "goals": [goal], "init": {"n": [n]}}


def report(call: Call) -> int:
    """The status of the answer to a result that a service sends."""
    return request(call.webhook_url, "POST", {"o": 1}).status


def test_a_shard_that_is_killed_takes_its_flows_along_and_no_others(stack: Stack, services: StepServices) -> None:
    """Its flows wait, and others start and end; when it is back, all that it had goes on, and nothing is lost."""
    client = stack.client
    later = services["later"]
    client.register(
        asynchronous("later", later.url, attributes(gives=["o"])),
        script("after", "return {p = o + 1}", attributes(["o"], ["p"])),
        QUICK,
    )
    waiting = [flows_of(stack, number, "waits", 3) for number in (0, 1)]
    for flow_id in (*waiting[0], *waiting[1]):
        client.start(flow_id, ["after"])
    eventually("all calls", lambda: len(later.calls) == 6)
    calls = {call.webhook_url.split("/")[-3]: call for call in later.calls}
    done = [flow_id for number in (0, 1) for flow_id in flows_of(stack, number, "done", 2)]
    for flow_id in done:
        client.run(flow_id, ["quick"], {"n": 1})

    stack.shards[1].kill()
    assert 200 == client.get("/engine/step").status
    for flow_id in waiting[0]:
        assert 200 == report(calls[flow_id])
        assert "completed" == client.checked_end(flow_id)["status"]
    assert [503] * 3 == [report(calls[flow_id]) for flow_id in waiting[1]]

    here, away = flows_of(stack, 0, "new", 3), flows_of(stack, 1, "new", 3)
    refused = client.post("/engine/flow", a_start(away[0]))
    assert (503, "flow-2 store unavailable", True) == (
        refused.status,
        refused.json["error"],
        int(refused.headers["retry-after"]) > 0,
    )
    pairs = zip(here, away, strict=True)
    mixed = client.post("/engine/flows", {"flows": [a_start(flow_id) for pair in pairs for flow_id in pair]})
    assert [201, 503] * 3 == [result["status"] for result in mixed.json["flows"]]
    assert ["completed"] * 3 == [client.checked_end(flow_id)["status"] for flow_id in here]
    assert [200, 503] == [client.get(f"/engine/flow/{flow_id}").status for flow_id in (waiting[0][0], waiting[1][0])]
    assert 503 == client.get("/engine/flow").status
    ready = client.get("/readyz")
    assert (200, True) == (ready.status, "its flows wait" in ready.json["checks"]["flow-2_store"]["detail"])

    stack.shards[1].start()
    eventually("the shard's return", lambda: client.get(f"/engine/flow/{waiting[1][0]}").status == 200)
    for flow_id in waiting[1]:
        assert 200 == report(calls[flow_id])
        assert "completed" == client.checked_end(flow_id)["status"]
    for flow_id in away:
        assert "completed" == client.run(flow_id, ["quick"], {"n": 4})["status"]
    expected = {*waiting[0], *waiting[1], *done, *here, *away}
    assert expected == {flow["id"] for flow in client.get("/engine/flow").json}
    for flow_id in expected:
        events = client.events(flow_id)
        assert ([], client.state(flow_id)) == (faults_of_log(events), fold(events))
    assert 6 == len(later.calls)


def test_a_shard_that_is_added_hides_nothing(tmp_path: Path) -> None:
    """Flows stay where they are, and are found, listed and not started again; new ones come to both."""
    first = f"unix://{tmp_path}/shard1/redis.sock"
    with Stack(tmp_path, shards=2, FLOW_REDIS_ADDR=first) as stack:
        stack.client.register(QUICK, FAMILY)
        old = [f"old-{number}" for number in range(12)]
        before = {flow_id: stack.client.run(flow_id, ["family"], {"n": 4}) for flow_id in old}
        with stack.second_api(FLOW_REDIS_ADDR=f"{first},unix://{tmp_path}/shard2/redis.sock") as client:
            assert before == {flow_id: client.state(flow_id) for flow_id in old}
            for flow_id in old:
                (token,) = before[flow_id]["executions"]["family"]["work_items"]
                assert "completed" == client.checked_end(f"{flow_id}:family:{token}")["status"]
            starts = [client.post("/engine/flow", a_start(flow_id, "family")).status for flow_id in old]
            others = [client.post("/engine/flow", a_start(flow_id, "family", n=5)).status for flow_id in old]
            assert ([201] * 12, [409] * 12) == (starts, others)
            assert set(old) == {flow["id"] for flow in client.get("/engine/flow").json}
            new = [f"new-{number}" for number in range(12)]
            assert [201] * 12 == [client.post("/engine/flow", a_start(flow_id)).status for flow_id in new]
            here = flows_of(stack, 0, "new", 12)
            assert {"completed"} == {client.checked_end(flow_id)["status"] for flow_id in new if flow_id in here}
            assert {*old, *new} == {flow["id"] for flow in client.get("/engine/flow").json}
            assert before == {flow_id: client.state(flow_id) for flow_id in old}
            page: Any = {"has_more": True}
            seen: list[str] = []
            while page.get("has_more"):
                cursor = {"cursor": page["next_cursor"]} if seen else {}
                page = client.post("/engine/flow/query", {"limit": 5, "sort": "recent_desc", **cursor}).json
                seen += [flow["id"] for flow in page["flows"]]
            assert (24, {*old, *new}, 24) == (len(seen), set(seen), page["total"])
