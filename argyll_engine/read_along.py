# SPDX-License-Identifier: Apache-2.0
"""Lets a commit bring the next messages along, so that a worker need not ask for them by itself.

Three meet here and know nothing of each other: the batch says where messages come from (`tasks/batches.py`), the
script runner that nothing is left of those at hand (`script_runner.py`), and the event store asks while it commits.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias


class NextRead(Protocol):
    """A script of the broker that reads messages; whoever runs it must tell one of `came` and `lost`."""

    @property
    def text(self) -> str:
        """The script."""

    @property
    def sha(self) -> str:
        """The name by which a Redis that knows it runs it."""

    @property
    def keys(self) -> Sequence[str]:
        """Its keys."""

    @property
    def args(self) -> Sequence[str | bytes | int]:
        """Its arguments."""

    def came(self, answer: Any) -> None:
        """What the script answered."""

    def lost(self) -> None:
        """Nobody knows whether it ran."""


Source: TypeAlias = Callable[[], NextRead | None]


class ReadAlong:
    """What the next commit is to bring along: nothing outside of the two blocks, and for other threads."""

    def __init__(self) -> None:
        self._source: Source | None = None
        self._thread = 0

    @contextmanager
    def offered(self, source: Source) -> Iterator[None]:
        """Within the block, messages come from this source."""
        self._source = source
        try:
            yield
        finally:
            self._source = None

    @contextmanager
    def wanted(self) -> Iterator[None]:
        """Within the block, this thread has nothing left to do but to commit."""
        self._thread = threading.get_ident()
        try:
            yield
        finally:
            self._thread = 0

    def __call__(self) -> NextRead | None:
        """The read that the caller's commit should carry, if any."""
        source = self._source
        return source() if source is not None and self._thread == threading.get_ident() else None
