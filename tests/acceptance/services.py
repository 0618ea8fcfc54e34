# SPDX-License-Identifier: Apache-2.0
"""A programmable step service: endpoints in one HTTP server, each with answers to give and calls to remember.

Called by tests that need a service which fails, waits, or answers later by webhook. It knows nothing of the engine.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

GATE_SECONDS = 60.0
"""A gate that a test forgets to open opens by itself, so that no thread outlives the run."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request that arrived; `arguments` are its body, None without one."""

    arguments: Any
    headers: Mapping[str, str]
    method: str = "POST"
    path: str = ""

    @property
    def token(self) -> str:
        """The receipt token."""
        return self.headers["argyll-receipt-token"]

    @property
    def webhook_url(self) -> str:
        """Where the outcome of an asynchronous call goes."""
        return self.headers["argyll-webhook-url"]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer; it is held back until `gate` is open, after `before` was carried out. Bytes are sent as they are.

    The body of an answer with a `body_gate` follows its headers when that gate opens.
    """

    body: Any = field(default_factory=dict)
    status: int = 200
    content_type: str = "application/json"
    location: str = ""
    body_gate: threading.Event | None = None
    gate: threading.Event | None = None
    before: Callable[[Call], object] | None = None


Rule = Callable[[Call], Reply]


class Endpoint:
    """One path of the service. Replies are given in turn, the last one again and again."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.calls: list[Call] = []
        self._replies: list[Reply] = [Reply()]
        self._rule: Rule | None = None
        self._lock = threading.Lock()

    def answers(self, *replies: Reply) -> "Endpoint":
        """Gives these replies, in this order."""
        self._replies, self._rule = list(replies), None
        return self

    def computes(self, rule: Callable[[Any], Any]) -> "Endpoint":
        """Answers 200 with what `rule` makes of the arguments."""
        return self.decides(lambda call: Reply(body=rule(call.arguments)))

    def decides(self, rule: Rule) -> "Endpoint":
        """Gives the reply that `rule` chooses for a call, which is in `calls` by then."""
        self._rule = rule
        return self

    def reply_to(self, call: Call) -> Reply:
        """Notes a call and chooses its reply."""
        with self._lock:
            self.calls.append(call)
            index = min(len(self.calls), len(self._replies)) - 1
        return self._rule(call) if self._rule else self._replies[index]

    @property
    def tokens(self) -> list[str]:
        """The receipt tokens of all calls, in their order."""
        return [call.token for call in self.calls]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "_Server"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        arguments = json.loads(body) if body else None
        call = Call(arguments=arguments, headers=headers, method=self.command, path=self.path)
        reply = self.server.endpoints[self.path.strip("/").partition("/")[0]].reply_to(call)
        if reply.before is not None:
            reply.before(call)
        if reply.gate is not None:
            reply.gate.wait(GATE_SECONDS)
        self._send(reply)

    do_GET = do_POST = do_PUT = do_DELETE = _answer

    def _send(self, reply: Reply) -> None:
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        try:
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(body)))
            if reply.location:
                self.send_header("Location", reply.location)
            self.end_headers()
            if reply.body_gate is not None:
                reply.body_gate.wait(GATE_SECONDS)
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # who asked was killed

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def log_message(self, *_parts: Any) -> None:
        """Prints nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.endpoints: dict[str, Endpoint] = {}


class StepServices:
    """The service: `services["name"]` is the endpoint of that name, made when it is first asked for."""

    def __init__(self, server: _Server) -> None:
        self._server = server
        self._gates: list[threading.Event] = []

    def __getitem__(self, name: str) -> Endpoint:
        port = self._server.server_address[1]
        return self._server.endpoints.setdefault(name, Endpoint(f"http://127.0.0.1:{port}/{name}"))

    def gate(self) -> threading.Event:
        """A gate for replies; whatever a test leaves closed is opened at its end."""
        self._gates.append(threading.Event())
        return self._gates[-1]

    def open_gates(self) -> None:
        """Let everybody go."""
        for gate in self._gates:
            gate.set()


@contextmanager
def running() -> Iterator[StepServices]:
    """A service on a free port."""
    server = _Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    services = StepServices(server)
    try:
        yield services
    finally:
        services.open_gates()
        server.shutdown()
        server.server_close()
        thread.join()
