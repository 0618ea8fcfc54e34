# SPDX-License-Identifier: Apache-2.0
"""The thread of an archiver that looks at unfinished jobs, and at memory where the next check may come too late."""

from threading import Event, Thread
from typing import Final

from argyll_archiver.archiver import Archiver
from argyll_engine import log
from argyll_engine.errors import TransientError

_log = log.get(__name__)

NEAR_SECONDS: Final = 0.1
"""Between two looks while memory is near the threshold: in a second a small store can fill by a tenth."""


class Watch:
    """Looks every `poll_interval_seconds`, or more often while memory is near the threshold, until it is stopped."""

    def __init__(self, archiver: Archiver, poll_interval_seconds: float) -> None:
        self._archiver, self._interval = archiver, poll_interval_seconds
        self._is_near = False
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="archive-watch", daemon=True)

    def start(self, **_signal: object) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self, **_signal: object) -> None:
        """End after the current look."""
        self._stopping.set()

    def look(self) -> None:
        """One look. Raises nothing."""
        try:
            self._archiver.finish()
            self._is_near = self._archiver.wants_check()
            if self._is_near:
                self._archiver.check_memory()
        except TransientError as exc:
            _log.warning("redis connection lost", error=str(exc))
        except Exception:  # noqa: BLE001 - this loop must live: unfinished jobs would stay so
            _log.exception("archive_watch_failed")

    def _run(self) -> None:
        while not self._stopping.wait(self.pause_seconds):
            self.look()

    @property
    def pause_seconds(self) -> float:
        """Until the next look."""
        return min(self._interval, NEAR_SECONDS) if self._is_near else self._interval
