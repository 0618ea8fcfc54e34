# SPDX-License-Identifier: Apache-2.0
"""Flows from their start to their end, over HTTP, with real workers: what a client sees of each kind of step."""

import threading

import pytest

from tests.acceptance.client import Client, request
from tests.acceptance.folding import faults_of_log, fold
from tests.acceptance.services import Call, Reply, StepServices
from tests.acceptance.steps import asynchronous, attributes, lua, script, sync

PROBLEM = "application/problem+json"


def webhook_of(client: Client, flow_id: str, step_id: str) -> str:
    """Where the outcome of a step's one work item goes."""
    (token,) = client.await_event(flow_id, "step_started")["data"]["work_items"]
    return f"{client.base_url}/webhook/{flow_id}/{step_id}/{token}"


def assert_log_tells_state(client: Client, flow_id: str) -> None:
    """The log of an ended flow is in order, and amounts to the state that is served beside it."""
    events = client.events(flow_id)
    assert [] == faults_of_log(events)
    assert fold(events) == client.state(flow_id)


def test_scripts_feed_one_another(client: Client) -> None:
    """A goal's script runs with what the scripts before it gave, whatever the order of registration."""
    client.register(
        script("total", "return {total = net + tax}", attributes(["net", "tax"], ["total"])),
        script("tax", "return {tax = net * 0.25}", attributes(["net"], ["tax"])),
        script("net", "return {net = price * count}", attributes(["price", "count"], ["net"])),
    )
    flow_id = client.start("scripts", ["total"], {"price": 40, "count": 2})
    state = client.await_end(flow_id)
    assert ("completed", 100) == (state["status"], state["attributes"]["total"][0]["value"])
    assert {"total": 100} == client.of_type(flow_id, "flow_completed")[0]["data"]["result"]
    assert_log_tells_state(client, flow_id)


def test_sync_step_is_called_once_with_its_context(client: Client, services: StepServices) -> None:
    """A service gets the arguments as its body and the ids as headers; its answer becomes attributes."""
    endpoint = services["square"].computes(lambda given: {"square": given["side"] ** 2, "undeclared": 1})
    client.register(sync("square", endpoint.url, attributes(["side"], ["square"])))
    flow_id = client.start("sync", ["square"], {"side": 7})
    state = client.await_end(flow_id)
    (call,) = endpoint.calls
    (token,) = state["executions"]["square"]["work_items"]
    sent = (call.arguments, call.headers["argyll-flow-id"], call.headers["argyll-step-id"], call.token)
    assert ({"side": 7}, flow_id, "square", token) == sent
    assert {"square": 49} == state["executions"]["square"]["outputs"]
    assert_log_tells_state(client, flow_id)


def test_webhook_completes_an_asynchronous_step(client: Client, services: StepServices) -> None:
    """An accepted call stays active until its webhook brings the outputs."""
    endpoint = services["pay"].answers(Reply(status=202))
    client.register(asynchronous("pay", endpoint.url, attributes(["amount"], ["receipt"])))
    flow_id = client.start("async", ["pay"], {"amount": 3})
    webhook = webhook_of(client, flow_id, "pay")
    assert (200, b"") == ((answer := request(webhook, "POST", {"receipt": "r-1"})).status, answer.body)
    state = client.await_end(flow_id)
    assert "r-1" == state["attributes"]["receipt"][0]["value"]
    assert_log_tells_state(client, flow_id)


def test_service_is_told_where_its_webhook_is(client: Client, services: StepServices) -> None:
    """The header of an asynchronous call names an address that takes the outcome."""
    delivered: list[int] = []

    def deliver(call: Call) -> None:
        delivered.append(request(call.webhook_url, "POST", {"receipt": "early"}).status)

    endpoint = services["early"].answers(Reply(status=202, before=deliver))
    client.register(asynchronous("early", endpoint.url, attributes(gives=["receipt"])))
    flow_id = client.start("early", ["early"])
    state = client.await_end(flow_id)
    assert ([200], "completed", 1) == (delivered, state["status"], len(endpoint.calls))
    assert "early" == state["attributes"]["receipt"][0]["value"]
    assert_log_tells_state(client, flow_id)


def test_problem_by_webhook_fails_the_step(client: Client, services: StepServices) -> None:
    """A problem document fails the work for good, with its detail as the error."""
    endpoint = services["refuse"].answers(Reply(status=202))
    client.register(asynchronous("refuse", endpoint.url, attributes(gives=["receipt"])))
    flow_id = client.start("problem", ["refuse"])
    problem = {"title": "No", "detail": "card expired", "status": 503}
    assert 200 == request(webhook_of(client, flow_id, "refuse"), "POST", problem, PROBLEM).status
    state = client.await_end(flow_id)
    assert ("failed", "step refuse failed: card expired") == (state["status"], state["error"])
    assert_log_tells_state(client, flow_id)


def test_first_webhook_counts(client: Client, services: StepServices) -> None:
    """Of a hundred outcomes that arrive at once one is kept; all are answered 200, late ones too."""
    endpoint = services["many"].answers(Reply(status=202))
    client.register(asynchronous("many", endpoint.url, attributes(gives=["winner"])))
    flow_id = client.start("many", ["many"])
    webhook = webhook_of(client, flow_id, "many")
    statuses: list[int] = []

    def post(number: int) -> None:
        statuses.append(request(webhook, "POST", {"winner": number}).status)

    threads = [threading.Thread(target=post, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner = client.await_end(flow_id)["attributes"]["winner"]
    late = request(webhook, "POST", {"detail": "too late"}, PROBLEM).status
    assert ({200}, 100, 200) == (set(statuses), len(statuses), late)
    assert winner == client.state(flow_id)["attributes"]["winner"]
    assert_log_tells_state(client, flow_id)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"greeting": "hello nobody"}),
        ({"who": "Ann"}, {"greeting": "hello Ann"}),
        ({"word": "bye"}, {"greeting": "hello nobody"}),  # a constant is not to be had from outside
    ],
)
def test_defaults_and_constants_fill_the_arguments(
    client: Client, given: dict[str, str], expected: dict[str, str]
) -> None:
    """An optional input without a value has its default, a constant its one value."""
    specs = attributes(gives=["greeting"], optional={"who": "nobody"}, const={"word": "hello"})
    client.register(script("greet", 'return {greeting = word .. " " .. who}', specs))
    flow_id = client.start("defaults-" + "-".join(given), ["greet"], given)
    assert expected == client.await_end(flow_id)["executions"]["greet"]["outputs"]
    assert_log_tells_state(client, flow_id)


@pytest.mark.parametrize(("amount", "status", "calls"), [(5, "skipped", 0), (50, "completed", 1)])
def test_predicate_decides_whether_a_step_runs(
    client: Client, services: StepServices, amount: int, status: str, calls: int
) -> None:
    """A step whose predicate is false is skipped without a call, and the flow completes all the same."""
    specs = attributes(["amount"], ["sent"])
    client.register(sync("notify", services["notify"].url, specs, predicate=lua("return amount > 10")))
    flow_id = client.start(f"predicate-{amount}", ["notify"], {"amount": amount})
    state = client.await_end(flow_id)
    outcome = state["status"], state["executions"]["notify"]["status"], len(services["notify"].calls)
    assert ("completed", status, calls) == outcome
    assert_log_tells_state(client, flow_id)


def test_failure_reaches_everything_that_needs_it(client: Client, services: StepServices) -> None:
    """What needs a failed step's output fails as unreachable, down to the goal; what needs only the input has run."""
    gate = services.gate()
    failing = services["lookup"].answers(Reply(status=404, gate=gate))
    client.register(
        sync("lookup", failing.url, attributes(["id"], ["user"])),
        script("greet", "return {greeting = user}", attributes(["user"], ["greeting"])),
        script("send", "return {sent = greeting}", attributes(["greeting"], ["sent"])),
        script("audit", "return {audited = id}", attributes(["id"], ["audited"])),
    )
    flow_id = client.start("cascade", ["send", "audit"], {"id": 1})
    client.await_event(flow_id, "step_completed")  # a flow that has failed would start nothing any more
    gate.set()
    state = client.await_end(flow_id)
    assert {"lookup": "failed", "greet": "failed", "send": "failed", "audit": "completed"} == {
        step_id: ex["status"] for step_id, ex in state["executions"].items()
    }
    assert ("failed", "required input no longer available") == (state["status"], state["executions"]["send"]["error"])
    assert_log_tells_state(client, flow_id)


def test_what_was_answered_can_be_read_at_once(client: Client) -> None:
    """A start that was answered 201 shows at once in state, status, log and list; the same start again is 201."""
    client.register(script("quick", "return {done = true}", attributes(gives=["done"])))
    body = {"id": "at-once", "goals": ["quick"], "init": {}}
    first = client.post("/engine/flow", body)
    seen = [client.get(f"/engine/flow/at-once{path}").status for path in ("", "/status", "/events")]
    listed = [item["id"] for item in client.get("/engine/flow").json]
    again = client.post("/engine/flow", body)
    assert ([200, 200, 200], True, 201, first.body) == (seen, "at-once" in listed, again.status, again.body)
    client.await_end("at-once")
    assert 1 == len(client.of_type("at-once", "flow_started"))
    assert_log_tells_state(client, "at-once")
