# SPDX-License-Identifier: Apache-2.0
"""Tells the others that this worker process lives, so that nobody takes its work, and keeps the stores' numbers.

A thread, because a solo worker's main thread is busy while it executes. When the process is killed the lease runs
out and recovery may start again what it held. A Redis that lost everything is filled again by those who live; the
number of its form is part of that, or the next process to start would take it for a store of the past.
"""

import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Final

from argyll_engine import log as logs
from argyll_engine.errors import TransientError
from argyll_engine.ports import Clock, WorkLeases

BEATS_PER_LEASE: Final = 3

log = logs.get(__name__)


class Heartbeat:
    """Refreshes the lease of one worker, and calls `keep_forms`, until it is stopped."""

    def __init__(
        self,
        leases: WorkLeases,
        clock: Clock,
        worker_id: str,
        lease_seconds: float,
        keep_forms: Callable[[], None],
    ) -> None:
        self._keep_forms = keep_forms
        self._leases = leases
        self._clock = clock
        self._worker_id = worker_id
        self._lease_seconds = lease_seconds
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self, **_signal: object) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self, **_signal: object) -> None:
        """End, and free whatever the worker still holds."""
        self._stopping.set()
        try:
            self._leases.retire_worker(self._worker_id)
        except TransientError as exc:
            log.warning("redis connection lost", error=str(exc))  # the lease runs out by itself

    def _run(self) -> None:
        while True:
            started = time.monotonic()
            try:
                until = self._clock.now().timestamp() + self._lease_seconds
                self._leases.refresh_worker(self._worker_id, int(until * 1000))
                self._keep_forms()
            except TransientError as exc:
                log.warning("redis connection lost", error=str(exc))
            except Exception:  # this loop must live: a worker that seems dead loses its work to others
                log.exception("heartbeat_failed", worker_id=self._worker_id)
            pause = self._lease_seconds / BEATS_PER_LEASE - (time.monotonic() - started)
            if self._stopping.wait(max(pause, 0.1)):
                return
