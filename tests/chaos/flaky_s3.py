# SPDX-License-Identifier: Apache-2.0
"""The part of S3 that an archiver uses, in a thread, with faults as a test wants them. No assertions.

It keeps objects as S3 does: an object is there as a whole or not at all, and its ETag is its MD5.
"""

import re
from collections.abc import Callable
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

Fault = Callable[["_Handler"], bool]
"""Does harm to one request; whether the request is answered as usual all the same."""

XML: Final = "<?xml version='1.0'?>"


class FlakyS3:
    """Objects by key. `fault` is asked with each request for an object."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.fault: Fault = lambda handler: True
        self.lock = Lock()
        self.closing = Event()
        self.counts = {"PUT": 0, "GET": 0}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.flaky = self  # type: ignore[attr-defined]
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        """What operators would write."""
        endpoint = f"http://127.0.0.1:{self._server.server_port}"
        return f"s3://flows?region=r&endpoint={endpoint}&use_path_style=true"

    def close(self) -> None:
        """Stops it, and ends every silence."""
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def flaky(self) -> FlakyS3:
        """The server as tests see it."""
        found: FlakyS3 = self.server.flaky  # type: ignore[attr-defined]
        return found

    @property
    def key(self) -> str:
        """Of the object that is meant."""
        return unquote(urlsplit(self.path).path.removeprefix("/flows").lstrip("/"))

    def do_PUT(self) -> None:
        """Keeps an object."""
        self.body = self._body()
        if self._goes_on("PUT"):
            with self.flaky.lock:
                self.flaky.objects[self.key] = self.body
            self.answer(200, b"", ETag=f'"{md5(self.body, usedforsecurity=False).hexdigest()}"')

    def do_GET(self) -> None:
        """Gives an object or a listing."""
        self.body = b""
        if not self.key:
            return self.answer(200, self._listing())
        if self._goes_on("GET"):
            found = self.flaky.objects.get(self.key)
            self.answer(404, _error("NoSuchKey")) if found is None else self.answer(200, found)
        return None

    def answer(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        """Says so; with a `length` that is not the body's the connection ends amid it."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.close_connection or length is not None

    def _body(self) -> bytes:
        """What was sent; botocore may send it in chunks with a trailer."""
        if self.headers.get("Expect", "").lower() == "100-continue":
            pass  # the server answers that by itself
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def _goes_on(self, method: str) -> bool:
        with self.flaky.lock:
            self.flaky.counts[method] += 1
        return self.flaky.fault(self)

    def _listing(self) -> bytes:
        query = parse_qs(urlsplit(self.path).query)
        prefix, after = query.get("prefix", [""])[0], query.get("start-after", [""])[0]
        keys = [key for key in sorted(self.flaky.objects) if key.startswith(prefix) and key > after]
        rows = "".join(
            f"<Contents><Key>{key}</Key><Size>{len(self.flaky.objects[key])}</Size></Contents>" for key in keys
        )
        return f"{XML}<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>".encode()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def error(status: int, code: str) -> Fault:
    """An error as S3 writes it."""

    def fail(handler: _Handler) -> bool:
        handler.answer(status, _error(code))
        return False

    return fail


def silence(handler: _Handler) -> bool:
    """No answer, until the server is closed or the client has gone."""
    handler.flaky.closing.wait(1.0)
    handler.close_connection = True
    return False


def cut_off(handler: _Handler) -> bool:
    """A good answer that ends before its time."""
    handler.answer(200, b"half", 4_000)
    return False


def keeps_half(handler: _Handler) -> bool:
    """An object of which only a part was kept, and that says so by its checksum."""
    handler.body = handler.body[: len(handler.body) // 2]
    return True


def sometimes(fault: Fault, every: int) -> Fault:
    """The fault with every so many requests."""
    counts = [0]

    def often(handler: _Handler) -> bool:
        counts[0] += 1
        return fault(handler) if counts[0] % every == 0 else True

    return often


def _error(code: str) -> bytes:
    return re.sub(r"\s+", " ", f"{XML}<Error><Code>{code}</Code><Message>no</Message></Error>").encode()
