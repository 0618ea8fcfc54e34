# SPDX-License-Identifier: Apache-2.0
"""A small supervisor: starts children, passes on what they print, restarts what died, stops all in order.

It knows nothing of Argyll but its signs of life. One thread, one selector: children are forked from the main thread,
which ties the tether (see `tether.py`) to the life of the whole process. Other threads (`probe_server.py`) may run
beside it, for what runs between fork and exec takes no lock. Called by `up.py` and `workers.py`.
"""

import io
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType, MappingProxyType
from typing import Final

from argyll_api.cli.patience import LOOK_EVERY_SECONDS, Patience
from argyll_api.cli.tether import tether
from argyll_engine import log

REFUSED: Final = 2
"""Exit code of a child that another start would not help: everything is stopped, with the same code."""

FIRST_RESTART_SECONDS: Final = 0.5
MAX_RESTART_SECONDS: Final = 10.0
STABLE_SECONDS: Final = 30.0
"""A child that ran this long is restarted without memory of earlier deaths."""

ASK_TWICE_SECONDS: Final = 1.0
"""Two signals closer than this are one request: who signals a whole group often signals its leader too."""

ALLOCATOR: Final[Mapping[str, str]] = MappingProxyType(
    {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "262144", "MALLOC_TRIM_THRESHOLD_": "1048576"}
)
"""What glibc is told where the environment of a child does not say it. Source: mallopt(3).

By itself it makes eight arenas a core, each of which keeps what its threads once needed, though the interpreter lets
one thread allocate at a time; and the largest block that was ever freed decides what goes back to the system.
"""

_TICK_SECONDS: Final = 0.05
_READ_BYTES: Final = 65_536
_log = log.get(__name__)

Output = Callable[[str, bytes], None]
"""Takes the name of a child and one line it printed, without the line end."""

DIED, STUCK = "died", "stuck"
Restarted = Callable[[str, str], None]
"""Is told the name of a child that is started again, and why: it died, or it was stuck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """A child process: how it starts, and how it stops.

    Children of a lower `stop_rank` are stopped first; those of one rank together. `environment` of None means
    ours. A child with `patience` is killed and started again when that runs out.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] | None = None
    stop_rank: int = 0
    grace_seconds: float = 10.0
    death_signal: signal.Signals = signal.SIGKILL
    refusal_is_final: bool = True
    patience: Patience | None = None


class _Child:
    """A child process as it is now: running, or waiting for its restart."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.process: subprocess.Popen[bytes] | None = None
        self.deaths = 0
        self.restart_at = 0.0
        self.complaint = ""
        self._pending = b""
        self._started_at = 0.0
        self._tie = tether(spec.death_signal, os.getpid())

    def start(self) -> subprocess.Popen[bytes]:
        self._started_at = time.monotonic()
        if self.spec.patience is not None:
            self.spec.patience.begin()
        self.process = subprocess.Popen(
            self.spec.argv,
            env={**ALLOCATOR, **(os.environ if self.spec.environment is None else self.spec.environment)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=self._tie,
            process_group=0,  # Ctrl-C reaches the supervisor alone, which then stops the children in order
        )
        return self.process

    @property
    def is_well(self) -> bool:
        """Whether it runs, and has shown a sign of life lately if it should."""
        return self.process is not None and not (self.spec.patience and self.spec.patience.is_silent)

    def note_death(self) -> float:
        """Seconds until the restart: doubling from death to death, forgotten after a stable run."""
        now = time.monotonic()
        if now - self._started_at > STABLE_SECONDS:
            self.deaths = 0
        pause = min(FIRST_RESTART_SECONDS * 2.0**self.deaths, MAX_RESTART_SECONDS)
        self.deaths += 1
        self.restart_at = now + pause
        self.process = None
        return pause

    def lines(self, received: bytes) -> Iterator[bytes]:
        """The whole lines that are there now; when the stream ends (`b""`) also one without an end."""
        *whole, self._pending = (self._pending + received).split(b"\n")
        if not received and self._pending:
            whole, self._pending = [*whole, self._pending], b""
        yield from whole

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the child: a kill to its whole group, for it may have children of its own."""
        if self.process is None:
            return
        try:
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
        except ProcessLookupError:
            _log.debug("child_gone", child=self.spec.name)


class _StopSignals:
    """Counts requests to stop, and wakes a selector up for every signal (a child's death among them)."""

    def __init__(self) -> None:
        self.requests = 0
        self._asked_at = float("-inf")
        self.receiver, self._sender = socket.socketpair()
        self.receiver.setblocking(False)
        self._sender.setblocking(False)
        numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGCHLD]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup has it ignored
            numbers.append(signal.SIGHUP)
        self._before = {number: signal.signal(number, self._on_signal) for number in numbers}
        self._wakeup = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)

    def close(self) -> None:
        """Gives the signals back to whoever had them before."""
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self.receiver.close()
        self._sender.close()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if number != signal.SIGCHLD and now - self._asked_at > ASK_TWICE_SECONDS:
            self._asked_at = now
            self.requests += 1


class Supervisor:
    """Starts, watches and stops children. Use it as a context: leaving it stops all that still run, in order.

    Inside the context SIGINT, SIGTERM and SIGHUP ask for the end; asked twice, nobody is waited for.
    """

    def __init__(self, output: Output, restarted: Restarted | None = None) -> None:
        self._output = output
        self._restarted = restarted
        self._children: list[_Child] = []
        self._refused = False

    def __enter__(self) -> "Supervisor":
        """Takes over the signals until the context is left."""
        self._signals = _StopSignals()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._signals.receiver, selectors.EVENT_READ)
        return self

    def __exit__(self, *raised: object) -> None:
        """Stops the children and gives the signals back."""
        try:
            for rank in sorted({child.spec.stop_rank for child in self._children}):
                self._stop([child for child in self._children if child.spec.stop_rank == rank])
        finally:
            self._selector.close()
            self._signals.close()

    @property
    def is_stopping(self) -> bool:
        """Whether somebody asked for the end, or a child refused for good."""
        return self._refused or self._signals.requests > 0

    def start(self, spec: ChildSpec) -> None:
        """Starts a child; from now on it is watched, and restarted when it dies."""
        child = _Child(spec)
        self._children.append(child)
        self._start(child)

    def deaths(self, name: str) -> int:
        """How often a child died lately."""
        return sum(child.deaths for child in self._children if child.spec.name == name)

    def unwell(self) -> tuple[str, ...]:
        """Names of the children that do not run or show no sign of life. May be asked from any thread."""
        return tuple(child.spec.name for child in self._children if not child.is_well)

    def wait_until(self, probe: Callable[[], bool]) -> bool:
        """Whether `probe` came true before the end was asked for; children are watched meanwhile."""
        while not self.is_stopping:
            if probe():
                return True
            self._turn(_TICK_SECONDS)
        return False

    def run(self) -> int:
        """The exit code, once somebody asked for the end (0) or a child refused for good (2)."""
        while not self.is_stopping:
            self._turn(self._longest_turn())
        return REFUSED if self._refused else 0

    # ---- one turn of the loop ------------------------------------------------------------------

    def _turn(self, timeout_seconds: float | None) -> None:
        for key, _ in self._selector.select(timeout_seconds):
            if isinstance(key.data, _Child):
                self._read(key.fd, key.data)
            else:
                os.read(key.fd, _READ_BYTES)  # a signal woke us; its handler has done the rest
        for child in self._children:
            self._look_after(child)

    def _look_after(self, child: _Child) -> None:
        if child.process is None:
            if not self.is_stopping and time.monotonic() >= child.restart_at:
                self._start(child)
            return
        code = child.process.poll()
        if code is None:
            self._hurry(child)
            return
        pause, cause = child.note_death(), STUCK if child.complaint else DIED
        child.complaint = ""
        if self.is_stopping:
            _log.debug("child_stopped", child=child.spec.name, exit_code=code)
        elif code == REFUSED and child.spec.refusal_is_final:
            self._refused = True
            _log.error("child_refused", child=child.spec.name)
        else:
            _log.warning("child_died", child=child.spec.name, exit_code=code, restart_in_seconds=pause)
            if self._restarted is not None:
                self._restarted(child.spec.name, cause)

    def _hurry(self, child: _Child) -> None:
        """Ends a child that gets nowhere; what it held is done again by others, as after any death."""
        if child.spec.patience is None or child.complaint or self.is_stopping:
            return
        child.complaint = child.spec.patience.complaint()
        if child.complaint:
            _log.error("child_stuck", child=child.spec.name, reason=child.complaint)
            child.send(signal.SIGKILL)

    def _start(self, child: _Child) -> None:
        process = child.start()
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self._selector.register(process.stdout, selectors.EVENT_READ, child)
        _log.debug("child_started", child=child.spec.name, pid=process.pid)

    def _read(self, pipe: int, child: _Child) -> None:
        received = os.read(pipe, _READ_BYTES)
        for line in child.lines(received):
            self._output(child.spec.name, line)
        if not received:
            stream = self._selector.get_key(pipe).fileobj
            self._selector.unregister(stream)
            assert isinstance(stream, io.IOBase)
            stream.close()

    def _longest_turn(self) -> float | None:
        """Seconds until something must be looked at: a restart that is due, or signs of life."""
        now = time.monotonic()
        waits = [max(0.0, child.restart_at - now) for child in self._children if child.process is None]
        waits += [LOOK_EVERY_SECONDS] if any(child.spec.patience for child in self._children) else []
        return min(waits, default=None)

    # ---- the end -------------------------------------------------------------------------------

    def _stop(self, children: list[_Child]) -> None:
        self._signals.requests = max(self._signals.requests, 1)
        for child in children:
            child.send(signal.SIGTERM)
        started_at, killed = time.monotonic(), set[str]()
        while running := [child for child in children if child.process is not None]:
            for child in running:
                if time.monotonic() - started_at > self._patience_seconds(child) and child.spec.name not in killed:
                    killed.add(child.spec.name)
                    _log.warning("child_killed", child=child.spec.name)
                    child.send(signal.SIGKILL)
            self._turn(_TICK_SECONDS)
        self._read_last_words()

    def _read_last_words(self) -> None:
        while any(isinstance(key.data, _Child) for key, _ in self._selector.select(0)):
            self._turn(0)

    def _patience_seconds(self, child: _Child) -> float:
        # Whoever may outlive us to finish its writes (a store) is not hurried either.
        hurried = self._signals.requests > 1 and child.spec.death_signal == signal.SIGKILL
        return 0.0 if hurried else child.spec.grace_seconds
