# SPDX-License-Identifier: Apache-2.0
"""One process of a stack: it can be started, killed, made to hang, and started again. Called by `stack.py`."""

import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.acceptance.client import eventually

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 20
ENDED = ("", "Z", "X")
HALTED = (*ENDED, "T")


class Part:
    """One process: a command line that can be started, killed and started again.

    Celery looks for modules in the `folder` that it is started in before all other places.
    """

    def __init__(self, argv: tuple[str, ...], environment: Mapping[str, str], log: Path, folder: Path = ROOT) -> None:
        self.argv, self.environment, self._log, self._folder = argv, dict(environment), log, folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the process, which must have been started."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, unless it runs."""
        if not self.is_running:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    self.argv, cwd=self._folder, env=self.environment, stdout=log, stderr=subprocess.STDOUT
                )

    def kill(self) -> None:
        """End it as -9 does: without a chance to tidy up."""
        killed = self._signal_all(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
        eventually("the end of all processes", lambda: all(map(_has_ended, killed)))

    def pause(self) -> None:
        """Let it hang: it holds what it has and does nothing."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> tuple[int, ...]:
        """The processes that got the signal: this one first, so that it starts nothing again, then those below it."""
        if self._process is None or not self.is_running:
            return ()
        top = self._process.pid
        self._process.send_signal(signal.SIGSTOP)  # so that it forks nothing while we look
        eventually("its halt", lambda: _state_of(Path(f"/proc/{top}")) in HALTED)
        pids = (top, *processes_below(top))
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return pids

    def twin(self) -> "Part":
        """Another process of the same command line."""
        return Part(self.argv, self.environment, self._log, self._folder)

    def terminate(self) -> None:
        """Ask it to end in order, and do not wait for that."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """End it in order, or by force after a while."""
        if self._process is not None and self.is_running:
            self.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()


def processes_below(pid: int) -> tuple[int, ...]:
    """The processes that a process has started, and those that they have."""
    found: tuple[int, ...] = ()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += (child, *processes_below(child))
    return found


def _has_ended(pid: int) -> bool:
    """Whether a process is gone, or an entry nobody has read; it is its last thread that closes its sockets."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except FileNotFoundError:
        return True
    return all(_state_of(Path(f"/proc/{pid}/task/{thread}")) in ENDED for thread in threads)


def _state_of(task: Path) -> str:
    """The letter by which the kernel says how a process or a thread is; empty when it is gone."""
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def base_environment() -> dict[str, str]:
    """What a process of ours gets of the environment of the tests."""
    kept = {name: value for name, value in os.environ.items() if name in ("HOME", "PATH", "LANG")}
    return kept | {"PYTHONPATH": str(ROOT)}


def free_port() -> int:
    """A port of the loopback that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
