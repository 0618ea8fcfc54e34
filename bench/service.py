# SPDX-License-Identifier: Apache-2.0
"""A step service that answers every request at once with the same JSON; `python -m bench.service PORT` runs it.

It shares the cores with what is measured, so it does as little as an HTTP service can: it finds the end of each
request and writes prepared bytes.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import create_connection
from typing import Any

import uvloop

from bench.load import HEAD_END, answer_size
from bench.product import Stuck, end, free_port

BODY = b'{"answer":1}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
START_SECONDS = 120.0


class Service(asyncio.Protocol):
    """One connection; requests may come one after another, or in pieces."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers go to."""
        self._transport: Any = transport  # uvloop's is not derived from asyncio.Transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self._received += data
        while HEAD_END in self._received:
            size = answer_size(self._received)
            if size is None or len(self._received) < size:
                return
            self._received = self._received[size:]
            self._transport.write(ANSWER)


@contextmanager
def serving() -> Iterator[tuple[str, int]]:
    """The service in a process of its own: its URL and its pid. Raises Stuck when it does not start."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.service", str(port)])
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _accepts(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise Stuck("the step service did not start")
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}/step", process.pid
    finally:
        end(process)


def _accepts(port: int) -> bool:
    with suppress(OSError), create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Service, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        uvloop.run(_serve(int(sys.argv[1])))
