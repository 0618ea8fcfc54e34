# SPDX-License-Identifier: Apache-2.0
"""Many at once on one log: nobody is refused for it, nothing is lost. Source: the contract, execution X35 and X36."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from tests.acceptance.client import Client, eventually, request
from tests.acceptance.folding import faults_of_log
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.stack import Stack
from tests.acceptance.steps import asynchronous, attributes, script, sync

ITEMS, WIDE, PARALLELISM, CLIENTS, ROUNDS = 100, 1_000, 64, 16, 6
WAKE_MS = 1_500


def fanned_out(name: str) -> dict[str, Any]:
    """A required input with one work item for each of its elements."""
    return {name: {"role": "required", "required": {"for_each": True}}}


def test_x35_a_hundred_webhooks_at_once(client: Client, services: StepServices) -> None:
    """All items of one step are answered in the same moment: each post gets its 200, and each outcome counts once."""
    endpoint = services["held"]
    specs = fanned_out("number") | attributes(gives=["square"])
    client.register(asynchronous("held", endpoint.url, specs, work_config={"parallelism": ITEMS}))
    client.start("webhooks", ["held"], {"number": list(range(ITEMS))})
    eventually("all calls", lambda: len(set(endpoint.tokens)) == ITEMS)

    def answer(call: Any) -> int:
        return request(call.webhook_url, "POST", {"square": call.arguments["number"] ** 2}).status

    with ThreadPoolExecutor(ITEMS) as senders:
        statuses = Counter(senders.map(answer, endpoint.calls))
    state = client.await_end("webhooks")

    assert {200: len(endpoint.calls)} == statuses
    assert ("completed", []) == (state["status"], faults_of_log(client.events("webhooks")))
    (value,) = state["attributes"]["square"]
    assert [{"number": n, "square": n * n} for n in range(ITEMS)] == value["value"]


def test_x35_a_thousand_items_at_parallelism_64(client: Client, services: StepServices) -> None:
    """No result is lost, no item is called twice, and the aggregate has them in their order."""
    endpoint = services["wide"].computes(lambda arguments: {"twice": arguments["number"] * 2})
    specs = fanned_out("number") | attributes(gives=["twice"])
    client.register(sync("wide", endpoint.url, specs, work_config={"parallelism": PARALLELISM}))
    client.start("wide", ["wide"], {"number": list(range(WIDE))})
    state = client.await_end("wide", 120)

    assert ("completed", []) == (state["status"], faults_of_log(client.events("wide")))
    (value,) = state["attributes"]["twice"]
    assert [{"number": n, "twice": 2 * n} for n in range(WIDE)] == value["value"]
    assert WIDE == len(endpoint.calls) == len(set(endpoint.tokens))


def test_x35_sixteen_clients_register_and_update_at_once(client: Client) -> None:
    """Every answer is a success, and every step ends as its client last wrote it."""

    def write(number: int) -> list[int]:
        mine = f"mine-{number}"
        statuses = [client.post("/engine/step", definition(mine, 0)).status]
        for version in range(1, ROUNDS):
            body = definition(mine, version)
            statuses.append(request(f"{client.base_url}/engine/step/{mine}", "PUT", body).status)
            statuses.append(client.post("/engine/step", definition("common", 0)).status)
        return statuses

    with ThreadPoolExecutor(CLIENTS) as writers:
        statuses = Counter(status for found in writers.map(write, range(CLIENTS)) for status in found)

    assert {201: CLIENTS * ROUNDS, 200: CLIENTS * (ROUNDS - 1)} == statuses
    steps = {step["id"]: step["name"] for step in client.get("/engine/step").json["steps"]}
    expected = {f"mine-{number}": f"version {ROUNDS - 1}" for number in range(CLIENTS)}
    assert expected | {"common": "version 0"} == steps


def definition(step_id: str, version: int) -> dict[str, Any]:
    """A version of a step."""
    specs = attributes(gives=[f"given_{step_id}".replace("-", "_")])
    return script(step_id, "return {}", specs, name=f"version {version}")


def test_x36_a_deadline_that_passed_while_all_was_down(stack: Stack, services: StepServices) -> None:
    """It fires as soon as everything is back: the step starts with its default, long before the value would come."""
    client, gate = stack.client, services.gate()
    late = services["late"].answers(Reply(body={"hint": "late"}, gate=gate))
    hint = {"role": "optional", "optional": {"default": '"none"', "deadline": WAKE_MS}}
    client.register(
        sync("late", late.url, attributes(gives=["hint"])),
        script("decide", "return {choice = hint}", {"hint": hint} | attributes(gives=["choice"])),
    )
    client.start("overdue", ["decide"])
    started_at = client.await_event("overdue", "flow_started")["timestamp"]
    eventually("the call", lambda: late.calls)
    for part in (stack.beat, stack.api, *stack.workers.values(), stack.redis):
        part.kill()
    eventually("the deadline", lambda: _seconds_since(started_at) > WAKE_MS / 1000)
    stack.mend()

    client.await_event("overdue", "step_completed")
    assert [{"value": "none", "step": "decide"}] == [
        {name: value[name] for name in ("value", "step")} for value in client.state("overdue")["attributes"]["choice"]
    ]
    gate.set()
    assert "completed" == client.await_end("overdue")["status"]


def _seconds_since(at: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()
