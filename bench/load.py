# SPDX-License-Identifier: Apache-2.0
"""A load generator that costs little: prebuilt HTTP/1.1 requests over kept connections, one thread, one epoll.

Requests are bytes before the clock starts, and of an answer only its status line and its length are read. That is some
20 µs of processor time a request; `Sent.cpu_seconds` says how much it was. It sends a fixed number of requests, as fast
as answers come (`rate` None) or at the given rate. At a rate, times count from when a request was due, so that a
server that stalls cannot hide the requests that would have been sent meanwhile.
"""

import json
import select
import socket
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from bench.figures import percentile

READ_BYTES = 65_536
HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"
STALL_SECONDS = 60.0
"""Without any answer for this long the load has failed."""


class Refused(Exception):
    """Answers were not as they had to be, or did not come."""


def post(path: str, body: Any) -> bytes:
    """A POST of JSON as bytes."""
    payload = json.dumps(body, separators=(",", ":")).encode()
    head = (f"POST {path} HTTP/1.1", "Host: bench", "Content-Type: application/json", f"Content-Length: {len(payload)}")
    return "\r\n".join(head).encode() + HEAD_END + payload


def answer_size(received: bytes) -> int | None:
    """Bytes of the whole answer that begins here; None before its head is complete. Raises Refused without a length."""
    end = received.find(HEAD_END)
    if end < 0:
        return None
    head = received[:end].lower()
    at = head.find(LENGTH)
    if at < 0:
        raise Refused(f"an answer without its length: {received[:end]!r}")
    line_end = head.find(b"\r\n", at)
    return end + len(HEAD_END) + int(head[at + len(LENGTH) : line_end if line_end > 0 else None])


def status_of(received: bytes) -> int:
    """The status of an answer."""
    return int(received[9:12])


@dataclass(slots=True, kw_only=True)
class Sent:
    """What became of the requests, in the order in which they were given."""

    started_at: float = 0.0
    """Of the first, as `time.perf_counter`."""
    elapsed_seconds: float = 0.0
    """Until the last answer."""
    cpu_seconds: float = 0.0
    """Processor time of the generator."""
    due_at: list[float] = field(default_factory=list)
    """When each was due, in Unix seconds; without a rate, when it was sent."""
    latencies: list[float] = field(default_factory=list)
    """Seconds from due to answered."""
    statuses: Counter[int] = field(default_factory=Counter)

    def require(self, status: int) -> "Sent":
        """The same. Raises Refused unless all were answered so."""
        if set(self.statuses) != {status}:
            raise Refused(f"answers: {dict(self.statuses)}, all should be {status}")
        return self

    def summary(self) -> Mapping[str, float]:
        """Rate and latencies of the answers, and how much of one core the generator took."""
        return {
            "requests_per_second": len(self.latencies) / self.elapsed_seconds,
            "answer_p50_ms": percentile(self.latencies, 0.5) * 1000,
            "answer_p99_ms": percentile(self.latencies, 0.99) * 1000,
            "generator_cores": self.cpu_seconds / self.elapsed_seconds,
        }


class Connection:
    """One kept connection, and the number of the request that it waits for."""

    __slots__ = ("number", "received", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = -1
        self.received = b""

    def ask(self, request: bytes) -> bytes:
        """The whole answer to a request. Raises Refused when the connection is closed."""
        self.send(0, request)
        while (answer := self.receive()) is None:
            continue
        return answer

    def send(self, number: int, request: bytes) -> None:
        """Send a request."""
        self.number = number
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """The whole answer, once it is there."""
        part = self.socket.recv(READ_BYTES)
        if not part:
            raise Refused("a connection was closed")
        self.received += part
        size = answer_size(self.received)
        if size is None or len(self.received) < size:
            return None
        answer, self.received = self.received[:size], self.received[size:]
        return answer

    def close(self) -> None:
        """End the connection."""
        self.socket.close()


class Listener:
    """A WebSocket client in the thread that asks it: what `websockets` needs two threads for."""

    def __init__(self, port: int) -> None:
        self._protocol = ClientProtocol(parse_uri(f"ws://127.0.0.1:{port}/engine/ws"))
        self._socket = socket.create_connection(("127.0.0.1", port), STALL_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._protocol.send_request(self._protocol.connect())
        self._flush()
        self._heard: list[Any] = []
        self._next_event()
        if self._protocol.state is not State.OPEN:
            raise Refused(f"no WebSocket: {self._protocol.handshake_exc}")

    def send(self, document: Any) -> None:
        """Send JSON."""
        self._protocol.send_text(json.dumps(document).encode())
        self._flush()

    def next(self) -> Any:
        """What the server sent next, as JSON. Raises Refused when it is closed, TimeoutError after a minute."""
        while (frame := self._next_event()).opcode is not Opcode.TEXT:
            continue
        return json.loads(frame.data)

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def _next_event(self) -> Any:
        while not self._heard:
            part = self._socket.recv(READ_BYTES)
            if not part:
                raise Refused("the WebSocket was closed")
            self._protocol.receive_data(part)
            self._flush()
            self._heard += self._protocol.events_received()
        return self._heard.pop(0)

    def _flush(self) -> None:
        for piece in self._protocol.data_to_send():
            self._socket.sendall(piece)


def send(port: int, requests: Sequence[bytes], connections: int = 32, rate: float | None = None) -> Sent:
    """All requests answered.

    Args:
        rate: Requests a second; None: as fast as answers come.

    Raises:
        Refused: An answer could not be read, or none came for a minute.
    """
    run = _Run(port, requests, min(connections, len(requests)), rate)
    try:
        return run.finish()
    finally:
        run.close()


class _Run:
    """One load from its first request to its last answer."""

    def __init__(self, port: int, requests: Sequence[bytes], connections: int, rate: float | None) -> None:
        self._requests, self._rate = requests, rate
        self._free = [Connection(port) for _ in range(connections)]
        self._busy = {connection.socket.fileno(): connection for connection in self._free}
        self._poll = select.epoll()
        for descriptor in self._busy:
            self._poll.register(descriptor, select.EPOLLIN)
        self._next = 0
        count = len(requests)
        self.sent = Sent(due_at=[0.0] * count, latencies=[0.0] * count)

    def close(self) -> None:
        """Close all connections."""
        for connection in self._busy.values():
            connection.close()
        self._poll.close()

    def finish(self) -> Sent:
        """Send all and take all answers."""
        sent, missing = self.sent, len(self._requests)
        cpu = time.process_time()
        sent.started_at = time.perf_counter()
        self._wall = time.time() - sent.started_at
        while missing:
            pause = self._send_what_is_due()
            ready = self._poll.poll(pause)
            if not ready and pause == STALL_SECONDS:
                raise Refused(f"no answer for {STALL_SECONDS:.0f} s; {missing} are missing")
            missing -= sum(self._take(descriptor) for descriptor, _ in ready)
        sent.elapsed_seconds = time.perf_counter() - sent.started_at
        sent.cpu_seconds = time.process_time() - cpu
        return sent

    def _send_what_is_due(self) -> float:
        """Seconds until the next request is due."""
        sent = self.sent
        while self._free and self._next < len(self._requests):
            now = time.perf_counter()
            due = now if self._rate is None else sent.started_at + self._next / self._rate
            if due > now:
                return due - now
            connection = self._free.pop()
            sent.due_at[self._next] = due + self._wall
            connection.send(self._next, self._requests[self._next])
            self._next += 1
        return STALL_SECONDS

    def _take(self, descriptor: int) -> int:
        """How many answers this was: one, or none while it is not complete."""
        connection = self._busy[descriptor]
        answer = connection.receive()
        if answer is None:
            return 0
        self.sent.statuses[status_of(answer)] += 1
        self.sent.latencies[connection.number] = time.time() - self.sent.due_at[connection.number]
        self._free.append(connection)
        return 1
