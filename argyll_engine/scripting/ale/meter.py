# SPDX-License-Identifier: Apache-2.0
"""What one run may use: steps, processor time, memory and depth. The meter is the first argument of every procedure.

A step is a call of a procedure of the program, an element that a builtin walks over, or a piece of a bulk copy.
Compiled code takes steps off `left` itself and calls `check` when there are none; time and memory are looked at then.
Memory is guarded by what the whole process holds (`footprint.py`), seen from the first look on, and only counts
against a run that has taken enough steps to be the cause: no exact measure, but one that stops a script which keeps
everything it makes.

Python's own depth of calls is left as it is. A procedure that runs out of it goes on in a thread of its own, whose
count begins anew (procedures have no effects, so the call that failed is simply made again).
"""

import _thread
import time
from dataclasses import dataclass
from typing import Final

from argyll_engine.scripting.ale.errors import AleLimitError
from argyll_engine.scripting.ale.footprint import resident_bytes
from argyll_engine.scripting.ale.values import Procedure, Value

CHUNK: Final = 4_096
"""Steps between two looks at the clock."""

BULK: Final = 64
"""Bytes, or elements, of a bulk copy that count as one step."""

MAX_SEGMENTS: Final = 64
"""Threads that one recursion may go through; each holds some hundred calls."""

_MEGABYTE: Final = 1_048_576
_STEP_BYTES: Final = 8_192  # that one step may make: a piece of a bulk copy of an object, or a long integer
_CHECKS: Final = 2  # for each look at the memory, which costs more than one at the clock
_HEADROOM: Final = 12  # calls that it takes to start a thread, with some to spare


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may use."""

    timeout_ms: int = 10_000
    memory_mb: int = 512
    max_steps: int = 100_000_000
    max_result_bytes: int = 16 * _MEGABYTE


class Meter:
    """The account of one run; used by one thread at a time."""

    __slots__ = ("_checks", "_deadline", "_left_steps", "_resident_bytes", "_segments", "left", "limits")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._deadline = 0.0  # set at the first look, for asking the time costs as much as a small script
        self.left = min(CHUNK, limits.max_steps)
        self._left_steps = limits.max_steps - self.left
        self._segments = 0
        self._checks = 0
        self._resident_bytes = 0

    def spend(self, size: int) -> None:
        """Take `size` steps. Raises AleLimitError."""
        self.left -= size
        if self.left < 0:
            self.check()

    def bulk(self, size: int) -> None:
        """Take the steps of a copy of so many bytes or elements. Raises AleLimitError."""
        if size > BULK:
            self.spend(size // BULK)
            if size > self.limits.memory_mb * _MEGABYTE:
                raise AleLimitError(f"script exceeded its memory limit of {self.limits.memory_mb} MB")

    def check(self) -> None:
        """Begin the next chunk of steps. Raises AleLimitError when a limit is reached."""
        self._left_steps += self.left
        if self._left_steps < 0:
            raise AleLimitError(f"script exceeded its limit of {self.limits.max_steps} steps")
        self.left = min(CHUNK, self._left_steps)
        self._left_steps -= self.left
        if self.seconds_left() < 0:
            raise AleLimitError(f"script exceeded its time limit of {self.limits.timeout_ms} ms")
        if self._checks % _CHECKS == 0:
            self._look_at_memory()
        self._checks += 1

    def _look_at_memory(self) -> None:
        """Raises AleLimitError when the process holds much more than before, and this run may well be the cause."""
        resident_now = resident_bytes()
        if not self._checks:
            self._resident_bytes = resident_now
        limit_bytes = self.limits.memory_mb * _MEGABYTE
        taken_steps = self.limits.max_steps - self._left_steps
        if resident_now - self._resident_bytes > limit_bytes and taken_steps * _STEP_BYTES > limit_bytes:
            raise AleLimitError(f"script exceeded its memory limit of {self.limits.memory_mb} MB")

    def deepen(self, procedure: Procedure, arguments: tuple[Value, ...]) -> Value:
        """What the procedure gives, called where there is room for deeper calls.

        Raises:
            AleLimitError: The recursion went through as many threads as it may.
            RecursionError: There is no room left to start a thread; the caller's caller tries again.
        """
        if self._segments >= MAX_SEGMENTS:
            raise AleLimitError("recursion is too deep")
        _reach(_HEADROOM)
        left_seconds = self.seconds_left()
        segment = _Segment(self, procedure, arguments)
        self._segments += 1
        segment.run(left_seconds)
        self._segments -= 1
        self._deadline = time.thread_time() + segment.left_seconds
        return segment.result()

    def move_to_thread(self, left_seconds: float) -> None:
        """Count processor time on the thread that calls this."""
        self._deadline = time.thread_time() + left_seconds

    def seconds_left(self) -> float:
        """Processor time that is left on the thread that calls this."""
        now = time.thread_time()
        if not self._deadline:
            self._deadline = now + self.limits.timeout_ms / 1_000
        return self._deadline - now


class _Segment:
    """One call in a thread of its own."""

    __slots__ = ("_arguments", "_done", "_error", "_meter", "_procedure", "_value", "left_seconds")

    def __init__(self, meter: Meter, procedure: Procedure, arguments: tuple[Value, ...]) -> None:
        self._meter, self._procedure, self._arguments = meter, procedure, arguments
        self._done = _thread.allocate_lock()
        self._error: BaseException | None = None
        self._value: Value = None
        self.left_seconds = 0.0

    def run(self, left_seconds: float) -> None:
        self.left_seconds = left_seconds
        self._done.acquire()
        try:
            _thread.start_new_thread(self._work, ())
        except RecursionError:
            raise
        except RuntimeError as exc:  # the system has no thread to give
            raise AleLimitError("recursion is too deep") from exc
        self._done.acquire()

    def result(self) -> Value:
        if self._error is not None:
            raise self._error
        return self._value

    def _work(self) -> None:
        try:
            self._meter.move_to_thread(self.left_seconds)
            self._value = self._procedure(self._meter, *self._arguments)
        except BaseException as error:  # noqa: BLE001 -- handed to the thread that waits, whatever it is
            self._error = error
        finally:
            self.left_seconds = self._meter.seconds_left()
            self._done.release()


def _reach(depth: int) -> None:
    """Fail now with a RecursionError rather than halfway through starting a thread."""
    if depth:
        _reach(depth - 1)
