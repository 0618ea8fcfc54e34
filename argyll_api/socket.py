# SPDX-License-Identifier: Apache-2.0
"""The WebSocket `/engine/ws`: one connection, from the upgrade on. What is subscribed to is `subscriptions.py`'s.

It runs on the event loop and has neither a thread nor a task of its own, so that thousands of idle ones cost
little. The HTTP server hands a connection over when its first request asks for an upgrade. The rules of
RFC 6455 are the library's; when to ping, to give up and to close are ours.
Source: the contract, http §4.1 and §4.2.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, cast

from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from argyll_api.answers import TEXT_TYPE
from argyll_api.asgi import Application
from argyll_api.hooks import CORS
from argyll_api.subscriptions import Subscription
from argyll_engine import log
from argyll_engine.codec.frames import ClientMessage, Subscribe, read_message, unsubscribed_frame

PATH: Final = "/engine/ws"
MAX_MESSAGE_BYTES: Final = 65_536
NO_HANDSHAKE: Final = "Bad Request: not a WebSocket handshake"
MAX_INBOX: Final = 64
"""Messages of a client that may wait for their turn before it is no longer read."""
CLOSING_SECONDS: Final = 5.0
"""How long a client may take to end a connection that we have closed."""

_log = log.get(__name__)


class Connection(asyncio.Protocol):
    """One WebSocket, as uvicorn makes it.

    `ping_seconds` is between two pings; a client that sends no pong for `pong_seconds`, or takes no bytes for
    `write_seconds`, is dropped.
    """

    ping_seconds = 54.0
    pong_seconds = 60.0
    write_seconds = 10.0

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: object = None
    ) -> None:
        application = cast(Application, config.loaded_app)
        self._switchboard = application.switchboard
        self._max_buffer_bytes = application.max_buffer_bytes
        # Typed for uvicorn's own protocols; any with `shutdown` will do.
        self._connections = cast(set[Any], server_state.connections)
        self._loop = asyncio.get_running_loop()
        self._wire = ServerProtocol(max_size=MAX_MESSAGE_BYTES)
        self._parts: list[bytes] = []
        self._inbox: deque[ClientMessage] = deque()
        self._subscriptions: dict[str, Subscription] = {}
        self._is_opening = self._is_open = False
        self._timer: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._written_bytes = 0

    # ---- the connection --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called once, before the request is handed over."""
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def data_received(self, received: bytes) -> None:
        """Called with the request, then with whatever the client sends."""
        self._wire.receive_data(received)
        for event in self._wire.events_received():
            if isinstance(event, Request):
                self._shake_hands(event)
            elif isinstance(event, Frame):
                self._take(event)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called once, at the end."""
        self._connections.discard(self)
        for timer in (self._timer, self._deadline):
            if timer is not None:
                timer.cancel()
        self._switchboard.connections -= self._is_open
        subscriptions, self._subscriptions = self._subscriptions, {}
        for sub in subscriptions.values():
            self._switchboard.close(sub)

    def shutdown(self) -> None:
        """Called when the server stops: clients are to come back, so the code is not that of a normal end."""
        if self._wire.state is State.OPEN:
            self._wire.send_close(CloseCode.SERVICE_RESTART)
            self._flush()
        self._transport.close()

    def _shake_hands(self, request: Request) -> None:
        response = self._answer(request)
        self._wire.send_response(response)
        if response.status_code == 101:
            self._is_open = True
            self._switchboard.connections += 1
            now = self._loop.time()
            self._pinged_at = self._ponged_at = now
            self._timer = self._loop.call_at(now + min(self.ping_seconds, self.pong_seconds), self._keep_alive)

    def _answer(self, request: Request) -> Response:
        """101, or why not, in the form of all other answers outside of the API."""
        if request.method != "GET" or request.path.partition("?")[0] != PATH:
            return self._refusal(404, "404 page not found")
        response = self._wire.accept(request)
        if response.status_code == 101:
            return response
        return self._refusal(400, NO_HANDSHAKE)

    def _refusal(self, status: int, text: str) -> Response:
        response = self._wire.reject(status, text)
        response.headers = Headers({**dict(response.headers), **CORS, "Content-Type": TEXT_TYPE})
        return response

    # ---- what the client sends -------------------------------------------------------------------

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PONG:
            self._ponged_at = self._loop.time()
        elif frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._parts.append(bytes(frame.data))
            if frame.fin:
                message = read_message(b"".join(self._parts))
                self._parts = []
                if message is not None and self._wire.state is State.OPEN:
                    self._receive(message)

    def _receive(self, message: ClientMessage) -> None:
        """Messages are dealt with one after the other, so that answers come in the order of questions."""
        self._inbox.append(message)
        self._work_off()
        if len(self._inbox) > MAX_INBOX:
            self._transport.pause_reading()

    def _work_off(self) -> None:
        was_full = len(self._inbox) > MAX_INBOX
        while self._inbox and not self._is_opening:
            message = self._inbox.popleft()
            self._end(message.sub_id)
            if isinstance(message, Subscribe):
                self._begin(message)
            else:
                self._send([unsubscribed_frame(message.sub_id)])
        if was_full and len(self._inbox) <= MAX_INBOX and not self._transport.is_closing():
            self._transport.resume_reading()

    def _begin(self, message: Subscribe) -> None:
        sub = Subscription(wanted=message, send=self._send, drop=self._abort)
        self._subscriptions[message.sub_id] = sub
        self._is_opening = True
        self._switchboard.open(sub, self._begun)

    def _begun(self) -> None:
        self._is_opening = False
        self._work_off()

    def _end(self, sub_id: str) -> None:
        sub = self._subscriptions.pop(sub_id, None)
        if sub is not None:
            self._switchboard.close(sub)

    # ---- what the client gets --------------------------------------------------------------------

    def _send(self, documents: Sequence[bytes]) -> None:
        if self._wire.state is State.OPEN:
            frames = (Frame(Opcode.TEXT, document).serialize(mask=False) for document in documents)
            self._write(b"".join(frames))

    def _flush(self) -> None:
        """Writes what the library has to say: pongs, handshakes, ends."""
        for piece in self._wire.data_to_send():
            if piece:
                self._write(piece)
            elif not self._written_bytes:
                # The library could not even read the request, one with a body for example.
                self._write(self._refusal(400, NO_HANDSHAKE).serialize())
                self._transport.close()
            elif self._wire.close_rcvd is not None or not self._is_open:
                self._transport.close()
            else:
                # Closed by us: what the client is still sending must be read, or it never sees the reason.
                self._transport.write_eof()
                self._loop.call_later(CLOSING_SECONDS, self._transport.abort)

    def _write(self, piece: bytes) -> None:
        if self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > self._max_buffer_bytes:
            _log.warning("socket_dropped", reason="it does not read as fast as events come")
            self._abort()
            return
        self._transport.write(piece)
        self._written_bytes += len(piece)
        if self._deadline is None and self._transport.get_write_buffer_size():
            self._deadline = self._loop.call_later(self.write_seconds, self._check_written, self._written_bytes)

    def _check_written(self, goal_bytes: int) -> None:
        """Drops a client that has not taken by now what was written when the time began."""
        left_bytes = self._transport.get_write_buffer_size()
        self._deadline = None
        if self._written_bytes - left_bytes < goal_bytes:
            _log.warning("socket_dropped", reason="it takes no bytes")
            self._abort()
        elif left_bytes:
            again = partial(self._check_written, self._written_bytes)
            self._deadline = self._loop.call_later(self.write_seconds, again)

    def _keep_alive(self) -> None:
        now = self._loop.time()
        if now >= self._ponged_at + self.pong_seconds:
            self._abort()
            return
        if now >= self._pinged_at + self.ping_seconds and self._wire.state is State.OPEN:
            self._pinged_at = now
            self._wire.send_ping(b"")
            self._flush()
        due = min(self._pinged_at + self.ping_seconds, self._ponged_at + self.pong_seconds)
        self._timer = self._loop.call_at(due, self._keep_alive)

    def _abort(self) -> None:
        """Ends the connection without a word: clients take that as a fault and come back."""
        self._transport.abort()
