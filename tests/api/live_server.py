# SPDX-License-Identifier: Apache-2.0
"""The whole HTTP edge in a thread of the test: a real server on a free port over the engine in memory."""

import asyncio
import base64
import socket
import threading
import time
from contextlib import contextmanager

import uvicorn
from websockets.sync.client import connect

from argyll_api.app import create_app
from argyll_api.asgi import Application
from argyll_api.config import ApiConfig
from argyll_api.http_protocol import HttpConnection
from argyll_api.socket import Connection
from argyll_api.starts import Starts
from argyll_api.subscriptions import Switchboard
from argyll_engine.codec import encode
from argyll_engine.hub import Hub
from argyll_engine.ports import Commit
from argyll_engine.store.memory import MemoryEventStore, MemoryFeed
from tests.workshop import Workshop

KINDS = frozenset({"catalog", "cluster", "flow"})
SOON_SECONDS = 10.0


class LiveServer:
    """Engine, hub and server; `workshop` is the engine's side of it."""

    def __init__(self, connection=Connection, **options):
        self.workshop = Workshop()
        self.store = MemoryEventStore(self.workshop.backend)
        self.feed = MemoryFeed(self.workshop.backend)
        self.switchboard = Switchboard(Hub([(self.feed, KINDS)], patience_ms=20), self.workshop.engine.queries)
        app = create_app(ApiConfig(), self.workshop.engine, self.switchboard.count)
        self.starts = Starts(self.workshop.engine, ApiConfig())
        application = Application(
            app,
            self.switchboard,
            threads=2,
            max_body_bytes=ApiConfig().max_body_bytes,
            longer_bodies=ApiConfig().longer_bodies,
            starts=self.starts,
            **options,
        )
        config = uvicorn.Config(
            application, interface="asgi3", http=HttpConnection, ws=connection, loop="uvloop", lifespan="on",
            log_config=None, access_log=False, proxy_headers=False, server_header=False,
            timeout_graceful_shutdown=5,
        )  # fmt: skip
        self.server = uvicorn.Server(config)
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.run, args=([self.listener],), daemon=True)

    def start(self):
        """Serve."""
        self.thread.start()
        eventually(lambda: self.server.started)

    def stop(self):
        """End in order."""
        self.server.should_exit = True
        self.thread.join(SOON_SECONDS)
        self.listener.close()

    def commit(self, stream_id, count=1, pad=0):
        """So many events more of a stream, each `pad` bytes longer than need be."""
        log = self.workshop.backend.logs.get(tuple(stream_id))
        first = log.next_sequence if log else 0
        events = tuple(an_envelope(stream_id, number, pad) for number in range(first, first + count))
        self.store.commit([Commit(stream_id=tuple(stream_id), expected_sequence=first, events=events)])

    def connect(self):
        """A client."""
        uri = f"ws://127.0.0.1:{self.port}/engine/ws"
        return connect(uri, compression=None, ping_interval=None, proxy=None, close_timeout=1)


def an_envelope(stream_id, sequence, pad=0):
    """An event as it is stored."""
    envelope = {"timestamp": "2026-01-02T03:04:05.5Z", "type": f"type_{sequence % 2}", "aggregate_id": stream_id}
    return encode(envelope | {"data": {"pad": "x" * pad}, "sequence": sequence})


@contextmanager
def serving(connection=Connection, **options):
    """A server that runs until the end of the block."""
    server = LiveServer(connection, **options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def eventually(look):
    """What `look` finds, as soon as it is truthy."""
    deadline = time.monotonic() + SOON_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.005)
    return found


class RawSocket:
    """A client of bytes: it shakes hands and then does only what a test says."""

    def __init__(self, port, path="/engine/ws", receive_buffer=None, **headers):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(SOON_SECONDS)
        self.socket.connect(("127.0.0.1", port))
        wanted = {
            "Host": "x",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(b"0123456789abcdef").decode(),
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in wanted.items() if value)]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self.head = self._read_head()

    def _read_head(self):
        received = b""
        while b"\r\n\r\n" not in received:
            piece = self.socket.recv(1)
            assert piece, received
            received += piece
        return received.decode()

    def send(self, opcode, payload=b""):
        """One frame, masked with zeros."""
        assert len(payload) < 126
        self.socket.sendall(bytes((0x80 | opcode, 0x80 | len(payload))) + bytes(4) + payload)

    def receive(self, count):
        """So many bytes; fewer at the end."""
        received = b""
        while len(received) < count and (piece := self.socket.recv(count - len(received))):
            received += piece
        return received

    def rest(self):
        """Everything until the connection ends, however it does."""
        received = b""
        try:
            while piece := self.socket.recv(65_536):
                received += piece
        except ConnectionError:
            return received
        return received

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def run(coroutine):
    """The result of a coroutine."""
    return asyncio.run(coroutine)
