# SPDX-License-Identifier: Apache-2.0
"""Steps over arrays: items, slots, results, siblings of a failure.

Source: the contract, execution §3.1, §3.2, §3.7 and §3.8.
"""

import threading
from typing import Any

import pytest

from tests.acceptance.client import Client, eventually, fresh_id, request
from tests.acceptance.services import Call, Reply, StepServices
from tests.acceptance.steps import asynchronous, attributes, lua, output, required, retries, script, sync

EACH = {"x": required(for_each=True), "y": output()}


def doubling(services: StepServices) -> str:
    """The URL of an endpoint that gives twice its `x`."""
    return services["double"].computes(lambda given: {"y": given["x"] * 2}).url


def items_of(state: Any, step_id: str = "each") -> list[Any]:
    """The work items of a step."""
    return [*state["executions"][step_id]["work_items"].values()]


@pytest.mark.parametrize(
    ("value", "calls", "outputs"),
    [
        ([1, 2, 2], [1, 2, 2], {"y": [{"x": 1, "y": 2}, {"x": 2, "y": 4}, {"x": 2, "y": 4}]}),
        ([5], [5], {"y": 10}),  # one item gives its plain output
        (7, [7], {"y": 14}),  # no array: one item
        ([], [], {}),
    ],
)
def test_items(client: Client, services: StepServices, value: Any, calls: list[int], outputs: Any) -> None:
    """One call an element, results in the order of the array; an empty array is complete at once (X3)."""
    client.register(sync("each", doubling(services), EACH))
    state = client.run(fresh_id("items"), ["each"], {"x": value})
    assert calls == [call.arguments["x"] for call in services["double"].calls]
    assert ("completed", outputs) == (state["status"], state["executions"]["each"].get("outputs", {}))


def test_x3_an_empty_array_fails_who_needs_the_result(client: Client) -> None:
    """The step completes without items and without outputs; its consumer can never start."""
    client.register(
        script("each", "return {y = x}", EACH), script("after", "return {}", attributes(["y"])),
        script("beside", "return {z = 1}", attributes(gives=["z"])),
    )  # fmt: skip
    state = client.run("empty-array", ["after", "beside"], {"x": []})
    assert ("failed", "completed", "failed") == (
        state["status"],
        state["executions"]["each"]["status"],
        state["executions"]["after"]["status"],
    )


def test_x20_products_and_renamed_inputs(client: Client, services: StepServices) -> None:
    """Two arrays give every pair; a renamed one is fanned out by its inner name, and so are the results."""
    services["pair"].computes(lambda given: {"y": f"{given['n']}{given['w']}"})
    specs = {"x": required(for_each=True, mapping={"name": "n"}), "w": required(for_each=True), "y": output()}
    client.register(sync("each", services["pair"].url, specs))
    state = client.run("product", ["each"], {"x": [1, 2], "w": ["a", "b"]})
    pairs = [{"n": n, "w": w, "y": f"{n}{w}"} for w in ("a", "b") for n in (1, 2)]
    assert pairs == state["executions"]["each"]["outputs"]["y"]
    assert {"n": [1, 2], "w": ["a", "b"]} == state["executions"]["each"]["inputs"]


def test_collected_values_are_fanned_out(client: Client) -> None:
    """`some` and `for_each` together: one item a value."""
    client.register(
        script("one", "return {x = 1}", attributes(gives=["x"])),
        script("two", "return {x = 2}", attributes(gives=["x"])),
        script("each", "return {y = x * 10}", {"x": required(for_each=True, collect="some"), "y": output()}),
    )
    state = client.run("fan-some", ["each"])
    assert [10, 20] == sorted(entry["y"] for entry in state["executions"]["each"]["outputs"]["y"])


def test_x38_a_script_gets_the_aggregate_as_a_table(client: Client) -> None:
    """The list that a fan-out gives is a list to the next script of the same process."""
    client.register(
        script("each", "return {y = x * 2}", EACH),
        script("sum", "local s = 0 for i = 1, #y do s = s + y[i].y end return {n = #y, s = s}",
               attributes(["y"], ["n", "s"])),
    )  # fmt: skip
    assert {"n": 3, "s": 12} == client.run("aggregate", ["sum"], {"x": [1, 2, 3]})["executions"]["sum"]["outputs"]


@pytest.mark.parametrize(("parallelism", "most"), [(0, 1), (3, 3)])
def test_slots(client: Client, services: StepServices, parallelism: int, most: int) -> None:
    """Never more calls at a time than the step allows, and as many as that."""
    running, peak, lock = [0], [0], threading.Lock()
    gate = services.gate()

    def count(call: Call) -> None:
        with lock:
            running[0] += 1
            peak[0] = max(peak[0], running[0])
        gate.wait(10)
        with lock:
            running[0] -= 1

    services["slots"].decides(lambda call: Reply(body={"y": 1}, before=count))
    client.register(sync("each", services["slots"].url, EACH, work_config={"parallelism": parallelism}))
    flow_id = client.start(f"slots-{parallelism}", ["each"], {"x": [*range(6)]})
    eventually("all slots taken", lambda: running[0] == most)
    gate.set()
    state = client.checked_end(flow_id)
    assert (most, {"succeeded"}, 6) == (peak[0], {i["status"] for i in items_of(state)}, len(items_of(state)))


def test_too_many_items_at_the_start(client: Client) -> None:
    """Are refused with their number, and there is no flow."""
    client.register(script("each", "return {}", EACH))
    answer = client.post("/engine/flow", {"id": "too-many", "goals": ["each"], "init": {"x": [[0] * 10_001]}})
    assert (500, True) == (answer.status, "too many work items: 10001 (max 10000)" in answer.json["error"])
    assert 404 == client.get("/engine/flow/too-many").status


def test_x25_too_many_items_later(client: Client, services: StepServices) -> None:
    """The step that would fan out fails; whoever gave the array, here by webhook, has done its work."""
    services["pay"].answers(Reply(status=202))
    client.register(
        asynchronous("pay", services["pay"].url, attributes(gives=["x"])), script("each", "return {}", EACH)
    )
    flow_id = client.start("too-many-later", ["each"])
    (token,) = client.of_type(flow_id, "step_started")[0]["data"]["work_items"]
    webhook = f"{client.base_url}/webhook/{flow_id}/pay/{token}"
    assert 200 == request(webhook, "POST", {"x": [0] * 10_001}).status
    state = client.checked_end(flow_id)
    assert ("completed", "failed") == tuple(state["executions"][step_id]["status"] for step_id in ("pay", "each"))
    assert "step each failed: too many work items: 10001 (max 10000)" == state["error"]


# ---- failures --------------------------------------------------------------------------------


def test_x10_x11_siblings_of_a_failed_item(client: Client, services: StepServices) -> None:
    """One that runs ends on its own and is recorded; one that never began stays so; then the flow is deactivated."""
    gate = services.gate()
    services["mixed"].decides(lambda call: Reply(status=400) if call.arguments["x"] == 1 else Reply(gate=gate))
    client.register(sync("each", services["mixed"].url, EACH, work_config={"parallelism": 2}))
    flow_id = client.start("siblings-of-failure", ["each"], {"x": [0, 1, 2]})
    client.await_event(flow_id, "flow_failed")
    eventually("the other call", lambda: len(services["mixed"].calls) == 2)
    before = client.state(flow_id)["status"], client.get(f"/engine/flow/{flow_id}/status").json["status"]
    gate.set()
    state = client.checked_end(flow_id)
    assert ("failed", "active") == before
    assert ["failed", "pending", "succeeded"] == sorted(item["status"] for item in items_of(state))
    assert (2, "flow_deactivated") == (len(services["mixed"].calls), client.types(flow_id)[-1])


def test_x10_a_late_webhook_of_a_failed_step(client: Client, services: StepServices) -> None:
    """Is answered 200, recorded, and ends the flow for good."""
    services["later"].answers(Reply(status=202))
    client.register(asynchronous("each", services["later"].url, EACH, work_config={"parallelism": 2}))
    flow_id = client.start("late-sibling", ["each"], {"x": [1, 2]})
    eventually("both calls", lambda: len(services["later"].calls) == 2)
    first, second = (f"{client.base_url}/webhook/{flow_id}/each/{call.token}" for call in services["later"].calls)
    statuses = [
        request(first, "POST", {"title": "no"}, "application/problem+json").status,
        request(second, "POST", {"y": 1}).status,
    ]
    state = client.checked_end(flow_id)
    assert ([200, 200], "failed") == (statuses, state["status"])
    assert ["failed", "succeeded"] == sorted(item["status"] for item in items_of(state))


def test_x11_a_retry_that_waits_keeps_no_flow_open(client: Client, services: StepServices) -> None:
    """A flow whose goal has failed does not wait a minute for an item's next attempt."""
    services["busy"].answers(Reply(status=503))
    services["refusing"].answers(Reply(status=400))
    client.register(
        sync("busy", services["busy"].url, attributes(gives=["b"]), work_config=retries(5, 60_000)),
        asynchronous("refusing", services["refusing"].url, attributes(gives=["r"])),
    )
    services["refusing"].answers(Reply(status=202))
    flow_id = client.start("waiting-retry", ["busy", "refusing"])
    client.await_event(flow_id, "work_retry_scheduled")
    (token,) = next(
        event["data"]["work_items"]
        for event in client.of_type(flow_id, "step_started")
        if event["data"]["step_id"] == "refusing"
    )
    webhook = f"{client.base_url}/webhook/{flow_id}/refusing/{token}"
    assert 200 == request(webhook, "POST", {"detail": "no"}, "application/problem+json").status
    state = client.checked_end(flow_id)
    assert ("failed", "pending") == (state["status"], items_of(state, "busy")[0]["status"])


def test_x15_a_predicate_is_asked_about_the_whole(client: Client, services: StepServices) -> None:
    """Once, with the arrays; it would refuse each single item, and each retry."""
    replies = [Reply(status=503), *[Reply(body={"y": 1})] * 3]
    services["asked"].answers(*replies)
    client.register(
        sync("each", services["asked"].url, EACH, predicate=lua("return type(x) == 'table'"),
             work_config=retries(3, 10))
    )  # fmt: skip
    state = client.run("predicate-once", ["each"], {"x": [1, 2, 3]})
    assert ("completed", ["succeeded"] * 3) == (state["status"], [item["status"] for item in items_of(state)])


def test_x33_the_last_try_of_an_item_starts_no_sibling(client: Client, services: StepServices) -> None:
    """Siblings wait for their turn; nothing is claimed in the commit that fails the step, nor after it."""
    services["down"].answers(Reply(status=503))
    client.register(sync("each", services["down"].url, EACH, work_config=retries(1, 1)))
    state = client.run("no-sibling", ["each"], {"x": [1, 2, 3, 4]})
    expected = ["work_not_completed", "work_failed", "step_failed", "flow_failed", "flow_deactivated"]
    assert (expected, 1) == (
        client.types("no-sibling")[-5:],
        [item["status"] for item in items_of(state)].count("failed"),
    )
