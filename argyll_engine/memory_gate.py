# SPDX-License-Identifier: Apache-2.0
"""Refuses new flows while the memory of the flow store is nearly used up, so that those that run can go on.

Asked by the engine before a start, and by nobody else: outcomes of steps, webhooks and child flows are always taken.
A reading serves all starts of a process for about a second.
"""

import time
from collections.abc import Callable
from threading import Lock
from typing import Final, Protocol

from argyll_engine.errors import StoreFullError, TransientError
from argyll_engine.model.vitals import MemoryUse

FULL_PERCENT: Final = 95
"""Share of the memory from which no flow is started."""
READ_EVERY_SECONDS: Final = 1.0


class HasMemory(Protocol):
    """A store that is asked."""

    def memory(self) -> MemoryUse:
        """How much memory the store has and uses. Raises StoreUnavailableError."""


class MemoryGate:
    """What a process knows of the memory of the flow store. Threads may share it."""

    def __init__(self, store: HasMemory, clock_seconds: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock_seconds = store, clock_seconds
        self._lock = Lock()
        self._use = MemoryUse(used_bytes=0, limit_bytes=0)
        self._next_reading_at = clock_seconds()

    def check(self) -> None:
        """Returns where there is room for another flow. Raises StoreFullError."""
        if self._clock_seconds() >= self._next_reading_at:
            self._read()
        use = self._use
        if use.limit_bytes and use.used_bytes * 100 >= FULL_PERCENT * use.limit_bytes:
            raise StoreFullError(use.used_bytes, use.limit_bytes)

    def _read(self) -> None:
        """One thread reads; the others go by what was known before."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._use = self._store.memory()
        except TransientError:
            self._use = MemoryUse(used_bytes=0, limit_bytes=0)  # the start itself will say what is wrong
        finally:
            self._next_reading_at = self._clock_seconds() + READ_EVERY_SECONDS
            self._lock.release()
