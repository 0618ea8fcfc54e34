# SPDX-License-Identifier: Apache-2.0
"""A server in a thread that answers S3 requests as a test says. No assertions."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import TypeAlias

Answer: TypeAlias = Callable[["_Handler"], None]


class FaultyS3:
    """Gives `answers` one after the other; `requests` has method, path and headers of each."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.closing = Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.faulty = self  # type: ignore[attr-defined]
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stops it, and ends every silence."""
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    @property
    def faulty(self) -> FaultyS3:
        """The server as tests see it."""
        found: FaultyS3 = self.server.faulty  # type: ignore[attr-defined]
        return found

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.faulty.requests.append((self.command, self.path, headers))
        self.close_connection = True
        self.faulty.answers.pop(0)(self)

    do_GET = do_PUT = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def an_object(body: bytes) -> Answer:
    """A good answer with a body."""
    return lambda handler: _send(handler, 200, body, len(body))


def an_error(status: int, code: str) -> Answer:
    """An error as S3 writes it."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    return lambda handler: _send(handler, status, body, len(body))


def cut_off(handler: _Handler) -> None:
    """A good answer that ends before its time."""
    _send(handler, 200, b"half", 8)


def silence(handler: _Handler) -> None:
    """No answer, until the server is closed."""
    handler.faulty.closing.wait(10)


def _send(handler: _Handler, status: int, body: bytes, length: int) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(length))
    handler.end_headers()
    handler.wfile.write(body)
