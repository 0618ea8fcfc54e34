# SPDX-License-Identifier: Apache-2.0
"""Whatever is sent to whatever route: a documented answer, nothing stored, and a process that is none the worse."""

import http.client
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from argyll_api.app import create_app
from argyll_api.config import ApiConfig
from tests.acceptance.client import Answer, Client, eventually
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.stack import Stack
from tests.acceptance.steps import attributes, sync
from tests.api.described import Description

JSON = "application/json"
PROBLEM = "application/problem+json"
DEEP = 100_000
TOO_LARGE = 5 * 1_048_576
METHODS = ("GET", "POST", "PUT", "DELETE")

RUBBISH: Mapping[str, bytes] = {
    "nothing": b"",
    "spaces": b" \t\r\n",
    "no JSON": b"<html>",
    "half an object": b'{"id": "x"',
    "half a text": b'"abc',
    "a bare word": b"nul",
    "not a number": b"NaN",
    "endless": b"-Infinity",
    "beyond a double": b'{"limit": 1e999, "goals": 1e999, "id": 1e999, "detail": 1e999, "script": 1e999}',
    "many digits": b'{"limit": ' + b"9" * 5000 + b', "goals": 1, "id": 1, "detail": 1, "script": 1}',
    "a list": b"[]",
    "a number": b"5",
    "a text": b'"text"',
    "a truth": b"true",
    "no UTF-8": b"\xff\xfe\x00\x01",
    "UTF-16": '{"id": "x"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "zeros": bytes(1000),
    "deep lists": b"[" * DEEP,
    "deep objects": b'{"a":' * DEEP,
    "deep and whole": b"[" * DEEP + b"]" * DEEP,
    "deep inside": b'{"init": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "too large": b'{"id": "' + b"x" * TOO_LARGE + b'"}',
    "too large and no JSON": b"x" * TOO_LARGE,
}
"""Bodies that no route takes."""

MEMBERS = {
    "id",
    "name",
    "http",
    "goals",
    "init",
    "labels",
    "limit",
    "statuses",
    "language",
    "script",
    "detail",
    "title",
}
WRONG: tuple[Any, ...] = (True, 5, 1.5, [[{}]], {"a": {"b": []}})

PATHS = {
    "slashes": "/engine/flow//",
    "dots": "/engine/flow/../../etc/passwd",
    "no UTF-8": "/engine/flow/%ff%fe",
    "a zero": "/engine/step/%00",
    "a line": "/engine/step/a%0d%0aX-Evil:%201",
    "half an escape": "/engine/flow/%zz",
    "a slash inside": "/engine/flow/a%2Fb/status",
    "half a pair": "/engine/step/%ed%a0%80",
    "another charset": "/engine/health/%80%81",
    "a pattern": "/engine/flow/*/events",
    "braces": "/engine/flow/{flow}",
    "a mile": "/engine/flow/" + "x" * 8000,
    "webhook": "/webhook/%00/%ff/..",
    "a query": "/engine/flow?" + "a=b&" * 2000,
    "a query that is no UTF-8": "/engine/step?%ff=%fe&wait=%ff",
}


def send(
    client: Client, method: str, path: str, body: bytes | None = None, content_type: str = JSON, **headers: str
) -> Answer:
    """One request whose path and body go out as they are."""
    connection = http.client.HTTPConnection(urlsplit(client.base_url).netloc, timeout=30)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in {"Content-Type": content_type, **headers}.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        received = connection.getresponse()
        found = {name.lower(): value for name, value in received.getheaders()}
        return Answer(status=received.status, headers=found, body=received.read())
    finally:
        connection.close()


def routes() -> Iterator[tuple[str, str]]:
    """Method and path of every route that the application has."""
    for rule in create_app(ApiConfig(), None).url_map.iter_rules():  # type: ignore[arg-type]  # no request comes
        for method in sorted((rule.methods or set()) & set(METHODS)):
            yield method, rule.rule


@pytest.fixture
def described(client: Client) -> Description:
    """What the running API says of itself."""
    return Description(client.get("/openapi.json").json)


@pytest.fixture
def token(client: Client, services: StepServices) -> str:
    """A work item that has succeeded, of the step `probe` in the flow `rubbish`."""
    client.register(sync("probe", services["probe"].computes(lambda _: {"sum": 1}).url, attributes(["x"], ["sum"])))
    client.start("rubbish", ["probe"], {"x": 1})
    items: Mapping[str, Any] = client.await_end("rubbish")["executions"]["probe"]["work_items"]
    return next(iter(items))


def stored(client: Client) -> Any:
    """All that is kept: catalog, flows, and the log of the one flow."""
    return (
        client.get("/engine/catalog/events").json["count"],
        client.get("/engine/flow").json,
        client.get("/engine/flow/rubbish/events").json,
    )


def known(path: str, token: str) -> str:
    """The path of a route with ids of what is there."""
    values = {"<flow_id>": "rubbish", "<step_id>": "probe", "<token>": token}
    return re.sub(r"<\w+>", lambda part: values[part[0]], path)


def fault(described: Description, method: str, path: str, answer: Answer) -> str:
    """What is not as documented."""
    content_type = answer.headers.get("content-type", "")
    return described.fault(
        method, path, answer.status, content_type, answer.json if JSON in content_type else answer.body
    )


@pytest.mark.parametrize(("method", "rule"), list(routes()), ids=lambda part: part)
def test_no_route_is_harmed_by_a_body(
    stack: Stack, client: Client, described: Description, token: str, method: str, rule: str
) -> None:
    """Routes that read a body refuse it with 400, all others do not look at it; a whole webhook that is late is 200."""
    path, pid = known(rule, token), stack.api.pid
    if method == "DELETE":
        path = path.replace("probe", "nothing")
    before = stored(client)
    asked = described.operation(method, path).get("requestBody")
    reads = asked is not None
    spared = "nothing" if asked and not asked["required"] else None
    for content_type in (JSON, PROBLEM) if reads else (JSON,):
        for name, body in RUBBISH.items():
            if name == spared:
                continue
            answer = send(client, method, path, body, content_type)
            assert "" == fault(described, method, path, answer), (name, content_type)
            assert not reads or answer.status == 400, (name, content_type, answer)
    assert (before, pid, True) == (stored(client), stack.api.pid, stack.api.is_running)


@pytest.mark.parametrize(
    "path", ["/engine/step", "/engine/flow", "/engine/flow/query", "/engine/plan", "/engine/script/test"]
)
def test_a_member_of_the_wrong_kind_is_refused_by_name(
    client: Client, described: Description, token: str, path: str
) -> None:
    """One after the other, and with all others as they should be."""
    before = stored(client)
    example = described.operation("POST", path)["requestBody"]["content"][JSON]["example"]
    for member in MEMBERS & set(example):
        for wrong in WRONG:
            if type(wrong) is type(example[member]):
                continue
            answer = client.post(path, {**example, "id": "wrong", member: wrong})
            assert (400, "") == (answer.status, fault(described, "POST", path, answer)), (member, wrong)
            assert answer.json["error"].startswith(f"invalid JSON request: {member}"), answer.body
    assert before == stored(client)


def test_a_webhook_takes_an_object_and_nothing_else(client: Client, described: Description, token: str) -> None:
    """A problem with members of the wrong kind is none."""
    path = f"/webhook/rubbish/probe/{token}"
    for problem in ({"status": "503"}, {"status": 5.5}, {"detail": 1}, {"title": []}, []):
        answer = send(client, "POST", path, json.dumps(problem).encode(), PROBLEM)
        assert (400, "Invalid problem JSON") == (answer.status, answer.json["error"])
        assert "" == fault(described, "POST", path, answer)


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize("method", METHODS)
def test_a_strange_path_is_answered(client: Client, token: str, method: str, path: str) -> None:
    """With what any path gets that is not there, or its route with what any id gets that is not known."""
    before = stored(client)
    answer = send(client, method, path, b"{}" if method in ("POST", "PUT") else None)
    assert answer.status in (200, 301, 307, 400, 404), answer
    assert "x-evil" not in answer.headers
    assert before == stored(client)


@pytest.mark.parametrize("size", [1_000, 60_000, 500_000])
def test_a_large_head_is_answered_or_refused(stack: Stack, client: Client, size: int) -> None:
    """Header or query, the process goes on."""
    pid = stack.api.pid
    for path, headers in (("/engine/step", {"X-Large": "x" * size}), ("/engine/step?" + "q" * size, {})):
        try:
            assert send(client, "GET", path, **headers).status in (200, 400, 414, 431)
        except (ConnectionError, http.client.HTTPException):
            assert size > 60_000, "cut off"
    assert (200, pid) == (client.get("/health").status, stack.api.pid)


def test_bytes_that_are_no_text_are_cleaned_everywhere(client: Client, services: StepServices) -> None:
    """In a start, in the answer of a step and in what is read back: U+FFFD, never a failure."""
    endpoint = services["mumble"].answers(Reply(body=b'{"text": "a\xff\\ud800b"}'))
    client.register(sync("mumble", endpoint.url, attributes(gives=["text"])))
    start = b'{"id": "mumbled", "goals": ["mumble"], "labels": {"l": "\xff\\udc00"}}'
    assert 201 == send(client, "POST", "/engine/flow", start).status
    state = client.await_end("mumbled")
    assert ("completed", {"l": "\ufffd\ufffd"}) == (state["status"], state["labels"])
    assert "a\ufffd\ufffdb" == state["attributes"]["text"][0]["value"]


def test_a_body_that_breaks_off_leaves_nothing(client: Client, stack: Stack) -> None:
    """The client has gone in the middle; the next one is served."""
    connection = http.client.HTTPConnection(urlsplit(client.base_url).netloc, timeout=30)
    connection.putrequest("POST", "/engine/step")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b'{"id": "broken-off"')
    connection.close()
    eventually("an answer", lambda: client.get("/health").status == 200)
    assert (404, True) == (client.get("/engine/step/broken-off").status, stack.api.is_running)
