# SPDX-License-Identifier: Apache-2.0
"""How many messages to read at once. What one worker has read no other can take, so a read is as many as it works
off in a moment: many of those that take little, few of those that take long. Used by `channel.py`.
"""

import time
from collections.abc import Callable
from typing import Final

MOMENT_SECONDS: Final = 0.1
"""How long what one read brings should keep a worker that runs tasks in the thread that reads."""
FIRST_READ: Final = 32
GROWTH: Final = 2
"""A read is at most so many times as large as the one before: the next messages may be of another kind."""


class Pace:
    """Learns from how long each read took to be worked off.

    Args:
        most: Messages of one read, however quick they are.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._limit = min(FIRST_READ, most)
        self._count = 0
        self._began = 0.0

    @property
    def limit(self) -> int:
        """How many to read now."""
        return self._limit

    def begin(self, count: int) -> None:
        """So many were read just now."""
        self._count = count
        self._began = self._clock()

    def end(self) -> None:
        """All of the last read were handed over, and those that run in this thread have run."""
        if self._count:
            each = max(self._clock() - self._began, 1e-6) / self._count
            self._limit = max(1, min(int(MOMENT_SECONDS / each), self._limit * GROWTH, self._most))
            self._count = 0
