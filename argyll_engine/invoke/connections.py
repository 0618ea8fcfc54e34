# SPDX-License-Identifier: Apache-2.0
"""Connections to servers, kept while they are idle, and the thread in which they live. Used by `http.py`.

One event loop carries all calls of a process: a call costs no thread while it waits.
"""

import asyncio
import os
import socket
import ssl
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from argyll_engine.invoke.address import Place
from argyll_engine.invoke.exchange import Connection, Head, Wish

MAX_PLACES: Final = 256
"""Different servers to which idle connections are kept."""

T = TypeVar("T")


class Connections:
    """Opens connections and keeps idle ones. Belongs to the thread of the event loop.

    Args:
        idle: how many are kept of one server.
    """

    def __init__(self, idle: int) -> None:
        self._most_idle = idle
        self._idle: OrderedDict[Place, list[Connection]] = OrderedDict()
        self._tls: ssl.SSLContext | None = None

    async def exchange(self, place: Place, payload: bytes, wish: Wish) -> tuple[Head, bytes]:
        """The answer of a server to one request. It is sent once, whatever happens.

        Raises:
            OSError: no connection, or no answer.
        """
        connection = self._take(place) or await self._open(place)
        answer = await connection.exchange(payload, wish)
        if connection.is_reusable:
            self._keep(place, connection)
        return answer

    def close(self) -> None:
        """Close all idle ones."""
        while self._idle:
            self._drop(self._idle.popitem()[1])

    def _take(self, place: Place) -> Connection | None:
        idle = self._idle.get(place, [])
        while idle:
            connection = idle.pop()
            if connection.is_reusable:
                return connection
        return None

    def _keep(self, place: Place, connection: Connection) -> None:
        idle = self._idle.setdefault(place, [])
        self._idle.move_to_end(place)
        if len(idle) < self._most_idle:
            idle.append(connection)
        else:
            connection.close()
        if len(self._idle) > MAX_PLACES:
            self._drop(self._idle.popitem(last=False)[1])

    def _drop(self, connections: list[Connection]) -> None:
        for connection in connections:
            connection.close()

    async def _open(self, place: Place) -> Connection:
        sock = await _connected(place)
        try:
            return await self._over(sock, place)
        except BaseException:
            sock.close()
            raise

    async def _over(self, sock: socket.socket, place: Place) -> Connection:
        loop = asyncio.get_running_loop()
        if not place.is_secure:
            _, connection = await loop.create_connection(Connection, sock=sock)
            return connection
        if self._tls is None:
            self._tls = ssl.create_default_context()
        _, connection = await loop.create_connection(Connection, sock=sock, ssl=self._tls, server_hostname=place.host)
        return connection


async def _connected(place: Place) -> socket.socket:
    """A socket to the first address that takes it. Raises OSError, the one of the last address."""
    loop = asyncio.get_running_loop()
    try:
        found = socket.getaddrinfo(
            place.host, place.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        )
    except socket.gaierror:  # a name; asking for it takes its time
        found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    error: OSError | None = None
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            await loop.sock_connect(sock, address)
            return sock
        except OSError as exc:
            sock.close()
            error = exc
        except BaseException:
            sock.close()
            raise
    raise error or OSError("no address")


class LoopThread:
    """An event loop in a thread of its own, which begins with the first task. Tasks come from any thread."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._inbox: deque[Coroutine[Any, Any, None]] = deque()
        self._is_woken = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0

    def start(self, task: Coroutine[Any, Any, None]) -> None:
        """Run a task, which must not raise; many that come together wake the thread once."""
        loop = self._running()
        self._inbox.append(task)
        if not self._is_woken:
            self._is_woken = True
            loop.call_soon_threadsafe(self._begin)

    def wait(self, task: Coroutine[Any, Any, T]) -> T:
        """What a task gives back. Raises what it raises. Not to be called from the thread itself."""
        return asyncio.run_coroutine_threadsafe(task, self._running()).result()

    def stop(self, finish: Callable[[], None]) -> None:
        """End all tasks, call `finish` in the thread, and end it; the next task begins another."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return

        def end() -> None:
            for task in self._tasks:
                task.cancel()
            finish()
            loop.call_soon(lambda: loop.call_soon(loop.stop))  # cancelled tasks and closed sockets first

        loop.call_soon_threadsafe(end)
        thread.join()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None or self._pid != os.getpid():
            with self._lock:
                if self._loop is None or self._pid != os.getpid():  # a fork takes no thread along
                    self._pid, self._loop = os.getpid(), asyncio.new_event_loop()
                    self._is_woken = False
                    self._thread = threading.Thread(target=_run, args=(self._loop,), name=self._name, daemon=True)
                    self._thread.start()
        return self._loop

    def _begin(self) -> None:
        self._is_woken = False  # before the look: who comes after it wakes us again
        loop = asyncio.get_running_loop()
        while self._inbox:
            task = loop.create_task(self._inbox.popleft())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()
