# SPDX-License-Identifier: Apache-2.0
"""Whether a worker or beat gets somewhere, for its sign of life: its loop turns, and it takes the messages that wait.

A loop that does not turn while no step is called shows as a sign that stays the same. A loop that turns while messages
grow old, and this process has nothing to do, is deaf: the sign says so, and the supervisor starts the process again.
"""

import time
from collections.abc import Callable, Collection
from typing import Any, Final

from celery import bootsteps
from celery.beat import Scheduler

from argyll_engine.model.vitals import Vitals
from argyll_engine.progress import PROGRESS, Progress

LOOKS: Final = 4
"""How often an idle worker asks how the queues are, in the time that a message may wait."""
LONGEST_TICK_SECONDS: Final = 5.0
"""Beat looks at its schedule at least this often, so that its sign of life changes."""


class Watch:
    """What the sign of a worker says.

    Args:
        vitals: reads how the queues are; asked only when this process has had nothing to do for long.
        stuck_after_seconds: how long a message may wait for an idle worker.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        progress: Progress,
        vitals: Callable[[], Vitals],
        stuck_after_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._progress, self._vitals, self._clock = progress, vitals, clock
        self._stuck_after_seconds = stuck_after_seconds
        self._queues: Collection[str] = ()
        self._seen = (-1, -1)
        self._beat = 0
        self._idle_since = clock()
        self._looked_at = clock()
        self._trouble = ""

    def consume(self, queues: Collection[str]) -> None:
        """These are the queues whose messages this process should take."""
        self._queues = queues

    def look(self) -> tuple[str, str]:
        """What changes while this process gets somewhere, and what its trouble is."""
        seen = (self._progress.turns, self._progress.trips)
        if self._progress.calls or seen[1] != self._seen[1]:
            self._idle_since = self._clock()
        if self._progress.calls or seen != self._seen:
            self._beat += 1
        self._seen = seen
        return str(self._beat), self._deafness()

    def _deafness(self) -> str:
        now = self._clock()
        if not self._queues or now - self._idle_since < self._stuck_after_seconds:
            self._trouble = ""
        elif now - self._looked_at >= self._stuck_after_seconds / LOOKS:
            self._looked_at = now
            self._trouble = self._neglect()
        return self._trouble

    def _neglect(self) -> str:
        """The message that has waited too long for this process, in words; empty for none."""
        for queue in self._vitals().queues:
            if queue.name in self._queues and queue.oldest_seconds > self._stuck_after_seconds:
                return f"takes nothing, though a message in {queue.name} has waited for {queue.oldest_seconds:.0f} s"
        return ""


class LoopTurns(bootsteps.StartStopStep):
    """Counts the turns of a worker's main loop, whichever of Celery's loops it is."""

    def start(self, parent: Any) -> None:
        """Called before the loop begins, and again after each lost connection. Source: Celery, extending workers."""
        if parent.hub is not None:
            parent.timer.call_repeatedly(1.0, note_turn)  # run by the loop itself
            return
        inner = parent.perform_pending_operations  # called once a turn by the plain loop

        def perform_and_note() -> None:
            note_turn()
            inner()

        parent.perform_pending_operations = perform_and_note


class WatchedScheduler(Scheduler):
    """Celery's plain scheduler, which keeps no file, and whose every look at the schedule is progress."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Seconds until the next look."""
        note_turn()
        return min(float(super().tick(*args, **kwargs)), LONGEST_TICK_SECONDS)


def note_turn() -> None:
    """The main loop of this process has turned."""
    PROGRESS.turns += 1
