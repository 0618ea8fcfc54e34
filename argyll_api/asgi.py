# SPDX-License-Identifier: Apache-2.0
"""The application as an ASGI server sees it: HTTP goes to Flask in a few threads, the WebSocket has no part here.

A request is read whole before a thread takes it, so slow clients hold up none; a body beyond the limit is cut
off just past it, for the routes to refuse. Answers are whole too. A start that wants to wait for its flow is answered
late, and holds no thread meanwhile. Built by the entry points.
"""

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes

from argyll_api.subscriptions import Switchboard
from argyll_api.waits import Wait, Waits, wait_of
from argyll_engine import log

Scope: TypeAlias = Mapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]
Environ: TypeAlias = dict[str, Any]
WSGIApplication: TypeAlias = Callable[[Environ, Any], Iterable[bytes]]

DEFAULT_THREADS: Final = 16
DEFAULT_BUFFER_BYTES: Final = 8 * 1_048_576
OK: Final = 200
RETRY_SECONDS: Final = 0.5

_OWN_NAMES: Final = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}
_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a WSGI application answered: status, headers as bytes, body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Application:
    """An ASGI application over a WSGI one.

    Args:
        wsgi: Called in threads, with whole bodies.
        switchboard: What sockets subscribe through; it lives as long as the server.
        threads: Requests that are answered at the same time.
        max_body_bytes: The longest body that any route takes; one byte more is read.
        max_buffer_bytes: What may wait for one socket to be sent.
    """

    def __init__(
        self,
        wsgi: WSGIApplication,
        switchboard: Switchboard,
        *,
        threads: int = DEFAULT_THREADS,
        max_body_bytes: int,
        max_buffer_bytes: int = DEFAULT_BUFFER_BYTES,
    ) -> None:
        self.switchboard, self.max_buffer_bytes = switchboard, max_buffer_bytes
        self.waits = Waits(switchboard)
        self._wsgi, self._max_body_bytes = wsgi, max_body_bytes
        self._requests: SimpleQueue[tuple[Environ, asyncio.Future[Answer]] | None] = SimpleQueue()
        self._threads = [Thread(target=self._work, name=f"request-{n}", daemon=True) for n in range(threads)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Source: the ASGI specification, HTTP and lifespan."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await self._read(receive)
        if body is None:
            return  # the client has gone before it had asked
        environ = environ_of(scope, body)
        answer = await self._answer(environ)
        if (wait := wait_of(environ)) is not None:
            late = await _unless_gone(self._late(environ, wait, answer), receive)
            if late is None:
                return
            answer = late
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, environ: Environ) -> Answer:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._requests.put((environ, future))
        return await future

    async def _late(self, environ: Environ, wait: Wait, started: Answer) -> Answer:
        """The state of the flow, as GET gives it, when it ends in time; else the answer to its start."""
        ends_at = asyncio.get_running_loop().time() + wait.seconds
        while True:
            try:
                async with asyncio.timeout_at(ends_at):
                    if not await self.waits.until_end(wait.flow_id):
                        return started
            except TimeoutError:
                return started
            state = await self._answer(_state_request(environ, wait))
            if state.status == OK:
                return replace(state, headers=[*state.headers, *wait.headers])
            await asyncio.sleep(RETRY_SECONDS)

    async def _read(self, receive: Receive) -> bytes | None:
        """The body, at most one byte longer than the longest; None when the client has gone."""
        message = await receive()
        pieces, size = [message.get("body", b"")], len(message.get("body", b""))
        while message.get("more_body") and size <= self._max_body_bytes:
            message = await receive()
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
        return None if message["type"] == "http.disconnect" else b"".join(pieces)[: self._max_body_bytes + 1]

    def _work(self) -> None:
        """Answers requests until told to stop. A plain queue costs half of what an executor does for each."""
        while (request := self._requests.get()) is not None:
            environ, future = request
            answer = self._ask(environ)
            if not future.get_loop().is_closed():
                future.get_loop().call_soon_threadsafe(_resolve, future, answer)

    def _ask(self, environ: Environ) -> Answer:
        """The answer of the WSGI application; an empty 500 when it raised. In a thread."""
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
            started.append((status, headers))

        try:
            body = _whole(self._wsgi(environ, start_response))
        except Exception:  # noqa: BLE001 - see below
            # Flask answers its own faults; nobody else would answer this one.
            _log.exception("request_failed", path=environ["PATH_INFO"])
            return Answer(500, [(b"content-length", b"0")], b"")
        status, headers = started[-1]
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return Answer(int(status[:3]), encoded, body)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.switchboard.start()
        for thread in self._threads:
            thread.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.waits.stop()
        self.switchboard.stop()
        for _ in self._threads:
            self._requests.put(None)
        await send({"type": "lifespan.shutdown.complete"})


def _resolve(future: asyncio.Future[Answer], answer: Answer) -> None:
    """On the event loop; nobody waits any more for a request that was cut off at the end."""
    if not future.done():
        future.set_result(answer)


async def _unless_gone(answering: Coroutine[Any, Any, Answer], receive: Receive) -> Answer | None:
    """The answer, or None as soon as the client has gone; nobody waits for anything then."""
    answer, gone = asyncio.create_task(answering), asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else None
    finally:
        for task in (answer, gone):
            task.cancel()
        await asyncio.gather(answer, gone, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue  # whatever else is left of the request


def _state_request(environ: Environ, wait: Wait) -> Environ:
    """The request for a flow's state from whoever sent the start; ids of flows need no escape in a path."""
    bodiless = {name: value for name, value in environ.items() if not name.startswith(("CONTENT_", "werkzeug."))}
    bodiless.pop("HTTP_TRANSFER_ENCODING", None)
    return bodiless | {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": f"/engine/flow/{wait.flow_id}",
        "QUERY_STRING": "",
        "wsgi.input": io.BytesIO(),
    }


def environ_of(scope: Scope, body: bytes) -> Environ:
    """The request as WSGI has it; paths and headers as Latin-1 text of their bytes. Source: PEP 3333."""
    host, port = scope.get("server") or ("localhost", None)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 80),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme") or "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        key, text = _variable(name), value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


def _variable(header: bytes) -> str:
    own = _OWN_NAMES.get(header)
    return own or "HTTP_" + header.decode("latin-1").upper().replace("-", "_")


def _whole(pieces: Iterable[bytes]) -> bytes:
    try:
        return b"".join(pieces)
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
