# SPDX-License-Identifier: Apache-2.0
"""Remembers that a shard does not answer, so that those who ask it again are told at once. Called by `shards.py`.

Without it each request to a shard that hangs would hold a thread until its time is out, and soon all threads of a
process would wait for that shard, and none would be left for the others.
"""

import time
from collections.abc import Callable
from threading import Lock, Thread
from typing import Final, TypeVar

from redis.exceptions import ResponseError

from argyll_engine import log
from argyll_engine.errors import StoreUnavailableError

A = TypeVar("A")

LOOK_SECONDS: Final = 0.25
"""Between two looks whether a shard that is away has come back."""

_log = log.get(__name__)


class Guard:
    """Stands before one shard.

    Args:
        name: What people call the shard.
        look: Raises StoreUnavailableError while the shard does not answer; takes half a second at most.
    """

    def __init__(self, name: str, look: Callable[[], None]) -> None:
        self._name, self._look = name, look
        self._lock = Lock()
        self._reason = ""

    def run(self, call: Callable[[], A]) -> A:
        """What the call gives. Raises what it raises, or StoreUnavailableError without a call if the shard is away."""
        if self._reason:
            raise StoreUnavailableError(self._name, self._reason)
        try:
            return call()
        except StoreUnavailableError as exc:
            if not isinstance(
                exc.__cause__, ResponseError
            ):  # one that refuses, as when it is full, keeps nobody waiting
                self._suspect(exc.reason)
            raise

    def _suspect(self, reason: str) -> None:
        """From now on nobody asks until a look has found the shard."""
        with self._lock:
            if self._reason:
                return
            self._reason = reason or "it does not answer"
        try:
            Thread(target=self._await, name=f"look-{self._name}", daemon=True).start()
        except RuntimeError:  # no thread is to be had: nobody would ever find the shard again
            self._reason = ""
            _log.exception("shard_not_watched", shard=self._name)

    def _await(self) -> None:
        """Ends when the shard answers. In a thread of its own."""
        was_away = False
        while True:
            try:
                self._look()
                break
            except Exception as exc:  # noqa: BLE001 - whatever it is: while this thread lives, somebody looks
                if not was_away:
                    _log.warning("shard_away", shard=self._name, reason=str(exc))
                was_away = True
            time.sleep(LOOK_SECONDS)
        self._reason = ""
        if was_away:
            _log.info("shard_back", shard=self._name)
