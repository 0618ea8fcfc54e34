# SPDX-License-Identifier: Apache-2.0
"""The bridge from the server to the WSGI application: every byte arrives, and nothing is kept waiting."""

import asyncio
import http.client
import socket
from contextlib import asynccontextmanager, contextmanager
from threading import Event

import pytest

from argyll_api.asgi import Application
from argyll_api.exchange import environ_of
from tests.api.live_server import eventually, run, serving

LIMIT = 10


class Lifelike:
    """Stands where the switchboard would."""

    def __init__(self):
        self.lives = []

    def start(self):
        """Noted."""
        self.lives.append("start")

    def stop(self):
        """Noted."""
        self.lives.append("stop")


def a_scope(**more):
    """The smallest request."""
    return {
        "type": "http",
        "method": "GET",
        "raw_path": b"/",
        "query_string": b"",
        "http_version": "1.1",
        "headers": [],
        **more,
    }


@asynccontextmanager
async def living(wsgi):
    """The application between its start and its end."""
    application = Application(wsgi, Lifelike(), threads=1, max_body_bytes=LIMIT)
    turns: asyncio.Queue = asyncio.Queue()
    await turns.put({"type": "lifespan.startup"})

    async def ignore(message):
        """Nothing."""

    life = asyncio.create_task(application({"type": "lifespan"}, turns.get, ignore))
    try:
        yield application
    finally:
        await turns.put({"type": "lifespan.shutdown"})
        await life


async def answer_of(wsgi, scope, *pieces):
    """What the server is told to send, and how many messages it was not asked for."""
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages += [{"type": "http.request", "body": b"", "more_body": False}]
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    async with living(wsgi) as application:
        await application(scope, receive, send)
    return sent, len(messages)


def echo(environ, start_response):
    """The body as it came."""
    start_response("201 Created", [("X-One", "a"), ("X-One", "b")])
    return [environ["wsgi.input"].read()]


# ---- one request -----------------------------------------------------------------------------


def test_an_answer_is_passed_on_whole():
    """Status, each header in its order, body."""
    (start, body), _ = run(answer_of(echo, a_scope(), b"ab", b"c"))
    assert start == {"type": "http.response.start", "status": 201, "headers": [(b"x-one", b"a"), (b"x-one", b"b")]}
    assert body == {"type": "http.response.body", "body": b"abc"}


def test_a_body_beyond_the_limit_is_cut_off_just_past_it():
    """What comes after is not even waited for, and the application can tell."""
    (_, body), left = run(answer_of(echo, a_scope(), b"1234", b"567890x", b"never read"))
    assert (body["body"], left) == (b"1234567890x", 2)


def test_an_application_that_raises_is_an_empty_500():
    """As the contract has it for a fault that nobody foresaw."""

    def broken(environ, start_response):
        raise RuntimeError("broken")

    (start, body), _ = run(answer_of(broken, a_scope()))
    assert (start["status"], body["body"]) == (500, b"")


def test_the_end_of_an_answer_is_told():
    """Flask ends its request context there."""
    closed = []

    class Pieces:
        """An iterable with an end."""

        def __iter__(self):
            return iter([b"a", b"b"])

        def close(self):
            """Noted."""
            closed.append(True)

    def wsgi(environ, start_response):
        start_response("200 OK", [])
        return Pieces()

    (_, body), _ = run(answer_of(wsgi, a_scope()))
    assert (body["body"], closed) == (b"ab", [True])


def test_probes_are_answered_while_all_other_threads_wait():
    """What the one thread for requests waits for is the answer to a probe that came after."""
    has_begun, probed = Event(), Event()

    def wsgi(environ, start_response):
        if environ["PATH_INFO"] == "/livez":
            assert has_begun.wait(10)
            probed.set()
        has_begun.set()
        start_response("200 OK" if probed.wait(10) else "503 Late", [])
        return [environ["PATH_INFO"].encode()]

    async def bodiless():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def both():
        sent = []

        async def send(message):
            sent.append(message.get("status") or message["body"])

        async with living(wsgi) as application:
            scopes = (a_scope(raw_path=path) for path in (b"/engine/flow/f", b"/livez"))
            await asyncio.gather(*(application(scope, bodiless, send) for scope in scopes))
        return sent

    assert {200, b"/engine/flow/f", b"/livez"} == set(run(both()))


def test_a_client_that_has_gone_is_not_answered():
    """Its half of a request does nothing."""
    application = Application(echo, Lifelike(), threads=1, max_body_bytes=LIMIT)
    messages = [{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}]

    async def receive():
        return messages.pop(0)

    async def send(message):
        raise AssertionError(message)

    run(application(a_scope(), receive, send))
    assert messages == []


def test_the_switchboard_lives_as_long_as_the_server():
    """It starts before the first request and stops after the last."""
    application = Application(echo, Lifelike(), threads=1, max_body_bytes=LIMIT)
    turns = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = []

    async def receive():
        return turns.pop(0)

    async def send(message):
        sent.append((message["type"], list(application.switchboard.lives)))

    run(application({"type": "lifespan"}, receive, send))
    assert sent == [("lifespan.startup.complete", ["start"]), ("lifespan.shutdown.complete", ["start", "stop"])]


# ---- the request as WSGI has it ----------------------------------------------------------------


@pytest.mark.parametrize(
    "raw,path",
    [
        (b"/a%2Fb", "/a/b"),
        (b"/a+b%2B", "/a+b+"),
        (b"/%C3%A9", "/\u00c3\u00a9"),
        (b"/%FF%zz", "/\u00ff%zz"),
        (b"/a%2520b", "/a%20b"),
    ],
)
def test_paths_are_decoded_once(raw, path):
    """To bytes, which WSGI shows as Latin-1."""
    assert environ_of(a_scope(raw_path=raw), b"")["PATH_INFO"] == path


def test_headers():
    """Two have names of their own, repeated ones are joined, values keep their bytes."""
    headers = [(b"content-type", b"a/b"), (b"content-length", b"3"), (b"x-a", b"1"), (b"x-a", b"\xe9")]
    environ = environ_of(a_scope(headers=headers, query_string=b"q=%20"), b"abc")
    found = {name: environ[name] for name in ("CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_X_A", "QUERY_STRING")}
    assert found == {"CONTENT_TYPE": "a/b", "CONTENT_LENGTH": "3", "HTTP_X_A": "1,\u00e9", "QUERY_STRING": "q=%20"}


# ---- over a real server ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server():
    """A server over the engine in memory."""
    with serving() as server:
        yield server


@contextmanager
def connected(server):
    """A connection of bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        yield connection


def test_a_chunked_body(server):
    """Arrives as if it had a length."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("POST", "/engine/flow/query", body=iter([b"{", b"}"]), encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, answer.read()[:10]) == (200, b'{"flows":[')
    connection.close()


@pytest.mark.parametrize("chunked", [False, True])
def test_an_oversized_body_is_refused_and_the_connection_lives(server, chunked):
    """400 like any other fault of a body; the next request on the connection is answered."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    body = b'{"id":"' + b"x" * 1_100_000
    connection.request("POST", "/engine/flow", body=iter([body]) if chunked else body, encode_chunked=chunked)
    answer = connection.getresponse()
    assert (answer.status, b"invalid JSON request" in answer.read()) == (400, True)
    connection.request("GET", "/health")
    assert connection.getresponse().status == 200
    connection.close()


def test_a_body_that_is_announced_as_endless(server):
    """Refused without waiting for it."""
    with connected(server) as connection:
        head = b"POST /engine/flow HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
        connection.sendall(head + b"x" * 6_000_000)
        assert connection.recv(12) == b"HTTP/1.1 400"


def test_a_body_that_breaks_off_stores_nothing(server):
    """The other half of a start never comes."""
    with connected(server) as connection:
        connection.sendall(b"POST /engine/flow HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n" + b'{"id":"x"')
    assert server.workshop.backend.flows == {}


def test_slow_clients_hold_up_nobody(server):
    """More of them than there are threads."""
    slow = [socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(8)]
    for connection in slow:
        connection.sendall(b"POST /engine/flow HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/health")
    assert connection.getresponse().status == 200
    connection.close()
    for connection in slow:
        connection.close()


def test_pipelined_requests_are_answered_in_order(server):
    """Each on its own."""
    with connected(server) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b""

        def both():
            nonlocal received
            received += connection.recv(65_536)
            return received.count(b"HTTP/1.1 ") == 2 and b"404 page not found" in received

        eventually(both)
    assert received.index(b"200 OK") < received.index(b"404 Not Found")
