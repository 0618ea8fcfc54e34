# SPDX-License-Identifier: Apache-2.0
"""Waiting for a store that is away, for as long as the worker is to run. Used by what workers do with their work."""

from collections.abc import Callable
from threading import Event
from typing import Final, TypeVar

from argyll_engine import log as logs
from argyll_engine.errors import TransientError

FIRST_WAIT_SECONDS: Final = 0.1
LONGEST_WAIT_SECONDS: Final = 2.0

T = TypeVar("T")

log = logs.get(__name__)


class Patience:
    """Repeats what the store could not take; one for all threads of a worker."""

    def __init__(self) -> None:
        self._stopping = Event()

    @property
    def is_over(self) -> bool:
        """Whether the worker was told to stop."""
        return self._stopping.is_set()

    def end(self) -> None:
        """Let whoever waits give up now."""
        self._stopping.set()

    def with_store(self, record: Callable[[], T]) -> T:
        """What `record` gives back, waiting for the store while it is away.

        A step's answer must not be lost for an outage: until this worker stops, nobody else would call the step again.

        Raises:
            StoreUnavailableError: the store was still away when the worker was told to stop.
        """
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                return record()
            except TransientError as exc:
                log.warning("redis connection lost", error=str(exc))
                if self._stopping.wait(wait):
                    raise
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)
