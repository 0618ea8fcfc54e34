# SPDX-License-Identifier: Apache-2.0
"""A broker that is not the flow store's Redis: messages go out after the commit, and recovery closes the gap."""

from collections.abc import Iterator

import pytest

from tests.acceptance.client import Client, eventually, request
from tests.acceptance.folding import faults_of_log, fold
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.stack import RedisPart, Stack
from tests.acceptance.steps import asynchronous, attributes, retries, script, sync


@pytest.fixture(scope="module")
def foreign_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with a Redis for its flows and another one as its broker."""
    folder = tmp_path_factory.mktemp("foreign")
    with Stack(folder, RedisPart(folder / "broker")) as stack:
        yield stack


@pytest.fixture
def stack(foreign_stack: Stack) -> Stack:
    """The same, with all its parts running and no steps."""
    foreign_stack.mend()
    foreign_stack.client.forget_steps()
    return foreign_stack


def register_chain(client: Client, services: StepServices) -> None:
    """A script, a call that is refused once, an asynchronous call and a script, each fed by the one before."""
    services["call"].answers(Reply(status=503), Reply(body={"called": 2}))
    services["pay"].answers(
        Reply(status=202, before=lambda call: request(call.webhook_url, "POST", {"paid": call.arguments["called"]}))
    )
    client.register(
        script("first", "return {begun = seed}", attributes(["seed"], ["begun"])),
        sync("call", services["call"].url, attributes(["begun"], ["called"]), work_config=retries(3, 50)),
        asynchronous("pay", services["pay"].url, attributes(["called"], ["paid"])),
        script("last", "return {ended = paid * 10}", attributes(["paid"], ["ended"])),
    )


def assert_completed(client: Client, flow_id: str) -> None:
    """The chain comes to its end, its log is in order and amounts to the state that is served."""
    state, events = client.await_end(flow_id), client.events(flow_id)
    assert ("completed", [], state) == (state["status"], faults_of_log(events), fold(events))
    assert [20] == [value["value"] for value in state["attributes"]["ended"]]


def test_flow_completes(stack: Stack, services: StepServices) -> None:
    """Scripts, calls, retries and webhooks work as on the shared Redis."""
    register_chain(stack.client, services)
    flow_id = stack.client.start("foreign", ["last"], {"seed": 1})
    assert_completed(stack.client, flow_id)
    assert (2, 1) == (len(services["call"].calls), len(services["pay"].calls))


def test_queues_are_the_brokers(stack: Stack) -> None:
    """What is to be done lies in the broker alone, once for each flow that was started."""
    stack.client.register(script("alone", "return {ended = 1}", attributes(gives=["ended"])))
    stack.kill_worker()
    flow_ids = [stack.client.start(f"foreign-queue-{number}", ["alone"]) for number in range(3)]
    with stack.broker_redis() as broker, stack.flow_redis() as flows:
        queued = broker.llen("steps"), [key for key in flows.keys("*") if b"celery" in key]
    assert (3, []) == queued
    stack.start_worker()
    assert {"completed"} == {stack.client.await_end(flow_id)["status"] for flow_id in flow_ids}


@pytest.mark.slow
def test_broker_that_lost_its_queues(stack: Stack, services: StepServices) -> None:
    """A flow whose messages the broker forgot is taken up again by the recovery sweep."""
    register_chain(stack.client, services)
    stack.kill_worker()
    flow_id = stack.client.start("foreign-lost", ["last"], {"seed": 1})
    assert 1 == stack.lose_messages("steps")
    stack.start_worker()
    assert_completed(stack.client, flow_id)


def test_broker_that_is_away(stack: Stack, services: StepServices) -> None:
    """A start that cannot be queued is answered 503 and yet durable: repeated it is 201, and the flow completes."""
    assert stack.broker is not None
    client = stack.client
    register_chain(client, services)
    body = {"id": "foreign-away", "goals": ["last"], "init": {"seed": [1]}}
    stack.broker.kill()
    refused = client.post("/engine/flow", body)
    stack.broker.start()
    assert (503, {"error", "status"}) == (refused.status, set(refused.json))
    assert int(refused.headers["retry-after"]) > 0
    eventually("the repeated start", lambda: client.post("/engine/flow", body).status == 201)
    assert_completed(client, "foreign-away")
    assert 1 == client.types("foreign-away").count("flow_started")
