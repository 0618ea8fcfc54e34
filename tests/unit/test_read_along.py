# SPDX-License-Identifier: Apache-2.0
"""When a commit brings the next messages along."""

import threading
from collections.abc import Callable
from typing import Any

from argyll_engine.read_along import NextRead, ReadAlong


class Read:
    """A read that nobody carries."""

    text, sha = "return 1", "0"
    keys: tuple[str, ...] = ()
    args: tuple[str, ...] = ()

    def came(self, answer: Any) -> None:
        """Nothing to note."""

    def lost(self) -> None:
        """Nothing to note."""


READ = Read()


def elsewhere(call: Callable[[], NextRead | None]) -> NextRead | None:
    """What the call gives in another thread."""
    found: list[NextRead | None] = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join()
    return found[0]


def test_a_read_travels_only_when_offered_and_wanted() -> None:
    """A batch offers it, and its runner wants it with the last commit."""
    along = ReadAlong()
    with along.offered(lambda: READ):
        assert along() is None
        with along.wanted():
            assert along() is READ
        assert along() is None
    with along.wanted():
        assert along() is None


def test_commits_of_other_threads_carry_nothing() -> None:
    """Only the thread that reads messages may take them in."""
    along = ReadAlong()
    with along.offered(lambda: READ), along.wanted():
        assert (READ, None) == (along(), elsewhere(along))
