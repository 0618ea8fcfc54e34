# SPDX-License-Identifier: Apache-2.0
"""Whether this process gets anywhere: it counts what it does, and a supervisor wants the count to grow.

Counted by the loops that must turn, by every round trip to a store and by calls of steps; read by whoever shows a sign
of life. Costs next to nothing, for it is on every path.
"""

from threading import Lock


class Progress:
    """Counts of one process; wrong by a little when threads meet, which does not matter."""

    __slots__ = ("_lock", "calls", "trips", "turns")

    def __init__(self) -> None:
        self.turns = 0
        """How often the main loop has turned."""
        self.trips = 0
        """Round trips to stores, those that failed too: who waits for Redis is not stuck."""
        self.calls = 0
        """Steps that are being called now."""
        self._lock = Lock()

    def begin_call(self) -> None:
        """A step is called, which may take as long as it likes."""
        with self._lock:
            self.calls += 1

    def end_call(self) -> None:
        """It has answered, or not."""
        with self._lock:
            self.calls -= 1


PROGRESS = Progress()
"""Of this process."""
