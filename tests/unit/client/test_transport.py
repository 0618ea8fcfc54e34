# SPDX-License-Identifier: Apache-2.0
"""What the client makes of answers, of bad ones and of none."""

import socket
from collections.abc import Iterator

import pytest

from argyll_api import client as api
from argyll_api.client import Client, Retries
from argyll_api.client.webhooks import WorkAddress
from tests.unit.client.scripted_server import HANG_UP, Given, ScriptedServer, scripted

AT_ONCE = Retries(count=3, first_seconds=0.0, most_seconds=0.0)
AWAY = Given(status=503, body={"error": "flow store unavailable", "status": 503}, headers={"Retry-After": "1"})
STARTED = Given(status=201, body={"message": "", "flow_id": "f"})


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """The server that is asked."""
    with scripted() as server:
        yield server


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[Client]:
    """A client of it that does not pause."""
    with Client(server.url + "/engine/", retries=AT_ONCE) as client:
        yield client


@pytest.mark.parametrize("fault", [AWAY, HANG_UP, Given(status=502, raw=b"<html>"), Given(status=504, raw=b"")])
def test_a_passing_fault_is_tried_again(server: ScriptedServer, client: Client, fault: Given) -> None:
    """The same request, until it is answered."""
    server.gives(fault, fault, STARTED)
    assert "f" == client.flows.start("f", ["g"], {"x": 1, "y": api.Candidates([2, 3])})
    body = {"id": "f", "goals": ["g"], "init": {"x": [1], "y": [2, 3]}, "labels": {}}
    assert [("POST", "/engine/flow", "application/json", body)] * 3 == server.asked


@pytest.mark.parametrize("fault", [AWAY, HANG_UP])
def test_tries_come_to_an_end(server: ScriptedServer, client: Client, fault: Given) -> None:
    """With the last reason."""
    server.gives(fault)
    with pytest.raises(api.UnavailableError) as raised:
        client.flows.get("f")
    assert (4, 4) == (len(server.asked), raised.value.tries)
    assert (fault.status or None, f"GET {server.url}/engine/flow/f") == (raised.value.status, raised.value.request)


def test_nobody_listens() -> None:
    """The address and the reason in one line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}", retries=AT_ONCE) as client:
        with pytest.raises(api.UnavailableError, match=rf"^no engine at http://127.0.0.1:{port}: .*refused"):
            client.catalog()
        assert not client.is_alive()


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, api.InvalidError), (404, api.NotFoundError), (409, api.ConflictError), (500, api.BrokenError)],
)
def test_a_refusal_is_not_tried_again(
    server: ScriptedServer, client: Client, status: int, error: type[api.RefusedError]
) -> None:
    """It has its own error, with everything the engine said."""
    body = {"error": "no\nreason", "status": status, "line": 3}
    server.gives(Given(status=status, body=body))
    with pytest.raises(error) as raised:
        client.steps.get("a b/c")
    assert ("no\nreason", status, body) == (str(raised.value), raised.value.status, raised.value.answer)
    assert [("GET", "/engine/step/a%20b%2Fc", "", None)] == server.asked


@pytest.mark.parametrize(
    "answer",
    [
        Given(raw=b"<html>hello"),
        Given(status=404, raw=b"404 page not found"),
        Given(body=[]),
        Given(body={"id": "f"}),
        Given(body={"id": "f", "status": "resting"}),
        Given(raw=b""),
    ],
)
def test_an_answer_that_is_none_of_an_engine(server: ScriptedServer, client: Client, answer: Given) -> None:
    """It has an error of its own instead of one of Python."""
    server.gives(answer)
    with pytest.raises(api.NotAnEngineError):
        client.flows.get("f")


def test_a_step_whose_removal_was_not_heard(server: ScriptedServer, client: Client) -> None:
    """It is gone, whoever has heard it; one that was never there is not found."""
    missing = Given(status=404, body={"error": "step not found: s", "status": 404})
    server.gives(HANG_UP, missing)
    client.steps.unregister("s")
    with pytest.raises(api.NotFoundError):
        client.steps.unregister("s")


def test_putting_a_step(server: ScriptedServer, client: Client) -> None:
    """It is registered, else updated, else registered."""
    step = {"id": "s", "name": "S", "type": "sync"}
    done = Given(body={"message": "Step updated", "step": step})
    conflict, missing = (Given(status=status, body={"error": "x", "status": status}) for status in (409, 404))
    server.gives(conflict, missing, done)
    assert "Step updated" == client.steps.put(step).message
    assert [("POST", "/engine/step"), ("PUT", "/engine/step/s"), ("POST", "/engine/step")] == [
        (method, path) for method, path, _, _ in server.asked
    ]


def test_reports_on_work_items(server: ScriptedServer, client: Client) -> None:
    """A success is plain JSON, a failure a problem; the answer is empty."""
    server.gives(Given(raw=b""))
    item = WorkAddress.of_url("http://somewhere:1/base/webhook/p:s:t/s%20t/token")
    client.webhooks.complete(item, {"x": 1})
    client.webhooks.fail(item, "broken", title="Broken", status=422)
    path, problem = "/webhook/p%3As%3At/s%20t/token", {"detail": "broken", "title": "Broken", "status": 422}
    assert [
        ("POST", path, "application/json", {"x": 1}),
        ("POST", path, "application/problem+json", problem),
    ] == server.asked


@pytest.mark.parametrize("url", ["http://h/webhook/a/b", "http://h/hook/a/b/c", ""])
def test_an_address_that_is_no_webhook(url: str) -> None:
    """It is refused before anything is sent."""
    with pytest.raises(ValueError, match="no webhook URL"):
        WorkAddress.of_url(url)


def test_flows_are_listed_page_after_page(server: ScriptedServer, client: Client) -> None:
    """The next page is asked for when the one before is used up."""
    rows = [{"id": f"f{n}", "status": "active", "timestamp": "2026-01-02T03:04:05Z"} for n in range(3)]
    first = {"flows": rows[:2], "count": 2, "total": 3, "has_more": True, "next_cursor": "c"}
    server.gives(Given(body=first), Given(body={"flows": rows[2:], "count": 1, "total": 3}))
    found = client.flows.query(api.FlowQuery(labels={"k": "v"}, limit=2))
    assert "f0" == next(found).id
    assert 1 == len(server.asked)
    assert ["f1", "f2"] == [item.id for item in found]
    asked = [body for _, _, _, body in server.asked]
    assert [None, "c"] == [body.get("cursor") for body in asked]
    assert {"statuses": [], "id_prefix": "", "labels": {"k": "v"}, "limit": 2, "sort": "recent_desc"} == asked[0]


@pytest.mark.parametrize("archived", [True, False])
def test_a_query_may_ask_for_archived_flows(server: ScriptedServer, client: Client, archived: bool) -> None:
    """Or for the others; without a word about it, for all."""
    server.gives(Given(body={"flows": [], "count": 0}))
    client.flows.page(api.FlowQuery(archived=archived))
    client.flows.page()
    assert [archived, None] == [body.get("archived") for _, _, _, body in server.asked]


def test_flows_are_restored_and_erased(server: ScriptedServer, client: Client) -> None:
    """The answer is how many; ids are sent as they are."""
    server.gives(Given(body={"flow_id": "f:s:t", "restored": 2}), AWAY, Given(body={"flow_id": "f", "erased": 3}))
    assert (2, 3) == (client.flows.restore("f:s:t"), client.flows.erase("f", "asked for"))
    erase = ("POST", "/engine/flow/f/erase", "application/json", {"reason": "asked for"})
    assert [("POST", "/engine/flow/f%3As%3At/restore", "", None), erase, erase] == server.asked


def test_pauses_grow_and_spread() -> None:
    """They double up to the longest; an answer may ask for more, but not for more than that."""
    retries = Retries(first_seconds=1.0, most_seconds=4.0)
    for tried, longest in ((1, 1.0), (2, 2.0), (3, 4.0), (4, 4.0), (5_000, 4.0)):
        pauses = {retries.pause_seconds(tried) for _ in range(20)}
        assert all(longest / 2 <= pause <= longest for pause in pauses)
        assert len(pauses) > 1
    assert (3.0, 4.0) == (retries.pause_seconds(1, 3.0), retries.pause_seconds(1, 3_600.0))
