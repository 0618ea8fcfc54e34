# SPDX-License-Identifier: Apache-2.0
"""The application as an ASGI server sees it: HTTP goes to Flask in a few threads, the WebSocket has no part here.

A request is read whole before a thread takes it, so slow clients hold up none; a body beyond the limit is cut
off just past it, for the routes to refuse. Answers are whole too. A start that wants to wait for its flow is answered
late, and holds no thread meanwhile. Probes have threads of their own, for all others may be waiting for a store.
Built by the entry points.
"""

import asyncio
import io
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from queue import SimpleQueue
from threading import Thread
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from argyll_api.exchange import Answer, Environ, Receive, Scope, Send, WSGIApplication, ask, environ_of
from argyll_api.starts import Starts, is_plain
from argyll_api.subscriptions import Switchboard
from argyll_api.waits import Wait, Waits, wait_of
from argyll_engine import log
from argyll_engine.progress import PROGRESS

DEFAULT_THREADS: Final = 16
DEFAULT_BUFFER_BYTES: Final = 8 * 1_048_576
OK: Final = 200
RETRY_SECONDS: Final = 0.5
TURN_SECONDS: Final = 1.0
PROBES: Final = frozenset({"/health", "/livez", "/metrics", "/readyz"})
PROBE_THREADS: Final = 3

Requests: TypeAlias = SimpleQueue[tuple[Environ, asyncio.Future[Answer]] | None]

_log = log.get(__name__)


class Application:
    """An ASGI application over a WSGI one.

    Args:
        wsgi: Called in threads, with whole bodies.
        switchboard: What sockets subscribe through; it lives as long as the server.
        threads: Requests that are answered at the same time.
        max_body_bytes: The longest body that any route takes; one byte more is read.
        longer_bodies: Paths whose bodies may be longer.
        max_buffer_bytes: What may wait for one socket to be sent.
        starts: Answers plain starts in place of `wsgi`, which answers all without it.
    """

    def __init__(
        self,
        wsgi: WSGIApplication,
        switchboard: Switchboard,
        *,
        threads: int = DEFAULT_THREADS,
        max_body_bytes: int,
        longer_bodies: Mapping[bytes, int] = MappingProxyType({}),
        max_buffer_bytes: int = DEFAULT_BUFFER_BYTES,
        starts: Starts | None = None,
    ) -> None:
        self.switchboard, self.max_buffer_bytes = switchboard, max_buffer_bytes
        self.waits = Waits(switchboard)
        self._wsgi, self._starts = wsgi, starts
        self._max_body_bytes, self._longer_bodies = max_body_bytes, longer_bodies
        self._requests: Requests = SimpleQueue()
        self._probes: Requests = SimpleQueue()
        self._queues = (self._requests,) * threads + (self._probes,) * PROBE_THREADS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Source: the ASGI specification, HTTP and lifespan."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await self._read(receive, self._longer_bodies.get(scope["raw_path"], self._max_body_bytes))
        if body is None:
            return  # the client has gone before it had asked
        answer = await self._starts.answer(scope, body) if self._starts is not None and is_plain(scope) else None
        if answer is None:
            answer = await self._answer_of_wsgi(environ_of(scope, body), receive)
        if answer is None:
            return
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer_of_wsgi(self, environ: Environ, receive: Receive) -> Answer | None:
        """What the WSGI application says, perhaps late; None when the client has gone meanwhile."""
        answer = await self._answer(environ)
        wait = wait_of(environ)
        return answer if wait is None else await _unless_gone(self._late(environ, wait, answer), receive)

    async def _answer(self, environ: Environ) -> Answer:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        (self._probes if environ["PATH_INFO"] in PROBES else self._requests).put((environ, future))
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

    async def _read(self, receive: Receive, most_bytes: int) -> bytes | None:
        """The body, at most one byte longer than the longest; None when the client has gone."""
        message = await receive()
        pieces, size = [message.get("body", b"")], len(message.get("body", b""))
        while message.get("more_body") and size <= most_bytes:
            message = await receive()
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
        return None if message["type"] == "http.disconnect" else b"".join(pieces)[: most_bytes + 1]

    def _work(self, requests: Requests) -> None:
        """Answers requests until told to stop. A plain queue costs half of what an executor does for each."""
        while (request := requests.get()) is not None:
            environ, future = request
            answer = self._ask(environ)
            if not future.get_loop().is_closed():
                future.get_loop().call_soon_threadsafe(_resolve, future, answer)

    def _ask(self, environ: Environ) -> Answer:
        """The answer of the WSGI application; an empty 500 when it raised. In a thread."""
        try:
            return ask(self._wsgi, environ)
        except Exception:  # noqa: BLE001 - see below
            # Flask answers its own faults; nobody else would answer this one.
            _log.exception("request_failed", path=environ["PATH_INFO"])
            return Answer(500, [(b"content-length", b"0")], b"")

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.switchboard.start()
        for n, queue in enumerate(self._queues):
            Thread(target=self._work, args=(queue,), name=f"request-{n}", daemon=True).start()
        if self._starts is not None:
            self._starts.start()
        await send({"type": "lifespan.startup.complete"})
        turning = asyncio.create_task(_turn())
        await receive()
        turning.cancel()
        self.waits.stop()
        self.switchboard.stop()
        if self._starts is not None:
            self._starts.stop()
        for queue in self._queues:
            queue.put(None)
        await send({"type": "lifespan.shutdown.complete"})


async def _turn() -> None:
    """Counts turns of the event loop, which is how this process shows that it gets somewhere."""
    while True:
        PROGRESS.turns += 1
        await asyncio.sleep(TURN_SECONDS)


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
