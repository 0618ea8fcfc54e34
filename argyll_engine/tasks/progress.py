# SPDX-License-Identifier: Apache-2.0
"""Whether a worker or beat gets somewhere, for its sign of life: its loop turns, and it takes the messages that wait.

A loop that does not turn while no step is called shows as a sign that stays the same. A loop that turns while messages
grow old, and this process has nothing to do, is deaf: the sign says so, and the supervisor starts the process again.
"""

import time
from collections.abc import Callable, Collection
from typing import Any, Final

from celery import bootsteps
from celery.beat import ScheduleEntry, Scheduler, SchedulingError
from kombu.exceptions import OperationalError

from argyll_engine import log as logs
from argyll_engine.model.vitals import Vitals
from argyll_engine.progress import PROGRESS, Progress

LOOKS: Final = 4
"""How often an idle worker asks how the queues are, in the time that a message may wait."""
LONGEST_TICK_SECONDS: Final = 5.0
"""Beat looks at its schedule at least this often, so that its sign of life changes."""
MOST_WAITING: Final = 100
"""Beat adds no more to a queue of so many messages."""
ON_REDIS: Final = "redis"
"""What transports on Redis call it."""

log = logs.get(__name__)


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

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Sends what is due; while the broker is away that is one line, and the next time makes up for it.

        Nothing is sent to a queue in which `MOST_WAITING` wait: nobody takes them, and more would only fill the broker.
        """
        try:
            if self._waiting((entry.options or {}).get("queue", "")) >= MOST_WAITING:
                log.debug("beat_waits", task=entry.task)
                return
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as exc:
            cause = exc.__context__
            if not isinstance(cause, OperationalError):
                log.exception("beat_failed", task=entry.task)
            elif self.app.connection_for_write().transport.driver_type == ON_REDIS:
                log.warning("redis connection lost", error=str(cause), task=entry.task)
            else:
                log.warning("broker connection lost", error=str(cause), task=entry.task)

    def _waiting(self, queue: str) -> int:
        """How many messages wait in a queue; 0 where that is not known: sending will say what is wrong."""
        with self.app.connection_or_acquire() as connection:
            try:
                connection.ensure_connection(max_retries=1, interval_start=0)
                with connection.channel() as channel:
                    return int(channel.queue_declare(queue, passive=True).message_count)
            except (OperationalError, *connection.connection_errors, *connection.channel_errors):
                return 0


def note_turn() -> None:
    """The main loop of this process has turned."""
    PROGRESS.turns += 1
