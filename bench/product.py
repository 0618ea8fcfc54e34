# SPDX-License-Identifier: Apache-2.0
"""A fresh Argyll for one measurement: `argyll up` in a directory of its own, as a newcomer starts it.

It has its own Redis with an append-only file, the API, workers and beat, on free ports of the loopback. Leaving the
context ends what it started and nothing else.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from argyll_api.cli.embedded import find_server
from bench import usage

ROOT = Path(__file__).parents[1]
START_SECONDS, END_SECONDS, STOP_SECONDS = 180.0, 180.0, 40.0
POLL_SECONDS = 0.01
COMPLETED, FAILED = "completed", "failed"


class Stuck(Exception):
    """Something did not happen in time; the text says what, with the last lines of the log."""


class Product:
    """One running Argyll, seen from outside: its API, its Redis, its processes."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, folder: Path) -> None:
        self.process, self.port, self.folder = process, port, folder
        self.log = folder / "argyll.log"
        self.looks = 0
        """Round trips that `ended` has made."""
        self.redis = Redis(unix_socket_path=str(folder / "redis.sock"))

    # ---- the API ----

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and decoded body of one request; not for measurements. Raises OSError without an answer."""
        payload = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, payload, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, _decoded(answer.read())
        except urllib.error.HTTPError as exc:
            with exc:
                return exc.code, _decoded(exc.read())

    def register(self, steps: Sequence[Mapping[str, Any]]) -> None:
        """Register steps. Raises Stuck when one is refused."""
        for step in steps:
            status, answer = self.ask("POST", "/engine/step", step)
            if status != 201:
                raise Stuck(f"step {step['id']} was refused: {status} {answer}")

    def served_total(self, status: str) -> int:
        """How many root flows of this status the API counts."""
        _, page = self.ask("POST", "/engine/flow/query", {"statuses": [status], "limit": 1})
        return int(page.get("total", 0))

    # ---- the store ----

    def ended(self) -> int:
        """Flows that have come to an end, failed ones too, as the store's index has them: two cheap commands."""
        self.looks += 1
        with self.redis.pipeline(transaction=False) as pipeline:
            for status in (COMPLETED, FAILED):
                pipeline.zcard(f"{{argyll:flow}}:idx:status:{status}")
            return sum(map(int, pipeline.execute()))

    def await_ended(self, count: int, poll_seconds: float = POLL_SECONDS, confirm: bool = True) -> float:
        """When (`time.perf_counter`) so many flows had ended; all of them well, as the API too must say (`confirm`).

        Raises:
            Stuck: They did not in time, or some failed.
        """
        self.await_true(f"the end of {count} flows", lambda: self.ended() >= count, END_SECONDS, poll_seconds)
        at = time.perf_counter()
        if not confirm:
            return at
        served = (self.served_total(COMPLETED), self.served_total(FAILED))
        if served != (count, 0):
            raise Stuck(f"{count} flows were started, the API counts {served} that completed and failed")
        return at

    def await_true(
        self, what: str, look: Callable[[], bool], patience_seconds: float, poll_seconds: float = POLL_SECONDS
    ) -> None:
        """Wait for a condition. Raises Stuck when it takes too long, or when `argyll up` has ended."""
        deadline = time.monotonic() + patience_seconds
        while not self._is_true(look):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Stuck(f"{what}: not within {patience_seconds:.0f} s\n{self.last_words()}")
            time.sleep(poll_seconds)

    def _is_true(self, look: Callable[[], bool]) -> bool:
        try:
            return look()
        except RedisError:  # it is ending, and await_true will say why
            return False

    def recorded_ends(self, flow_ids: Sequence[str]) -> list[float]:
        """When each flow's last event was recorded, in Unix seconds."""
        with self.redis.pipeline(transaction=False) as pipeline:
            for flow_id in flow_ids:
                pipeline.lindex(f"{{argyll:flow}}:flow:{flow_id}:events", -1)
            events = [json.loads(event) for event in pipeline.execute()]
        wrong = {event["type"] for event in events} - {"flow_deactivated"}
        if wrong:
            raise Stuck(f"flows that have ended have these last events: {wrong}")
        return [unix_seconds(event["timestamp"]) for event in events]

    # ---- the processes ----

    def processes(self) -> tuple[usage.Process, ...]:
        """All processes, `argyll up` itself too."""
        return usage.tree(self.process.pid)

    def last_words(self) -> str:
        """The end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


def unix_seconds(timestamp: str) -> float:
    """Unix seconds of a timestamp of the event log."""
    return datetime.fromisoformat(timestamp).timestamp()


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:  # an error page
        return body.decode(errors="replace")


@contextmanager
def running(
    steps: int | None = None, work: int = 1, variables: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Product]:
    """A product that answers and whose workers have run a flow.

    Args:
        steps: Processes for decisions and scripts; None: as many as `argyll up` takes by itself.
        work: Processes for HTTP steps.
        variables: More of the environment.

    Raises:
        Stuck: It did not start.
    """
    with tempfile.TemporaryDirectory(prefix="argyll-bench-") as name:
        folder = Path(name)
        port = free_port()
        argv = [sys.executable, "-P", "-m", "argyll_api.cli", "up", "--work", str(work)]
        argv += [] if steps is None else ["--steps", str(steps)]
        process = _start(argv, folder, _environment(folder, port) | dict(variables))
        product = Product(process, port, folder)
        try:
            product.await_true("an answer of the API", lambda: _answers(product), START_SECONDS)
            yield product
        finally:
            product.redis.close()
            end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Stop a process of ours in order, by force after a while."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def cores() -> set[int]:
    """The cores that we may use."""
    return os.sched_getaffinity(0)


def redis_version() -> str:
    """The server that a product starts by itself."""
    server = find_server()
    return "Redis " + ".".join(map(str, server.version))


def free_port() -> int:
    """A port of the loopback that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _start(argv: Sequence[str], folder: Path, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    with (folder / "argyll.log").open("ab") as log:
        return subprocess.Popen(argv, cwd=ROOT, env=dict(environment), stdout=log, stderr=subprocess.STDOUT)


def _environment(folder: Path, port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("HOME", "PATH", "LANG")}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "ARGYLL_DATA_DIR": str(folder),
        "API_HOST": "127.0.0.1",
        "API_PORT": str(port),
        "LOG_FORMAT": "json",
    }


def _answers(product: Product) -> bool:
    with suppress(OSError):
        return product.ask("GET", "/engine/step")[0] == 200
    return False
