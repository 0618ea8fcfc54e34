# SPDX-License-Identifier: Apache-2.0
"""Flows as large as they may get: ten thousand work items of one step, a plan of a thousand steps.

What an item and a step cost is measured by the benchmarks; here they only have to work.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from tests.acceptance.client import Client
from tests.acceptance.folding import faults_of_log, fold
from tests.acceptance.steps import attributes, script

ITEMS, STEPS, PARALLELISM, CLIENTS = 10_000, 1_000, 64, 8
PATIENCE_SECONDS = 400.0

pytestmark = pytest.mark.slow


def test_ten_thousand_items(client: Client) -> None:
    """Each item is run once, and the aggregate has all results in their order."""
    specs = {"number": {"role": "required", "required": {"for_each": True}}} | attributes(gives=["twice"])
    client.register(script("many", "return {twice = number * 2}", specs, work_config={"parallelism": PARALLELISM}))
    client.start("ten-thousand", ["many"], {"number": list(range(ITEMS))})
    state, events = client.await_end("ten-thousand", PATIENCE_SECONDS), client.events("ten-thousand")

    assert ("completed", []) == (state["status"], faults_of_log(events))
    (value,) = state["attributes"]["twice"]
    assert [{"number": n, "twice": 2 * n} for n in range(ITEMS)] == value["value"]
    assert fold(events) == state


def test_one_item_more_than_a_step_may_have(client: Client) -> None:
    """The start is refused, and there is no flow."""
    specs = {"number": {"role": "required", "required": {"for_each": True}}} | attributes(gives=["twice"])
    client.register(script("too-many", "return {twice = 1}", specs))
    init = {"number": [list(range(ITEMS + 1))]}
    answer = client.post("/engine/flow", {"id": "more", "goals": ["too-many"], "init": init})
    assert (500, 404) == (answer.status, client.get("/engine/flow/more").status)
    assert answer.json["error"].startswith("failed to start flow")


def test_a_thousand_steps(client: Client) -> None:
    """A chain through all of them runs in its order, and the last value has passed through each."""
    names = [f"value_{number:04}" for number in range(STEPS + 1)]
    steps = [
        script(f"link-{number:04}", f"return {{{gives} = {takes} + 1}}", attributes([takes], [gives]))
        for number, (takes, gives) in enumerate(pairwise(names))
    ]
    with ThreadPoolExecutor(CLIENTS) as clients:
        assert STEPS == len(list(clients.map(client.register, steps)))
    client.start("thousand", [steps[-1]["id"]], {names[0]: 0})
    state, events = client.await_end("thousand", PATIENCE_SECONDS), client.events("thousand")

    assert ("completed", []) == (state["status"], faults_of_log(events))
    assert [step["id"] for step in steps] == [
        event["data"]["step_id"] for event in events if event["type"] == "step_completed"
    ]
    assert [STEPS] == [value["value"] for value in state["attributes"][names[-1]]]
    assert fold(events) == state
