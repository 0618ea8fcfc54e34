# SPDX-License-Identifier: Apache-2.0
"""Health of steps over HTTP, and what it does to their work, with a service whose health flips.

Source: the contract, execution §7 and http §1.5 and §3.5; X18 and X29.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from tests.acceptance.client import Client, eventually
from tests.acceptance.folding import faults_of_log, fold
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.stack import Stack
from tests.acceptance.steps import attributes, retries, script, sync

INTERVAL = "0.3s"
ILL = Reply(status=503)
ERROR = "HTTP 503 Service Unavailable"
NODE = "argyll-1"


def _stack(tmp_path_factory: pytest.TempPathFactory, **variables: str) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("health"), HEALTH_CHECK_INTERVAL=INTERVAL, **variables) as stack:
        yield stack


@pytest.fixture(scope="module")
def checking_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An Argyll that looks at the health of steps often."""
    yield from _stack(tmp_path_factory)


@pytest.fixture
def client(checking_stack: Stack) -> Client:
    """Its API, without steps."""
    checking_stack.mend()
    checking_stack.client.forget_steps()
    return checking_stack.client


@pytest.fixture
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The API of an Argyll that refuses work of unhealthy steps."""
    for stack in _stack(tmp_path_factory, STEP_UNHEALTHY="fail"):
        yield stack.client


def checked(step_id: str, services: StepServices, **more: Any) -> dict[str, Any]:
    """A step whose service says under an address of its own how it is."""
    step = sync(step_id, services[step_id].url, attributes(gives=["answer"]), **more)
    step["http"]["health_check"] = services[f"{step_id}-health"].url
    return step


def health(client: Client, step_id: str) -> tuple[str, str]:
    """Status and error of a step, merged over the nodes."""
    answer = client.get(f"/engine/health/{step_id}").json
    return answer["status"], answer.get("error", "")


def await_health(client: Client, step_id: str, status: str) -> tuple[str, str]:
    """The same, once the status is this one."""
    eventually(f"{step_id} {status}", lambda: health(client, step_id)[0] == status)
    return health(client, step_id)


def changes(client: Client, step_id: str) -> list[str]:
    """What was recorded of a step."""
    events = client.get("/engine/cluster/events").json["events"]
    return [event["data"]["status"] for event in events if event["data"]["step_id"] == step_id]


def await_rounds(client: Client, services: StepServices, step_id: str, count: int) -> None:
    """Wait until the service was asked so many times more."""
    endpoint = services[f"{step_id}-health"]
    asked = len(endpoint.calls)
    eventually("rounds of health checks", lambda: len(endpoint.calls) >= asked + count)


def test_changes_of_health_are_recorded(client: Client, services: StepServices) -> None:
    """Unknown when registered, then what the service answers; nothing is recorded while that stays the same."""
    services["asked-health"].answers(Reply())
    client.register(checked("asked", services), sync("silent", services["silent"].url, attributes(gives=["x"])))
    assert ("healthy", "") == await_health(client, "asked", "healthy")
    services["asked-health"].answers(ILL)
    assert ("unhealthy", f"node {NODE}: {ERROR}") == await_health(client, "asked", "unhealthy")
    await_rounds(client, services, "asked", 3)
    assert ["unknown", "healthy", "unhealthy"] == changes(client, "asked")
    assert ("unknown", "") == health(client, "silent")
    nodes = client.get("/engine/health").json["nodes"]
    assert {"status": "unhealthy", "error": ERROR} == nodes[NODE]["health"]["asked"]


def test_nobody_answers(client: Client, services: StepServices) -> None:
    """A service that cannot be reached is unhealthy, with the reason."""
    step = checked("gone", services)
    step["http"]["health_check"] = "http://127.0.0.1:1/health"
    client.register(step)
    assert ("unhealthy", f"node {NODE}: connection refused") == await_health(client, "gone", "unhealthy")


def test_x29_flow_steps_follow_their_steps(client: Client, services: StepServices) -> None:
    """Read and recorded, there and back, however often it was derived before."""
    services["leaf-health"].answers(Reply())
    inner = {"id": "inner", "name": "inner", "type": "flow", "flow": {"goals": ["leaf"]}}
    outer = {"id": "outer", "name": "outer", "type": "flow", "flow": {"goals": ["inner"]}}
    client.register(checked("leaf", services), inner, outer)
    for reply, status, text in ((Reply(), "healthy", ""), (ILL, "unhealthy", "step leaf: "), (Reply(), "healthy", "")):
        services["leaf-health"].answers(reply)
        await_health(client, "leaf", status)
        assert text in health(client, "inner")[1]
        eventually(f"outer recorded {status}", lambda status=status: changes(client, "outer")[-1] == status)
        assert status == health(client, "outer")[0]


def test_work_waits_until_its_step_is_well(client: Client, services: StepServices) -> None:
    """The first work of a step stays pending, without an event, and runs once the service is well."""
    services["held-health"].answers(ILL)
    services["held"].answers(Reply(body={"answer": 42}))
    client.register(checked("held", services))
    await_health(client, "held", "unhealthy")
    flow_id = client.start("waits", ["held"])
    before = client.types(flow_id)
    await_rounds(client, services, "held", 6)
    (item,) = client.state(flow_id)["executions"]["held"]["work_items"].values()
    assert (["flow_started", "step_started"], before, "pending", 0) == (
        before,
        client.types(flow_id),
        item["status"],
        len(services["held"].calls),
    )
    services["held-health"].answers(Reply())
    state, events = client.await_end(flow_id), client.events(flow_id)
    assert ("completed", 1) == (state["status"], len(services["held"].calls))
    assert ([], state) == (faults_of_log(events), fold(events))


def test_x18_a_retry_is_deferred(client: Client, services: StepServices) -> None:
    """It says that it waits, at most once a second, and is made once the service is well."""
    services["busy-health"].answers(Reply())
    services["busy"].answers(ILL, Reply(body={"answer": 42}))
    client.register(checked("busy", services, work_config=retries(5, 3_000)))
    await_health(client, "busy", "healthy")
    flow_id = client.start("deferred", ["busy"])
    client.await_event(flow_id, "work_retry_scheduled")
    services["busy-health"].answers(ILL)
    await_health(client, "busy", "unhealthy")
    client.await_event(flow_id, "dispatch_deferred")
    await_rounds(client, services, "busy", 6)
    assert 1 == len(services["busy"].calls)
    services["busy-health"].answers(Reply())
    state, events = client.await_end(flow_id), client.events(flow_id)
    assert ("completed", 2) == (state["status"], len(services["busy"].calls))
    times = [datetime.fromisoformat(ev["timestamp"]) for ev in events if ev["type"] == "dispatch_deferred"]
    assert [] == [late for early, late in pairwise(times) if (late - early).total_seconds() < 1]
    assert ([], state) == (faults_of_log(events), fold(events))


def test_held_work_outlives_its_worker(checking_stack: Stack, client: Client, services: StepServices) -> None:
    """The workers that knew of it are killed; those that come after them run it."""
    services["survivor-health"].answers(ILL)
    client.register(checked("survivor", services))
    await_health(client, "survivor", "unhealthy")
    flow_id = client.start("survives", ["survivor"])
    await_rounds(client, services, "survivor", 3)
    checking_stack.kill_worker()
    services["survivor-health"].answers(Reply())
    checking_stack.forget_deliveries()
    checking_stack.start_worker()
    assert "completed" == client.await_end(flow_id)["status"]
    assert 1 == len(services["survivor"].calls)


def test_the_first_round_is_at_the_start(stack: Stack, services: StepServices) -> None:
    """Beat begins with a round; nobody waits for the interval to pass, which is long here."""
    services["early-health"].answers(ILL)
    stack.client.register(checked("early", services))
    stack.beat.kill()
    stack.beat.start()
    eventually("a first round", lambda: health(stack.client, "early")[0] == "unhealthy", 20)


def test_a_failed_script_runs_again(client: Client) -> None:
    """What one run showed holds no other back; a success makes the step healthy, as does the next round."""
    text = 'if x == 1 then error("boom") end return {y = x}'
    client.register(script("s", text, attributes(takes=["x"], gives=["y"])))
    assert "failed" == client.await_end(client.start("script-fails", ["s"], {"x": 1}))["status"]
    assert "unhealthy" in changes(client, "s")
    assert "completed" == client.await_end(client.start("script-works", ["s"], {"x": 2}))["status"]
    await_health(client, "s", "healthy")


def test_work_of_an_unhealthy_step_is_refused(refusing: Client, services: StepServices) -> None:
    """With `STEP_UNHEALTHY=fail` it fails at once, names the fault, and is not called."""
    services["sick-health"].answers(ILL)
    refusing.register(checked("sick", services))
    await_health(refusing, "sick", "unhealthy")
    flow_id = refusing.start("refused", ["sick"])
    state, events = refusing.await_end(flow_id), refusing.events(flow_id)
    assert ("failed", f"step sick failed: step unhealthy: {ERROR}") == (state["status"], state["error"])
    assert 0 == len(services["sick"].calls)
    assert ([], state) == (faults_of_log(events), fold(events))
