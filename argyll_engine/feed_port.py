# SPDX-License-Identifier: Apache-2.0
"""The feed of what was committed: a Protocol, and the values that cross. No implementation lives here.

Beside `ports.py`, which has all other seams. `hub.py` reads a feed; commits and erasures write it.
"""

from collections.abc import Sequence
from typing import Final, Protocol, TypeAlias

from msgspec import Struct

from argyll_engine.model.ids import StreamID

FeedPosition: TypeAlias = tuple[int, int]
"""A place in a feed; later ones are greater, and (0, 0) is before the first."""

ERASED_SEQUENCE: Final = 2**40
"""Where no log has an event: the note of one says that the stream was erased, so that its next event is another's."""


class Note(Struct, frozen=True, kw_only=True):
    """Says that a commit has appended the events from `first_sequence` to before `next_sequence` to a stream.

    From `ERASED_SEQUENCE` on it says instead that the stream was erased. `event_types` are the types of the events,
    empty if they are not known. `last` is the last event if the note brings it, and `last_type` the type of that.
    """

    position: FeedPosition
    stream_id: StreamID
    first_sequence: int
    next_sequence: int
    event_types: frozenset[str] = frozenset()
    last_type: str = ""
    last: bytes = b""


class Reading(Struct, frozen=True, kw_only=True):
    """Notes in the order of their commits; without `is_whole`, older ones may have been trimmed unread."""

    notes: tuple[Note, ...]
    is_whole: bool = True


class FeedEnd(Struct, frozen=True, kw_only=True):
    """The position of the newest note, and what each stream asked for reaches to, read after it."""

    position: FeedPosition
    next_sequences: tuple[int, ...]


class LogRange(Struct, frozen=True, kw_only=True):
    """The events of a stream from `first_sequence` to before `next_sequence`."""

    stream_id: StreamID
    first_sequence: int
    next_sequence: int


class Feed(Protocol):
    """What was committed to one store, in commit order, by every process. Raises StoreUnavailableError."""

    def end(self, streams: Sequence[StreamID]) -> FeedEnd:
        """Where the feed and these streams end now."""

    def read(self, after: FeedPosition, patience_ms: int) -> Reading:
        """The oldest notes after a position; waits for one, at most for `patience_ms`."""

    def events(self, ranges: Sequence[LogRange]) -> Sequence[tuple[bytes, ...] | None]:
        """The events of each range, as served; None where the log does not hold all of them."""
