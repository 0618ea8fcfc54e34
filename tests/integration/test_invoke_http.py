# SPDX-License-Identifier: Apache-2.0
"""The HTTP step client against real sockets: a small scripted server in a thread, one handler per path."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from argyll_engine.invoke import HttpStepClient
from argyll_engine.model.invocation import Accepted, Failed, Invocation, NotCompleted, Outcome, Succeeded
from argyll_engine.model.step import HttpConfig, Step, StepType

LIMIT_BYTES = 1_000
SELF_SIGNED = Path(__file__).with_name("self_signed.pem")
"""A key and a certificate for 127.0.0.1, made for these tests and used nowhere else."""


class Handler(BaseHTTPRequestHandler):
    """Answers by the path, and keeps what it was asked."""

    protocol_version = "HTTP/1.1"
    server: "StepServer"

    def answer(self) -> None:
        """Record the request and let the path's handler answer it."""
        length = int(self.headers.get("Content-Length", 0))
        self.server.requests.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
        self.server.peers.append(self.client_address)
        ANSWERS[self.path.partition("?")[0]](self)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        """A complete response."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


class StepServer(ThreadingHTTPServer):
    """A server that remembers; `release` lets handlers that wait go."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.peers: list[object] = []
        self.release = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Silence: clients that leave early are the point of some tests."""


def drip(handler: Handler, pieces: int, piece: bytes, pause_seconds: float = 0.05) -> None:
    """Write a piece every now and then, until the client leaves or the test is over."""
    for _ in range(pieces):
        if handler.server.release.wait(pause_seconds):
            return
        handler.wfile.write(piece)
        handler.wfile.flush()


def drip_headers(handler: Handler) -> None:
    """A status line, then one more header at a time."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    drip(handler, 90, b"X-More: 1\r\n")


def drip_body(handler: Handler) -> None:
    """All headers, then the body byte by byte."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    drip(handler, 900, b" ")


def cut_body(handler: Handler) -> None:
    """Less than was announced, then the end."""
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"a": 1')
    handler.close_connection = True


def hang_up(handler: Handler) -> None:
    """No answer at all."""
    handler.close_connection = True


def answer_and_close(handler: Handler) -> None:
    """A good answer, after which the server closes without having said so."""
    handler.send(200, b'{"ok": true}')
    handler.close_connection = True


def chunked(handler: Handler) -> None:
    """A body in chunks."""
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n3\r\n 1}\r\n0\r\n\r\n')


ANSWERS: dict[str, Callable[[Handler], None]] = {
    "/ok": lambda handler: handler.send(200, b'{"ok": true}'),
    "/created": lambda handler: handler.send(201, b'{"ok": true}'),
    "/empty": lambda handler: handler.send(204),
    "/../x%2Fy": lambda handler: handler.send(200, b"{}"),
    "/list": lambda handler: handler.send(200, b"[1]"),
    "/busy": lambda handler: handler.send(503, b"oops"),
    "/problem": lambda handler: handler.send(
        422, b'{"title": "T", "detail": "no stock"}', Content_Type="application/problem+json; charset=utf-8"
    ),
    "/chunked": chunked,
    "/full": lambda handler: handler.send(200, b"{}".ljust(LIMIT_BYTES)),
    "/huge": lambda handler: handler.send(200, b"{}".ljust(LIMIT_BYTES + 1)),
    "/huge-busy": lambda handler: handler.send(500, b"x" * 200_000),
    "/moved": lambda handler: handler.send(302, Location="/ok?from=moved"),
    "/again": lambda handler: handler.send(307, Location="/ok"),
    "/loop": lambda handler: handler.send(302, Location="/loop"),
    "/nowhere": lambda handler: handler.send(302),
    "/elsewhere": lambda handler: handler.send(301, Location="ftp://127.0.0.1/x"),
    "/cookie": lambda handler: handler.send(200, b"{}", Set_Cookie="a=b"),
    "/hang-up": hang_up,
    "/cut": cut_body,
    "/closes": answer_and_close,
    "/silent": lambda handler: drip(handler, 60, b""),
    "/drip-headers": drip_headers,
    "/drip-body": drip_body,
}


@pytest.fixture
def server() -> Iterator[StepServer]:
    """A running step server."""
    with StepServer() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.release.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def client() -> Iterator[HttpStepClient]:
    """A client with small limits."""
    made = HttpStepClient(timeout_ms=5_000, max_response_bytes=LIMIT_BYTES)
    yield made
    made.close()


def call(client: HttpStepClient, url: str, step_type: str = StepType.SYNC, **config: object) -> Outcome:
    """How a call of the URL ends; keywords are HTTP settings."""
    step = Step(id="s", name="S", type=step_type, http=HttpConfig(**{"endpoint": url, **config}))
    webhook_url = "http://engine/webhook/f/s/t" if step_type == StepType.ASYNC else ""
    return client.invoke(
        Invocation(
            flow_id="f", step_id="s", token="t", attempt=1, step=step, arguments={"n": 1}, webhook_url=webhook_url
        )
    )


def transient(cause: str) -> NotCompleted:
    """An attempt without a usable answer."""
    return NotCompleted(error=f"work not completed\n{cause}")


def test_the_request_on_the_wire(server: StepServer, client: HttpStepClient) -> None:
    """A call sends the arguments with exactly the headers of the contract."""
    call(client, f"{server.url}/ok", StepType.ASYNC)
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Argyll-Flow-ID": "f",
        "Argyll-Step-ID": "s",
        "Argyll-Receipt-Token": "t",
        "Argyll-Webhook-URL": "http://engine/webhook/f/s/t",
        "Content-Length": "7",
        "Content-Type": "application/json",
        "Host": server.url.removeprefix("http://"),
        "User-Agent": "Argyll-Engine/0.1",
    }
    assert [("POST", "/ok", headers, b'{"n":1}')] == server.requests


def test_a_get_on_the_wire(server: StepServer, client: HttpStepClient) -> None:
    """GET sends neither a body nor anything about one."""
    call(client, f"{server.url}/ok", method="GET")
    [(method, path, headers, body)] = server.requests
    assert ("GET", "/ok", b"", False) == (method, path, body, bool({"Content-Type", "Content-Length"} & headers.keys()))


def test_the_path_is_sent_as_it_is(server: StepServer, client: HttpStepClient) -> None:
    """Nothing is tidied up in a path or a query, so that a value cannot climb out of its segment."""
    call(client, f"{server.url}/../x%2Fy?a=../b&c=%7E#part")
    assert [path for _, path, _, _ in server.requests] == ["/../x%2Fy?a=../b&c=%7E"]


def test_credentials_of_the_url(server: StepServer, client: HttpStepClient) -> None:
    """A user in the URL is sent as basic authentication."""
    call(client, server.url.replace("http://", "http://user:p%40ss@") + "/ok")
    assert [headers["Authorization"] for _, _, headers, _ in server.requests] == ["Basic dXNlcjpwQHNz"]


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("/ok", Succeeded(outputs={"ok": True})),
        ("/created", Succeeded(outputs={"ok": True})),
        ("/empty", Succeeded(outputs=None)),
        ("/chunked", Succeeded(outputs={"a": 1})),
        ("/list", Failed(error="invalid output JSON: expected an object, got an array")),
        ("/busy", transient("step returned HTTP error: status 503")),
        ("/problem", Failed(error="step returned HTTP error: status 422: no stock")),
        ("/full", Succeeded(outputs={})),
        ("/huge", Failed(error="step response exceeds the limit of 1000 bytes")),
        ("/huge-busy", transient("step returned HTTP error: status 500")),
        ("/moved", Succeeded(outputs={"ok": True})),
        ("/loop", transient("stopped after 10 redirects")),
        ("/nowhere", Failed(error="step returned HTTP error: status 302")),
        ("/elsewhere", Failed(error="step returned HTTP error: status 301")),
        ("/hang-up", transient("connection closed before an answer")),
    ],
)
def test_outcomes(server: StepServer, client: HttpStepClient, path: str, outcome: Outcome) -> None:
    """Each answer, and each way of not answering, has its outcome."""
    assert outcome == call(client, f"{server.url}{path}")


@pytest.mark.parametrize(
    ("path", "cause"),
    [("/cut", "connection closed in the middle of the answer"), ("/drip-body", "timed out after 250 ms")],
)
def test_x31_an_answer_that_breaks_off_is_tried_again(
    server: StepServer, client: HttpStepClient, path: str, cause: str
) -> None:
    """After its status and headers, by its end or by the timeout."""
    assert transient(cause) == call(client, f"{server.url}{path}", timeout_ms=250)


def test_an_acknowledgement(server: StepServer, client: HttpStepClient) -> None:
    """An asynchronous step that takes the call is accepted."""
    assert Accepted() == call(client, f"{server.url}/empty", StepType.ASYNC)


@pytest.mark.parametrize(
    ("path", "second"),
    [("/moved", ("GET", "/ok?from=moved", b"", None)), ("/again", ("POST", "/ok", b'{"n":1}', "application/json"))],
)
def test_what_follows_a_redirect(
    server: StepServer, client: HttpStepClient, path: str, second: tuple[str, str, bytes, str | None]
) -> None:
    """302 turns the call into GET, 307 repeats it; both still say what the call is about."""
    call(client, f"{server.url}{path}")
    method, target, headers, body = server.requests[-1]
    assert (*second, "t") == (method, target, body, headers.get("Content-Type"), headers["Argyll-Receipt-Token"])


def test_the_number_of_redirects(server: StepServer, client: HttpStepClient) -> None:
    """Ten redirects are followed, no more."""
    call(client, f"{server.url}/loop")
    assert len(server.requests) == 11


@pytest.mark.parametrize("path", ["/silent", "/drip-headers", "/drip-body"])
def test_the_timeout_is_over_everything(server: StepServer, client: HttpStepClient, path: str) -> None:
    """The timeout covers headers and body together, however steadily they drip in."""
    began = time.monotonic()
    outcome = call(client, f"{server.url}{path}", timeout_ms=300)
    assert (transient("timed out after 300 ms"), True) == (outcome, time.monotonic() - began < 2)


def test_the_default_timeout(server: StepServer) -> None:
    """A step that gives no timeout has the engine's."""
    client = HttpStepClient(timeout_ms=150, max_response_bytes=LIMIT_BYTES)
    assert transient("timed out after 150 ms") == call(client, f"{server.url}/silent", timeout_ms=-1)


def test_a_timeout_does_not_outlive_its_call(server: StepServer, client: HttpStepClient) -> None:
    """A connection that is used again has the time of its own call."""
    call(client, f"{server.url}/ok", timeout_ms=100)
    outcome = call(client, f"{server.url}/silent", timeout_ms=400)
    assert transient("timed out after 400 ms") == outcome


def test_connections_are_used_again(server: StepServer, client: HttpStepClient) -> None:
    """Calls one after the other share a connection, after empty and failed answers too."""
    for path in ("/ok", "/empty", "/busy", "/problem", "/full", "/chunked", "/ok"):
        call(client, f"{server.url}{path}")
    assert len(set(server.peers)) == 1


def test_a_connection_with_an_unread_body_is_not_used_again(server: StepServer, client: HttpStepClient) -> None:
    """What is left of a huge answer does not end up in the next."""
    call(client, f"{server.url}/huge-busy")
    assert Succeeded(outputs={"ok": True}) == call(client, f"{server.url}/ok")


def test_a_connection_that_was_closed_while_idle(server: StepServer, client: HttpStepClient) -> None:
    """A pooled connection that the server has closed costs no attempt."""
    outcomes = []
    for _ in range(5):
        outcomes.append(call(client, f"{server.url}/closes"))
        time.sleep(0.05)  # the server's FIN has to arrive
    assert ([Succeeded(outputs={"ok": True})] * 5, 5) == (outcomes, len(server.requests))


def test_a_call_is_not_repeated(server: StepServer, client: HttpStepClient) -> None:
    """A request that got no answer is not sent again within the attempt, not even on a pooled connection."""
    call(client, f"{server.url}/ok")
    call(client, f"{server.url}/hang-up")
    assert [path for _, path, _, _ in server.requests] == ["/ok", "/hang-up"]


def test_cookies_are_not_kept(server: StepServer, client: HttpStepClient) -> None:
    """A cookie of one call is not sent with the next."""
    call(client, f"{server.url}/cookie")
    call(client, f"{server.url}/ok")
    assert "Cookie" not in server.requests[-1][2]


def test_proxies_of_the_environment_are_not_used(
    server: StepServer, client: HttpStepClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only entry points read the environment."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    made = HttpStepClient(timeout_ms=2_000, max_response_bytes=LIMIT_BYTES)
    assert Succeeded(outputs={"ok": True}) == call(made, f"{server.url}/ok")


@contextmanager
def a_plain_listener() -> Iterator[int]:
    """A port where somebody accepts and says something that is not TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1_000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_a_port_without_a_listener(client: HttpStepClient) -> None:
    """A refused connection is tried again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert transient("connection refused") == call(client, f"http://127.0.0.1:{port}/")


def test_a_host_that_does_not_exist(client: HttpStepClient) -> None:
    """A name that does not resolve is tried again."""
    outcome = call(client, "http://no-such-host.invalid/")
    assert isinstance(outcome, NotCompleted)
    assert outcome.error.startswith("work not completed\nhost not found: ")


def test_a_port_that_does_not_speak_tls(client: HttpStepClient) -> None:
    """A failed TLS handshake is tried again."""
    with a_plain_listener() as port:
        outcome = call(client, f"https://127.0.0.1:{port}/")
    assert isinstance(outcome, NotCompleted)
    assert outcome.error.startswith("work not completed\nTLS: ")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "http://[::1/", "http:///x", "http://a:99999/"])
def test_an_endpoint_that_is_none(client: HttpStepClient, url: str) -> None:
    """No retry helps a URL that cannot be called."""
    outcome = call(client, url)
    assert isinstance(outcome, Failed)
    assert outcome.error.startswith("invalid endpoint: ")


def test_a_certificate_that_nobody_vouches_for(server: StepServer, client: HttpStepClient) -> None:
    """A certificate is trusted only as far as the system's store goes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SELF_SIGNED)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    outcome = call(client, server.url.replace("http://", "https://") + "/ok")
    assert transient("TLS: certificate not accepted: self-signed certificate") == outcome
