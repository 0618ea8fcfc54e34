# SPDX-License-Identifier: Apache-2.0
"""What a step service is sent, and what its answers mean. Source: the contract, http §3.1 and §3.2, execution §3.5."""

from typing import Any

import pytest

from tests.acceptance.client import Client, fresh_id
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.steps import asynchronous, attributes, retries, sync

PROBLEM = "application/problem+json"


def run(client: Client, step: Any, init: Any = None) -> Any:
    """A flow of one step, at its end."""
    client.register(step)
    return client.run(fresh_id("interface"), [step["id"]], init)


def test_x27_headers_of_a_call(client: Client, services: StepServices) -> None:
    """What the call is about, and nothing of a webhook where there is none."""
    state = run(client, sync("now", services["now"].url, attributes(gives=["n"])))
    (call,) = services["now"].calls
    (token,) = state["executions"]["now"]["work_items"]
    expected = {"argyll-flow-id": state["id"], "argyll-step-id": "now", "argyll-receipt-token": token}
    assert expected == {name: value for name, value in call.headers.items() if name.startswith("argyll-")}
    fixed = ("accept", "content-type", "user-agent")
    assert ["application/json", "application/json", "Argyll-Engine/0.1"] == [call.headers[name] for name in fixed]
    assert {} == call.arguments


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_methods_and_placeholders(client: Client, services: StepServices, method: str) -> None:
    """Arguments go into the path, escaped, and into the body, which GET does not have."""
    step = sync("method", services["method"].url + "/{name}/{n}?q={name}", attributes(["name", "n"], ["o"]))
    step["http"]["method"] = method
    run(client, step, {"name": "a/b c&ü", "n": {"k": 1}})
    (call,) = services["method"].calls
    text = "a%2Fb%20c&%C3%BC"
    assert (method, f"/method/{text}/%7B%22k%22:1%7D?q={text}") == (call.method, call.path)
    body = None if method == "GET" else {"name": "a/b c&ü", "n": {"k": 1}}
    assert (body, method != "GET") == (call.arguments, "content-type" in call.headers)


def test_a_placeholder_without_an_argument(client: Client, services: StepServices) -> None:
    """Fails the work for good, before anything is sent: what must stay empty has nothing to say."""
    specs = attributes(gives=["o"]) | {"gone": {"role": "required", "required": {"collect": "none"}}}
    state = run(client, sync("missing", services["missing"].url + "/{gone}", specs))
    assert "step missing failed: missing endpoint argument: gone" == state["error"]
    assert [] == services["missing"].calls


@pytest.mark.parametrize(
    ("reply", "outputs"),
    [
        (Reply(body={"o": 1}), {"o": 1}),
        (Reply(body={"o": 1}, status=201, content_type="text/plain"), {"o": 1}),
        (Reply(body=b"", status=204), {}),
        (Reply(body=b"  \n"), {}),
        (Reply(body=None), {}),
    ],
)
def test_successes(client: Client, services: StepServices, reply: Reply, outputs: Any) -> None:
    """Any 2xx with an object, `null` or nothing; its type is not looked at."""
    state = run(client, sync("good", services["good"].answers(reply).url, attributes(gives=["o"])))
    assert ("completed", outputs) == (state["status"], state["executions"]["good"].get("outputs", {}))


@pytest.mark.parametrize("make", [sync, asynchronous])
@pytest.mark.parametrize("body", [b"[1]", b'"text"', b"5", b"<html>", b'{"a":'])
def test_answers_that_are_no_object(client: Client, services: StepServices, body: bytes, make: Any) -> None:
    """Fail the work for good, in acknowledgements too."""
    step = make("odd", services["odd"].answers(Reply(body=body)).url, attributes(gives=["o"]))
    state = run(client, step)
    assert (1, True) == (len(services["odd"].calls), state["error"].startswith("step odd failed: invalid output JSON"))


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (Reply(status=422, content_type=f"{PROBLEM}; charset=utf-8", body={"detail": "d", "title": "t"}), ": d"),
        (Reply(status=422, content_type=PROBLEM, body={"title": "t"}), ": t"),
        (Reply(status=422, content_type=PROBLEM, body={"type": "x", "status": 404}), ": Not Found"),
        (Reply(status=422, content_type=PROBLEM, body={"status": 404}), ""),
        (Reply(status=422, body={"detail": "d"}), ""),
        (Reply(status=304, body=b""), ""),
        (Reply(status=425), ""),
    ],
)
def test_refusals_and_their_text(client: Client, services: StepServices, reply: Reply, text: str) -> None:
    """Any other answer below 500 is final; a problem document says why."""
    state = run(client, sync("refusing", services["refusing"].answers(reply).url, attributes(gives=["o"])))
    expected = f"step refusing failed: step returned HTTP error: status {reply.status}{text}"
    assert (expected, 1) == (state["error"], len(services["refusing"].calls))


@pytest.mark.parametrize("make", [sync, asynchronous])
def test_a_problem_of_a_busy_service(client: Client, services: StepServices, make: Any) -> None:
    """Is tried again, and its text is kept with the attempt."""
    busy = Reply(status=500, content_type=PROBLEM, body={"detail": "later"})
    services["busy"].answers(busy)
    state = run(client, make("busy", services["busy"].url, attributes(gives=["o"]), work_config=retries(1, 1)))
    error = "work not completed\nstep returned HTTP error: status 500: later"
    assert (f"step busy failed: {error}", 2) == (state["error"], len(services["busy"].calls))


def test_x31_an_answer_that_breaks_off(client: Client, services: StepServices) -> None:
    """After its headers, by the timeout of the step: the call is made again."""
    gate = services.gate()
    endpoint = services["dripping"].answers(Reply(body={"o": 1}, body_gate=gate), Reply(body={"o": 2}))
    step = sync("dripping", endpoint.url, attributes(gives=["o"]), work_config=retries(3, 1))
    step["http"]["timeout"] = 200
    state = run(client, step)
    gate.set()
    assert ("completed", 2) == (state["status"], state["attributes"]["o"][0]["value"])


@pytest.mark.parametrize("status", [302, 307])
def test_redirects(client: Client, services: StepServices, status: int) -> None:
    """Are followed, the call with its body where the status says so."""
    services["old"].answers(Reply(status=status, location=services["new"].url, body=b""))
    services["new"].answers(Reply(body={"o": 1}))
    state = run(client, sync("moved", services["old"].url, attributes(["x"], ["o"])), {"x": 5})
    (call,) = services["new"].calls
    expected = ("POST", {"x": 5}) if status == 307 else ("GET", None)
    assert ("completed", expected) == (state["status"], (call.method, call.arguments))


def test_success_false(client: Client, services: StepServices) -> None:
    """A 200 that says it did not work fails the work for good."""
    services["saying"].answers(Reply(body={"success": False, "error": "not today"}))
    assert (
        "step saying failed: not today"
        == (run(client, sync("saying", services["saying"].url, attributes(gives=["o"])))["error"])
    )


@pytest.mark.parametrize("value", [2**70, 1.5, "ü\u2028\U0001f600", [[], {}], {"": None}, -0.0, True, None])
def test_values_travel_unharmed(client: Client, services: StepServices, value: Any) -> None:
    """From init to the call, and from the answer to the attribute."""
    services["echo"].computes(lambda given: {"o": given["x"]})
    state = run(client, sync("echo", services["echo"].url, attributes(["x"], ["o"])), {"x": value})
    assert [value] * 2 == [services["echo"].calls[0].arguments["x"], state["attributes"]["o"][0]["value"]]
