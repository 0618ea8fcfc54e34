# SPDX-License-Identifier: Apache-2.0
"""Undoing what succeeded of a step that failed. Source: the contract, execution §4 and http §3.4."""

from typing import Any

import pytest

from tests.acceptance.client import Client, eventually, fresh_id, request
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.steps import asynchronous, attributes, output, required, retries, script, sync

EACH = {"x": required(for_each=True), "y": output()}


def half_failing(services: StepServices, compensate: str = "", **more: Any) -> Any:
    """A step that succeeds for 1 and 2, one after the other, and fails for 3; it is undone at `compensate`."""
    services["do"].decides(
        lambda call: Reply(status=400) if call.arguments["x"] == 3 else Reply(body={"y": call.arguments["x"] * 10})
    )
    step = sync("half", services["do"].url, EACH, work_config=retries(2, 20), **more)
    return step | {"http": step["http"] | ({"compensate": compensate} if compensate else {})}


def statuses(state: Any) -> list[str]:
    """Of the work items, in their order."""
    return [item["status"] for item in sorted(items_of(state), key=lambda item: item["inputs"]["x"])]


def items_of(state: Any) -> list[Any]:
    """The work items of the step."""
    return [*state["executions"]["half"]["work_items"].values()]


def run(client: Client, stem: str = "undone") -> Any:
    """A flow of the step over three elements, at its end."""
    return client.run(fresh_id(stem), ["half"], {"x": [1, 2, 3]})


def test_what_succeeded_is_undone(client: Client, services: StepServices) -> None:
    """Each item once, by POST with what went in and came out; placeholders take outputs first; the flow has failed."""
    undo = services["undo"].answers(Reply(status=204, body=b""))
    client.register(half_failing(services, undo.url + "/{y}/{x}"))
    state = run(client)
    bodies = sorted((call.arguments for call in undo.calls), key=lambda body: body["input"]["x"])
    assert [{"input": {"x": n}, "output": {"y": n * 10}} for n in (1, 2)] == bodies
    assert {("POST", "/undo/10/1"), ("POST", "/undo/20/2")} == {(call.method, call.path) for call in undo.calls}
    assert ("failed", ["compensated", "compensated", "failed"]) == (state["status"], statuses(state))
    types = client.types(state["id"])
    ends = types[types.index("step_failed") :]
    assert ["step_failed", "comp_started", "comp_started", "flow_failed"] == ends[:4]
    assert ["comp_succeeded", "comp_succeeded", "flow_deactivated"] == ends[4:]


def test_x13_undoing_carries_the_ids(client: Client, services: StepServices) -> None:
    """Flow, step and the token that the work itself had."""
    client.register(half_failing(services, services["undo"].url))
    state = run(client)
    tokens = {
        token for token, item in state["executions"]["half"]["work_items"].items() if item["status"] == "compensated"
    }
    sent = [[call.headers.get(f"argyll-{name}-id") for name in ("flow", "step")] for call in services["undo"].calls]
    assert ([[state["id"], "half"]] * 2, tokens) == (sent, set(services["undo"].tokens))


def test_x12_without_an_address_nothing_is_undone(client: Client, services: StepServices) -> None:
    """The items stay succeeded, and the flow ends with its failure."""
    client.register(half_failing(services))
    state = run(client)
    assert ["succeeded", "succeeded", "failed"] == statuses(state)
    assert not [name for name in client.types(state["id"]) if name.startswith("comp_")]


def test_memoizable_steps_cannot_be_undone(client: Client, services: StepServices) -> None:
    """A step that is both is refused."""
    answer = client.post("/engine/step", half_failing(services, services["undo"].url, memoizable=True))
    assert (400, True) == (answer.status, "compensate not allowed" in answer.json["error"])


@pytest.mark.parametrize(
    ("replies", "calls", "outcome"),
    [
        ([Reply(status=503), Reply()], 2, "compensated"),
        ([Reply(status=503)], 3, "compensation_failed"),  # two retries
        ([Reply(status=404)], 1, "compensation_failed"),
    ],
)
def test_undoing_that_does_not_work_at_once(
    client: Client, services: StepServices, replies: list[Reply], calls: int, outcome: str
) -> None:
    """No answer is tried again by the step's own settings, a refusal is not; the flow has failed all the same."""
    services["undo"].answers(*replies)
    client.register(half_failing(services, services["undo"].url))
    state = client.run(fresh_id("undo-again"), ["half"], {"x": [1, 3]})
    assert (calls, "failed", [outcome, "failed"]) == (len(services["undo"].calls), state["status"], statuses(state))
    assert "flow_deactivated" == client.types(state["id"])[-1]


def test_undoing_blocks_deactivation(client: Client, services: StepServices) -> None:
    """Status and state of a flow that has failed and is still undoing differ, as promised."""
    gate = services.gate()
    services["undo"].answers(Reply(gate=gate))
    client.register(half_failing(services, services["undo"].url))
    flow_id = client.start(fresh_id("undoing"), ["half"], {"x": [1, 3]})
    client.await_event(flow_id, "flow_failed")
    seen = client.state(flow_id)["status"], client.get(f"/engine/flow/{flow_id}/status").json["status"]
    gate.set()
    client.checked_end(flow_id)
    assert ("failed", "active") == seen


def test_earlier_steps_are_not_undone(client: Client, services: StepServices) -> None:
    """Only the items of the step that failed."""
    before = sync("before", services["before"].url, attributes(gives=["b"]))
    services["before"].answers(Reply(body={"b": 1}))
    failing = sync("half", services["refusing"].answers(Reply(status=400)).url, attributes(["b"]))
    client.register(before | {"http": before["http"] | {"compensate": services["undo"].url}}, failing)
    state = client.run(fresh_id("earlier"), ["half"])
    assert ("failed", []) == (state["status"], services["undo"].calls)


def test_x14_a_late_success_is_undone(client: Client, services: StepServices) -> None:
    """In the commit that records it."""
    services["later"].answers(Reply(status=202))
    step = asynchronous("half", services["later"].url, EACH, work_config={"parallelism": 2})
    client.register(
        step | {"http": step["http"] | {"compensate": services["undo"].url}},
        script("beside", "return {z = 1}", attributes(gives=["z"])),
    )
    flow_id = client.start(fresh_id("late"), ["half"], {"x": [1, 2]})
    eventually("both calls", lambda: len(services["later"].calls) == 2)
    by_x = {call.arguments["x"]: f"{client.base_url}/webhook/{flow_id}/half/{call.token}"
            for call in services["later"].calls}  # fmt: skip
    request(by_x[1], "POST", {"detail": "no"}, "application/problem+json")
    assert 200 == request(by_x[2], "POST", {"y": 5}).status
    state = client.checked_end(flow_id)
    assert ["failed", "compensated"] == statuses(state)
    assert [{"input": {"x": 2}, "output": {"y": 5}}] == [call.arguments for call in services["undo"].calls]
    types = client.types(flow_id)
    assert types.index("comp_started") == types.index("work_succeeded") + 1
