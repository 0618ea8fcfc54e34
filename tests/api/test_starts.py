# SPDX-License-Identifier: Apache-2.0
"""Plain starts in front of Flask: the same answers as the route gives, and batches of what is in flight together."""

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from argyll_api import starts
from argyll_api.app import create_app
from argyll_api.config import ApiConfig
from argyll_api.starts import MAX_BATCH, MAX_PLAIN_BYTES, is_plain
from argyll_engine.errors import BrokenError, StoreUnavailableError
from tests.api.live_server import eventually, serving
from tests.definitions import a_step, output, required
from tests.workshop import Workshop

STEP = a_step("a", {"x": required(), "y": output()})
PLAIN = {"type": "http", "method": "POST", "raw_path": b"/engine/flow", "query_string": b"", "headers": []}
LONG_SECONDS = 30.0


@pytest.fixture
def server():
    """A server with one step."""
    with serving() as server:
        server.workshop.engine.register_step(STEP)
        yield server


def post(port, body, path="/engine/flow", **headers):
    """(status, headers, body) of a start."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONG_SECONDS)
    try:
        connection.request("POST", path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def a_start(flow_id="f", **members):
    """The body of a start."""
    return json.dumps({"id": flow_id, "goals": ["a"], "init": {"x": [1]}, **members}).encode()


@pytest.mark.parametrize(
    "more",
    [
        {"raw_path": b"/engine/flow/"},
        {"raw_path": b"/engine/flows"},
        {"raw_path": b"/engine/fl%6fw"},
        {"method": "GET"},
        {"method": "OPTIONS"},
        {"query_string": b"wait=1s"},
        {"headers": [(b"prefer", b"wait=1")]},
    ],
)
def test_what_is_no_plain_start(more):
    """Other paths, methods and whatever could ask for more are Flask's."""
    assert is_plain(PLAIN | {"headers": [(b"content-type", b"text/plain")]})
    assert not is_plain(PLAIN | more)


BODIES = [
    a_start(),
    a_start("My Flow!", labels={"k": "v"}),
    a_start(init={"x": "plain", "other": None}),
    a_start(init={}),
    a_start(goals=[]),
    a_start(goals=["gone", "a"]),
    a_start(goals="a"),
    a_start(labels={"k": 1}),
    a_start(""),
    a_start("x" * 300),
    b"",
    b"nonsense",
    b"null",
    b"[]",
    b'{"id": "f", "goals": ["a"], "init": {"x": [NaN]}}',
    b'{"ID": "f", "Goals": ["a"], "init": {"x": [1]}} and more',
    b'{"id": "\xff", "goals": ["a"], "init": {"x": ["\xff"]}}',
    b'{"id": "deep", "goals": ["a"], "init": {"x": ' + b"[" * 501 + b"]" * 501 + b"}}",
    a_start("large", init={"x": ["y" * MAX_PLAIN_BYTES]}),
    a_start("too-large", init={"x": ["y" * 1_048_576]}),
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_answers_are_those_of_the_route(server, body):
    """Status, headers and body are the same, whatever is posted, now and when it is repeated."""
    shop = Workshop()
    shop.engine.register_step(STEP)
    route = create_app(ApiConfig(), shop.engine).test_client()
    for _ in range(2):
        expected = route.post("/engine/flow", data=body, headers={"X-Request-ID": "r-1"})
        status, headers, answer = post(server.port, body, X_Request_ID="r-1")
        assert (expected.status_code, expected.data) == (status, answer)
        assert {name.lower(): value for name, value in expected.headers} == _without_date(headers)


def _without_date(headers):
    return {name: value for name, value in headers.items() if name != "date"}


def test_each_request_gets_an_id(server):
    """One that came without gets its own, and one that is no plain word is replaced."""
    ids = {post(server.port, a_start(), **given)[1]["x-request-id"] for given in ({}, {"X_Request_ID": "a b"})}
    assert {32} == {len(made) for made in ids}
    assert 2 == len(ids)


class Gate:
    """Holds the first batch up in the engine until it is opened, and notes the size of each."""

    def __init__(self, engine, monkeypatch):
        self.sizes, self.open, self._start = [], Event(), engine.start_flows
        monkeypatch.setattr(engine, "start_flows", self)

    def __call__(self, starts):
        """The results."""
        self.sizes.append(len(starts))
        assert self.open.wait(LONG_SECONDS)
        return self._start(starts)


def test_what_is_in_flight_together_is_one_batch(server, monkeypatch):
    """While one start is on its way the others gather; a faulty one among them is refused on its own."""
    gate = Gate(server.workshop.engine, monkeypatch)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(post, server.port, a_start("first"))
        eventually(lambda: gate.sizes)
        bodies = [a_start(f"f{number}") for number in range(5)]
        others = [
            pool.submit(post, server.port, body) for body in (*bodies, a_start("bad", goals=["gone"]), b"rubbish")
        ]
        eventually(lambda: server.starts._requests.qsize() == 7)
        gate.open.set()
        assert 201 == first.result()[0]
        assert [201] * 5 + [404, 400] == [other.result()[0] for other in others]
    assert [1, 6] == gate.sizes
    assert 6 == len(server.workshop.engine.queries.list_flows())


def test_a_batch_has_a_size(server, monkeypatch):
    """What is more goes with the next one."""
    monkeypatch.setattr("argyll_api.starts.MAX_BATCH", 3)
    gate = Gate(server.workshop.engine, monkeypatch)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(post, server.port, a_start("first"))
        eventually(lambda: gate.sizes)
        others = [pool.submit(post, server.port, a_start(f"f{number}")) for number in range(5)]
        eventually(lambda: server.starts._requests.qsize() == 5)
        gate.open.set()
        assert {201} == {done.result()[0] for done in (first, *others)}
    assert [1, 3, 2] == gate.sizes
    assert MAX_BATCH > 3


def test_a_store_that_is_away(server, monkeypatch):
    """503 with the time to come back, for each request of the batch."""

    def lost(starts):
        raise StoreUnavailableError("flow", "gone")

    monkeypatch.setattr(server.workshop.engine, "start_flows", lost)
    status, headers, body = post(server.port, a_start())
    assert (503, "1", "flow store unavailable") == (status, headers["retry-after"], json.loads(body)["error"])


@pytest.mark.parametrize("error", [RuntimeError("nobody foresaw this"), BrokenError("nor this")])
def test_what_nobody_foresaw_is_left_to_the_route(server, monkeypatch, error):
    """Flask answers 500 and writes the reason into the log; the thread goes on."""
    asked, start = [], server.workshop.engine.start_flows

    def broken(starts):
        asked.append(len(starts))
        if len(asked) <= 2:  # in front of Flask, then behind it
            raise error
        return start(starts)

    monkeypatch.setattr(server.workshop.engine, "start_flows", broken)
    assert (500, {"error": "internal error", "status": 500}) == _status_and_json(post(server.port, a_start()))
    assert 201 == post(server.port, a_start())[0]
    assert [1, 1, 1] == asked


def test_a_body_that_nobody_can_read_stops_no_other(server, monkeypatch):
    """Whatever reading it raises is the route's to answer, and the next start is answered as ever."""
    read = starts.load_start

    def fragile(raw):
        if raw["id"] == "odd":
            raise RecursionError
        return read(raw)

    monkeypatch.setattr(starts, "load_start", fragile)
    assert (201, 201) == (post(server.port, a_start("odd"))[0], post(server.port, a_start("even"))[0])


def test_a_refusal_as_broken_is_left_to_the_route(server, monkeypatch):
    """What is one start's own fault of ours is answered 500 by Flask too."""
    monkeypatch.setattr(server.workshop.engine, "start_flows", lambda starts: [BrokenError("secret")] * len(starts))
    assert (500, {"error": "internal error", "status": 500}) == _status_and_json(post(server.port, a_start()))


def _status_and_json(answer):
    return answer[0], json.loads(answer[2])


def test_clients_that_go_do_no_harm(server, monkeypatch):
    """Their flows are started all the same, and those after them are answered."""
    gate = Gate(server.workshop.engine, monkeypatch)
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("POST", "/engine/flow", a_start("gone"))
    eventually(lambda: gate.sizes)
    connection.close()
    gate.open.set()
    assert 201 == post(server.port, a_start("after"))[0]
    assert {"gone", "after"} == {item.id for item in server.workshop.engine.queries.list_flows()}
