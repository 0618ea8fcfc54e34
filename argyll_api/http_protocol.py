# SPDX-License-Identifier: Apache-2.0
"""HTTP connections as uvicorn makes them, with two more things: head and body of an answer are one write, as a write is
a call of the system, and whoever waits for a flow is told at the end.

Named in `cli/serve.py`. Without the latter the server would give waiting requests all of its time for stopping.
"""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from argyll_api.asgi import Application

MOST_HELD_BYTES: Final = 64 * 1024
"""What is written in one turn of the loop and goes together."""


class OneWrite:
    """A transport that sends what is written in one turn of the event loop at its end; all else is the transport's.

    Args:
        transport: Sends.
        loop: Its event loop.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, part: bytes) -> None:
        """Send these bytes after those before them."""
        if not self._parts:
            self._loop.call_soon(self.flush)
        self._parts.append(part)
        self._size += len(part)
        if self._size > MOST_HELD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send now."""
        if self._parts:
            whole = b"".join(self._parts)
            self._parts.clear()
            self._size = 0
            self.transport.write(whole)

    def close(self) -> None:
        """Close when all is sent."""
        self.flush()
        self.transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)


class HttpConnection(HttpToolsProtocol):
    """One HTTP connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the class above has it
        """Called when a client has connected."""
        super().connection_made(transport)
        self.transport = cast(asyncio.Transport, OneWrite(transport, self.loop))

    def handle_websocket_upgrade(self) -> None:
        """Called when a connection becomes a WebSocket, which writes for itself."""
        held = cast(OneWrite, self.transport)
        held.flush()
        self.transport = held.transport
        super().handle_websocket_upgrade()

    def shutdown(self) -> None:
        """Called when the server stops."""
        cast(Application, self.config.loaded_app).waits.stop()
        super().shutdown()
