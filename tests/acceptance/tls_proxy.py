# SPDX-License-Identifier: Apache-2.0
"""A TLS end before a Redis on a Unix socket, which asks its clients for certificates. The files are in `tls/`.

It stands in for a redis-server that was built with TLS, which not every machine has.
"""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILES = Path(__file__).parent / "tls"
CA, CLIENT, CLIENT_KEY = FILES / "ca.pem", FILES / "client.pem", FILES / "client.key"
CHUNK_BYTES = 65_536


@contextmanager
def tls_before(unix_socket: Path) -> Iterator[int]:
    """The port on which it listens."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=CA)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(FILES / "server.pem", FILES / "server.key")
    loop, ports, thread = asyncio.new_event_loop(), [0], None
    started = threading.Event()

    async def serve() -> None:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inner_reader, inner_writer = await asyncio.open_unix_connection(str(unix_socket))
            await asyncio.gather(_pipe(reader, inner_writer), _pipe(inner_reader, writer))

        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
        ports[0] = server.sockets[0].getsockname()[1]
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            server.close()

    def run() -> None:
        asyncio.set_event_loop(loop)
        task = loop.create_task(serve())
        stop.append(lambda: loop.call_soon_threadsafe(task.cancel))
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            for left in asyncio.all_tasks(loop):
                left.cancel()
            loop.run_until_complete(asyncio.sleep(0.05))
        finally:
            loop.close()

    stop: list[object] = []
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield ports[0]
    finally:
        stop[0]()  # type: ignore[operator]
        thread.join(10)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    except (OSError, ssl.SSLError):
        return
    finally:
        writer.close()
