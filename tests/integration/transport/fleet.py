# SPDX-License-Identifier: Apache-2.0
"""A broker, workers of the test application, and what their tasks left behind. Called by the tests beside it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery import Celery
from redis import Redis

from argyll_engine.transport import DeadLetters
from tests.contract.redis_server import RedisServer
from tests.integration.transport import tasks

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 60.0
UNDER_TEST = "TRANSPORT_UNDER_TEST"
"""`redis` runs the tests on Celery's stock Redis transport, to see what it does; not all of them pass there."""


def eventually(condition: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """What the condition gives once that is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)
    return found


class Fleet:
    """One deployment of the test application.

    Args:
        visibility: Seconds until a silent worker counts as dead.
        stock: Whether to use Celery's stock Redis transport; None leaves it to `TRANSPORT_UNDER_TEST`.
    """

    def __init__(self, folder: Path, visibility: float = 1.0, stock: bool | None = None, **options: Any) -> None:
        self._folder = folder
        self.server = RedisServer(folder)
        self.server.start()
        self._socket = folder / "redis.sock"
        stock = os.environ.get(UNDER_TEST) == "redis" if stock is None else stock
        self.broker = f"redis+socket://{self._socket}" if stock else f"redis-streams+unix://{self._socket}"
        self.options = {"visibility_timeout": visibility} | options
        self._traces = folder / "traces"
        self._workers: list[subprocess.Popen[bytes]] = []
        self.app: Celery = tasks.make_app(self.broker, self.options, 1)

    def lose_a_reader(self, count: int) -> None:
        """Send so many tasks, kill the worker that has read them in the first of them, and wait for another's ends."""
        for number in range(count):
            self.send("work", str(number), 1.0 if number == 0 else 0.0)
        first = self.start_worker()
        eventually(lambda: self.names("start"), "first task started")
        self.kill(first)
        self.start_worker()
        eventually(lambda: len(self.names("end")) == count, "every task ended")

    def redis(self) -> Redis:
        """A client of its own."""
        return Redis(unix_socket_path=str(self._socket))

    def dead_letters(self) -> DeadLetters:
        """What was given up."""
        return DeadLetters(self.redis())

    def send(self, task: str, *args: Any, **options: Any) -> None:
        """Publish one message."""
        self.app.send_task(task, args=args, **options)

    def start_worker(self, pool: str = "solo", threads: int = 1, prefetch: int = 0, ready: bool = True) -> int:
        """Start a worker in a session of its own; returns its pid once it consumes."""
        number = len(self._workers)
        environment = os.environ | {
            tasks.BROKER: self.broker,
            tasks.OPTIONS: json.dumps(self.options),
            tasks.PREFETCH: str(prefetch),
            tasks.TRACES: str(self._traces),
        }
        log = self._folder / f"worker{number}.log"
        argv = [
            *(sys.executable, "-m", "celery", "-q", "-A", "tests.integration.transport.tasks:app", "worker"),
            *("-P", pool, "-c", str(threads), "-n", f"w{number}@test", "-l", "info"),
            *("--without-gossip", "--without-mingle"),
        ]
        with log.open("wb") as file:
            worker = subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=file, stderr=file, start_new_session=True)
        self._workers.append(worker)
        if ready:
            eventually(lambda: b" ready." in log.read_bytes(), f"worker {number} ready: {log.read_text()}")
        return worker.pid

    def kill(self, pid: int) -> None:
        """End a worker's process and its children at once, as the kernel would when memory runs out."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        self._process(pid).wait()

    def stop(self, pid: int) -> None:
        """Ask a worker to end, and wait until it has."""
        os.kill(pid, signal.SIGTERM)
        self._process(pid).wait(PATIENCE_SECONDS)

    def has_ended(self, pid: int) -> bool:
        """Whether a worker is gone."""
        return self._process(pid).poll() is not None

    def traces(self, what: str) -> list[tuple[str, float]]:
        """Names and times of what tasks left, in order."""
        if not self._traces.exists():
            return []
        rows = [line.split() for line in self._traces.read_text().splitlines()]
        return [(name, float(at)) for kind, name, at in rows if kind == what]

    def names(self, what: str) -> Counter[str]:
        """How often each task left such a trace."""
        return Counter(name for name, _ in self.traces(what))

    def close(self) -> None:
        """End everything that was started."""
        for worker in self._workers:
            self.kill(worker.pid)
        self.app.close()
        self.server.stop()

    def _process(self, pid: int) -> subprocess.Popen[bytes]:
        return next(worker for worker in self._workers if worker.pid == pid)
