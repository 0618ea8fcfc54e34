# SPDX-License-Identifier: Apache-2.0
"""Two hundred flows while workers and Redis are killed with -9: each one completes, and no effect is recorded twice."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.acceptance.client import Client, eventually
from tests.acceptance.folding import faults_of_log, fold
from tests.acceptance.services import Endpoint, Reply, StepServices
from tests.acceptance.stack import Stack
from tests.acceptance.steps import attributes, script, sync

FLOWS = 200
GOAL = "finish"
CLIENTS = 8


def start(client: Client, number: int) -> str:
    """The id of one flow that was started, by a client that repeats what was not answered 201."""
    body = {"id": f"killed-{number}", "goals": [GOAL], "init": {"number": [number]}}
    eventually(f"the start of flow {number}", lambda: client.post("/engine/flow", body).status == 201)
    return f"killed-{number}"


def faults_of(client: Client, flow_id: str) -> list[str]:
    """What is wrong with a flow that should have completed."""
    state, events = client.state(flow_id), client.events(flow_id)
    faults = faults_of_log(events)
    if state["status"] != "completed":
        faults.append(f"it is {state['status']}")
    if fold(events) != state:
        faults.append("its log does not amount to the state that is served")
    number = int(flow_id.rpartition("-")[2])
    if [value["value"] for value in state["attributes"].get("result", ())] != [(number * 2 + 1) * 10]:
        faults.append(f"its result is {state['attributes'].get('result')}")
    return [f"{flow_id}: {fault}" for fault in faults]


def has_completed(client: Client, flow_ids: list[str]) -> bool:
    """Whether no flow is active any more."""
    active = {item["id"] for item in client.get("/engine/flow").json if item["status"] == "active"}
    return not active.intersection(flow_ids)


def in_phases(endpoint: Endpoint, gates: list[Any]) -> None:
    """Lets the calls through in equal parts: those of each part wait for its gate, so that they can be interrupted."""

    def rule(call: Any) -> Reply:
        phase = min(len(endpoint.calls) * len(gates) // FLOWS, len(gates) - 1)
        return Reply(body={"called": call.arguments["doubled"] + 1}, gate=gates[phase])

    endpoint.decides(rule)


def await_call(endpoint: Endpoint, number: int) -> None:
    """Wait until that many calls were made, and one more is waiting."""
    eventually(f"call {number}", lambda: len(endpoint.calls) > number)


def test_every_flow_survives_kills(stack: Stack, services: StepServices) -> None:
    """All workers die twice and Redis once, always amid calls; all flows complete with logs as if nothing happened."""
    client, endpoint = stack.client, services["call"]
    client.register(
        script("double", "return {doubled = number * 2}", attributes(["number"], ["doubled"])),
        sync("call", endpoint.url, attributes(["doubled"], ["called"])),
        script(GOAL, "return {result = called * 10}", attributes(["called"], ["result"])),
    )
    gates = [services.gate() for _ in range(4)]
    in_phases(endpoint, gates)
    with ThreadPoolExecutor(CLIENTS) as clients:
        starting = clients.map(lambda number: start(client, number), range(FLOWS))
        for phase, kill in enumerate((stack.kill_worker, stack.kill_redis, stack.kill_worker), 1):
            gates[phase - 1].set()
            await_call(endpoint, phase * FLOWS // len(gates))
            kill()
            stack.mend()
        gates[-1].set()
        flow_ids = list(starting)
    eventually("the end of all flows", lambda: has_completed(client, flow_ids))
    assert [] == [fault for flow_id in flow_ids for fault in faults_of(client, flow_id)]
    assert FLOWS == len(set(endpoint.tokens))
