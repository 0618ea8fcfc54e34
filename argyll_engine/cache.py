# SPDX-License-Identifier: Apache-2.0
"""Projections that a process keeps, the least recently used dropped first; commits check that they are true.

What is read here is as good as the last commit or load of this process; the store's sequence check finds out.
Called by the executor and the read side.
"""

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

from argyll_engine.model.ids import StreamID

S = TypeVar("S")


class ProjectionCache(Generic[S]):
    """State, next sequence and mark of at most `capacity` streams. Safe among threads; states are never copied."""

    __slots__ = ("_capacity", "_kept", "_lock")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[StreamID, tuple[S, int, bytes]] = OrderedDict()
        self._lock = Lock()

    def get(self, stream_id: StreamID) -> tuple[S, int, bytes] | None:
        """The state, the sequence after its last event and how that begins; None if it is not kept."""
        with self._lock:
            found = self._kept.get(stream_id)
            if found is not None:
                self._kept.move_to_end(stream_id)
            return found

    def put(self, stream_id: StreamID, state: S, next_sequence: int, mark: bytes = b"") -> None:
        """Keep a state, unless another thread has brought a newer one: `drop` first to go back."""
        with self._lock:
            kept = self._kept.get(stream_id)
            if kept is None or kept[1] <= next_sequence:
                self._kept[stream_id] = (state, next_sequence, mark)
            self._kept.move_to_end(stream_id)
            if len(self._kept) > self._capacity:
                self._kept.popitem(last=False)

    def drop(self, stream_id: StreamID) -> None:
        """Forget a stream; nothing happens if it is not kept."""
        with self._lock:
            self._kept.pop(stream_id, None)

    def clear(self) -> None:
        """Forget all streams."""
        with self._lock:
            self._kept.clear()

    def __len__(self) -> int:
        with self._lock:
            return len(self._kept)
