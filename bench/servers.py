# SPDX-License-Identifier: Apache-2.0
"""What an HTTP request costs before the engine: servers side by side with the edge of the API on each.

`python -m bench.servers [--requests N] [--rounds R]`. Each contender is a process of its own that answers starts of
flows, with an engine that does nothing: what is measured are server, bridge, Flask and reading of the body. A contender
whose server is not installed is left out. The load generator runs on the same cores.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from argyll_api.app import create_app
from argyll_api.asgi import Application
from argyll_api.config import ApiConfig
from argyll_api.starts import Starts
from bench.load import post, send

CONNECTIONS = 32
THREADS = 16
WARM_UP = 500
PATIENCE_SECONDS = 20.0
THIS = "bench.servers"


class IdleEngine:
    """Starts nothing, at once."""

    def start_flow(self, *_: object) -> None:
        """Nothing."""

    def start_flows(self, starts: Sequence[object]) -> list[None]:
        """Nothing, for each."""
        return [None] * len(starts)


class NoSockets:
    """Stands where the switchboard would."""

    def start(self) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""


_engine: Any = IdleEngine()
_no_sockets: Any = NoSockets()
_bytes = ApiConfig().max_body_bytes
flask = create_app(ApiConfig(), _engine)
"""Flask alone, for WSGI servers."""

bridged = Application(flask, _no_sockets, threads=THREADS, max_body_bytes=_bytes)
"""Every request through the bridge and Flask."""

whole = Application(flask, _no_sockets, threads=THREADS, max_body_bytes=_bytes, starts=Starts(_engine, ApiConfig()))
"""The application as it is served: plain starts in front of Flask."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to serve; `module` is what must be installed, `{port}` in the command is its port."""

    name: str
    module: str
    command: tuple[str, ...]


_UVICORN = ("-m", "uvicorn", "--port", "{port}", "--http", "httptools", "--loop", "uvloop", "--no-access-log")
_GRANIAN = ("-m", "granian", "--port", "{port}", "--no-access-log", "--log-level", "error")
CONTENDERS = (
    Contender("uvicorn, bridge, starts in front of Flask", "uvicorn", (*_UVICORN, f"{THIS}:whole")),
    Contender("uvicorn, bridge, Flask", "uvicorn", (*_UVICORN, f"{THIS}:bridged")),
    Contender(
        "granian, bridge, starts in front of Flask",
        "granian",
        (*_GRANIAN, "--interface", "asgi", "--loop", "uvloop", f"{THIS}:whole"),
    ),
    Contender(
        "granian, bridge, Flask",
        "granian",
        (*_GRANIAN, "--interface", "asgi", "--loop", "uvloop", f"{THIS}:bridged"),
    ),
    Contender(
        "granian, WSGI (no WebSocket)",
        "granian",
        (*_GRANIAN, "--interface", "wsgi", "--blocking-threads", str(THREADS), f"{THIS}:flask"),
    ),
    Contender(
        "hypercorn, bridge, Flask", "hypercorn", ("-m", "hypercorn", "--bind", "127.0.0.1:{port}", f"{THIS}:bridged")
    ),
    Contender(
        "gunicorn, gthread (no WebSocket)",
        "gunicorn",
        ("-m", "gunicorn", "--bind", "127.0.0.1:{port}", "-k", "gthread", "--threads", str(THREADS), f"{THIS}:flask"),
    ),
    Contender(
        "waitress (no WebSocket)",
        "waitress",
        ("-m", "waitress", "--listen=127.0.0.1:{port}", f"--threads={THREADS}", f"{THIS}:flask"),
    ),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """What a round came to; processor time is that of the server with all its processes."""

    requests_per_second: float
    cpu_ms: float
    p50_ms: float


def measure(contender: Contender, requests: int) -> Figure:
    """One round: a fresh server, warmed up, under load of a fixed size."""
    port = _free_port()
    command = [sys.executable, *(part.format(port=port) for part in contender.command)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        _await(port)
        bodies = [
            post("/engine/flow", {"id": f"f-{number}", "goals": ["greet"], "init": {"name": ["Ada"]}})
            for number in range(requests)
        ]
        send(port, bodies[:WARM_UP], CONNECTIONS)
        before = _cpu_seconds(server.pid)
        sent = send(port, bodies, CONNECTIONS).require(201)
        cpu_seconds = _cpu_seconds(server.pid) - before
    finally:
        server.terminate()
        server.wait()
    said = sent.summary()
    return Figure(said["requests_per_second"], cpu_seconds / requests * 1000, said["answer_p50_ms"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise TimeoutError("the server does not listen")


def _cpu_seconds(session: int) -> float:
    """Processor time of all processes of a session."""
    ticks = 0
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with suppress(OSError), open(f"/proc/{name}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
                if int(fields[3]) == session:
                    ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Prints a row a contender: medians over the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    present = [contender for contender in CONTENDERS if find_spec(contender.module)]
    figures: dict[str, list[Figure]] = {contender.name: [] for contender in present}
    for _ in range(options.rounds):
        for contender in present:
            figures[contender.name].append(measure(contender, options.requests))
    for name, rounds in figures.items():
        row = {
            "server": name,
            "requests_per_second": round(statistics.median(figure.requests_per_second for figure in rounds)),
            "cpu_ms": round(statistics.median(figure.cpu_ms for figure in rounds), 3),
            "p50_ms": round(statistics.median(figure.p50_ms for figure in rounds), 2),
        }
        print(json.dumps(row))


if __name__ == "__main__":
    main()
