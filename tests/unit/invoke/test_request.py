# SPDX-License-Identifier: Apache-2.0
"""What is sent to a step, and where a redirect leads. Source: the contract, http §3.1."""

import json
from dataclasses import replace

import pytest
from msgspec import structs

from argyll_engine.invoke.request import HttpRequest, build_compensation, build_request, redirected
from argyll_engine.model.invocation import Compensation, Failed, Invocation
from argyll_engine.model.step import HttpConfig, Step, StepType

CONTEXT = {"Argyll-Flow-ID": "f", "Argyll-Step-ID": "s", "Argyll-Receipt-Token": "t"}
FIXED = {"Accept": "application/json", "User-Agent": "Argyll-Engine/0.1"}
JSON = {"Content-Type": "application/json"}


def an_invocation(arguments: dict[str, object] | None = None, webhook_url: str = "", **config: object) -> Invocation:
    """A call of a step; keywords are HTTP settings."""
    http = HttpConfig(**{"endpoint": "http://h/x", **config})
    step = Step(id="s", name="S", type=StepType.SYNC, http=http)
    return Invocation(
        flow_id="f", step_id="s", token="t", attempt=1, step=step, arguments=arguments or {}, webhook_url=webhook_url
    )


@pytest.mark.parametrize(("method", "sent"), [("", "POST"), ("POST", "POST"), ("PUT", "PUT"), ("DELETE", "DELETE")])
def test_methods_with_a_body(method: str, sent: str) -> None:
    """All methods but GET carry the arguments, in order of their names."""
    expected = HttpRequest(
        method=sent, url="http://h/x", headers=FIXED | CONTEXT | JSON, body=b'{"a":{"c":2.0,"d":null},"b":1}'
    )
    assert expected == build_request(an_invocation({"b": 1, "a": {"d": None, "c": 2.0}}, method=method), "bare")


def test_no_arguments() -> None:
    """Without arguments the body is an empty object, never empty."""
    request = build_request(an_invocation(), "bare")
    assert isinstance(request, HttpRequest)
    assert request.body == b"{}"


def test_get() -> None:
    """GET has neither a body nor a content type."""
    expected = HttpRequest(method="GET", url="http://h/5", headers=FIXED | CONTEXT, body=None)
    assert expected == build_request(an_invocation({"id": 5}, method="GET", endpoint="http://h/{id}"), "bare")


def test_x27_a_call_says_what_it_is_about() -> None:
    """Flow, step and receipt token are headers of every call."""
    request = build_request(an_invocation(), "bare")
    assert isinstance(request, HttpRequest)
    assert CONTEXT == {name: value for name, value in request.headers.items() if name.startswith("Argyll-")}


def test_x13_undoing_says_what_it_is_about() -> None:
    """With the same headers, and what went in and came out as its body; the URL prefers what came out."""
    step = Step(id="s", name="S", type=StepType.SYNC, http=HttpConfig(endpoint="http://h", compensate="http://h/{a}"))
    undo = Compensation(flow_id="f", step_id="s", token="t", step=step, inputs={"a": 1}, outputs={"a": 2})

    expected = HttpRequest(
        method="POST", url="http://h/2", headers=FIXED | CONTEXT | JSON, body=b'{"input":{"a":1},"output":{"a":2}}'
    )
    assert expected == build_compensation(undo)


def test_an_asynchronous_call() -> None:
    """The webhook URL is one more header."""
    request = build_request(an_invocation(webhook_url="http://w"), "bare")
    assert isinstance(request, HttpRequest)
    assert FIXED | CONTEXT | JSON | {"Argyll-Webhook-URL": "http://w"} == request.headers


@pytest.mark.parametrize(
    ("deployment", "of_the_step", "enveloped"),
    [("bare", "", False), ("envelope", "", True), ("envelope", "bare", False), ("bare", "envelope", True)],
)
def test_the_protocol(deployment: str, of_the_step: str, enveloped: bool) -> None:
    """The step's protocol goes before the deployment's."""
    request = build_request(an_invocation({"a": 1}, webhook_url="http://w", protocol=of_the_step), deployment)
    metadata = {"flow_id": "f", "step_id": "s", "receipt_token": "t", "webhook_url": "http://w"}
    assert isinstance(request, HttpRequest)
    assert json.loads(request.body or b"") == ({"arguments": {"a": 1}, "metadata": metadata} if enveloped else {"a": 1})


def test_the_envelope_of_a_synchronous_call() -> None:
    """What is empty is left out of the metadata."""
    request = build_request(an_invocation(), "envelope")
    assert isinstance(request, HttpRequest)
    assert request.body == b'{"arguments":{},"metadata":{"flow_id":"f","receipt_token":"t","step_id":"s"}}'


def test_a_missing_placeholder() -> None:
    """Without a URL there is nothing to send."""
    expected = Failed(error="missing endpoint argument: id")
    assert expected == build_request(an_invocation(endpoint="http://h/{id}"), "bare")


def test_a_step_without_an_endpoint() -> None:
    """A step that says no URL cannot be called."""
    invocation = an_invocation()
    without = structs.replace(invocation, step=replace(invocation.step, http=None))
    assert Failed(error="step has no endpoint") == build_request(without, "bare")


POST = HttpRequest(method="POST", url="http://h/a/b?q=1", headers=CONTEXT | JSON, body=b"{}")


@pytest.mark.parametrize("status", [301, 302, 303])
def test_redirects_that_turn_into_get(status: int) -> None:
    """301, 302 and 303 ask again with GET, without a body and its type."""
    expected = HttpRequest(method="GET", url="http://h/c", headers=CONTEXT, body=None)
    assert expected == redirected(POST, status, "/c")


@pytest.mark.parametrize("status", [307, 308])
def test_redirects_that_repeat(status: int) -> None:
    """307 and 308 send the same elsewhere."""
    assert replace(POST, url="https://other/c") == redirected(POST, status, "https://other/c")


@pytest.mark.parametrize(
    ("status", "location"),
    [(200, "/c"), (300, "/c"), (304, "/c"), (305, "/c"), (302, None), (302, ""), (307, "ftp://h/c"), (302, "http://["),
     (301, "mailto:a@b")],
)  # fmt: skip
def test_redirects_that_lead_nowhere(status: int, location: str | None) -> None:
    """Other statuses, and locations that HTTP cannot reach, are not followed."""
    assert redirected(POST, status, location) is None
