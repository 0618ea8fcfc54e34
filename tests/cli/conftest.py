# SPDX-License-Identifier: Apache-2.0
"""Real `argyll` processes, each with a data directory and a port of its own, and none left behind."""

import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

PATIENCE_SECONDS = 40.0
ROOT = Path(__file__).parents[2]


class Argyll:
    """One running `argyll` command."""

    def __init__(self, words: tuple[str, ...], environment: dict[str, str]) -> None:
        self.environment = environment
        self.process = subprocess.Popen(
            (sys.executable, "-m", "argyll_api.cli", *words),
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.printed = b""

    def wait_for(self, text: str) -> None:
        """Reads until `text` was printed."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text.encode() not in self.printed:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            received = os.read(self.process.stdout.fileno(), 65_536) if ready else b""
            assert received, f"{text!r} was not printed, but:\n{self.printed.decode()}"
            self.printed += received

    def end(self) -> tuple[int, str]:
        """The exit code and everything that was printed."""
        rest, _ = self.process.communicate(timeout=PATIENCE_SECONDS)
        self.printed += rest
        return self.process.returncode, self.printed.decode()

    def stop(self) -> tuple[int, str]:
        """The same, after asking it to stop."""
        self.process.send_signal(signal.SIGTERM)
        return self.end()

    def kill(self) -> None:
        """Ends it as -9 does: without a chance to tidy up."""
        self.process.kill()
        self.end()

    def children(self) -> dict[int, str]:
        """Pids and command lines of its children, and theirs."""
        return _below(self.process.pid)


def _below(pid: int) -> dict[int, str]:
    found: dict[int, str] = {}
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found[child] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
            found |= _below(child)
    return found


Run = Callable[..., Argyll]


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Gives the root logger back: a command that runs inside the test sets logging up."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def argyll(tmp_path: Path) -> Iterator[Run]:
    """A function that starts an `argyll` command: words, then variables by name."""
    started: list[Argyll] = []
    base = {name: value for name, value in os.environ.items() if name in ("HOME", "PATH", "LANG")}
    base |= {"ARGYLL_DATA_DIR": str(tmp_path / "var"), "API_HOST": "127.0.0.1", "API_PORT": str(free_port())}
    base |= {"PYTHONPATH": str(ROOT)}

    def run(*words: str, **variables: str) -> Argyll:
        started.append(Argyll(words, base | variables))
        return started[-1]

    yield run
    for command in started:
        if command.process.poll() is None:
            with suppress(AssertionError, subprocess.TimeoutExpired):
                command.stop()
        if command.process.poll() is None:
            command.kill()
