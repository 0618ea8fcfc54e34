# SPDX-License-Identifier: Apache-2.0
"""An HTTP server that gives the answers a test lays down, or hangs up, and remembers what it was asked."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Given:
    """One answer; `status` 0 hangs up without one, `raw` replaces the JSON."""

    status: int = 200
    body: Any = field(default_factory=dict)
    raw: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


HANG_UP = Given(status=0)


class ScriptedServer(ThreadingHTTPServer):
    """The answers are given in turn, the last one again and again."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[Given] = [Given()]
        self.asked: list[tuple[str, str, str, Any]] = []

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def gives(self, *answers: Given) -> None:
        """Lays these answers down."""
        self.answers = list(answers)

    def next(self) -> Given:
        """The answer to the request that was noted last."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedServer

    def _answer(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = self.headers.get("Content-Type", "")
        self.server.asked.append((self.command, self.path, kind, json.loads(raw) if raw else None))
        given = self.server.next()
        self.close_connection = not given.status
        if not given.status:
            return
        body = json.dumps(given.body).encode() if given.raw is None else given.raw
        self.send_response(given.status)
        for name, value in ({"Content-Length": str(len(body))} | given.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = _answer

    def log_message(self, *_: Any) -> None:
        """Prints nothing."""


@contextmanager
def scripted() -> Iterator[ScriptedServer]:
    """A server that runs until the end of the block."""
    with ScriptedServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
