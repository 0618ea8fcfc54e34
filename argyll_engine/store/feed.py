# SPDX-License-Identifier: Apache-2.0
"""The feed of a store on Redis: a stream of notes that commits write, and the logs that the notes speak of.

A note says which events were appended, and may bring the last one; all of them are in the log. Only reads; `commit.lua`
writes. Made by wiring for the hub.
"""

from collections.abc import Sequence
from typing import Any, Final

from redis import Redis

from argyll_engine.feed_port import FeedEnd, FeedPosition, LogRange, Note, Reading
from argyll_engine.model.ids import StreamID
from argyll_engine.round_trip import ask_all
from argyll_engine.store.connect import translated
from argyll_engine.store.keys import Keys
from argyll_engine.store.scripts import ScriptCall, ScriptRunner, read_script

DEFAULT_FEED_LENGTH: Final = 10_000
NOTES_AT_ONCE: Final = 256
"""Far below the shortest feed that can be configured; `RedisFeed.read` rests on that."""

_NO_RANGE: Final = (0, -1)


def feed_name(stream_id: StreamID) -> str:
    """The name of a stream in notes: its kind, and the id after a colon if it has one."""
    return ":".join(stream_id)


class RedisFeed:
    """Implements `feed_port.Feed`; `client` must wait longer for an answer than readers wait for a note."""

    def __init__(self, client: Redis, prefix: str, *, store_name: str) -> None:
        self._client, self._name, self._keys = client, store_name, Keys(prefix)
        self._scripts = ScriptRunner(client, store_name)
        self._range = read_script("range")

    def end(self, streams: Sequence[StreamID]) -> FeedEnd:
        """Where the feed and these streams end now. Raises StoreUnavailableError."""
        with translated(self._name):
            newest: Any = self._client.xrevrange(self._keys.feed(), count=1)
        answers = self._scripts.run([self._call(stream_id, *_NO_RANGE) for stream_id in streams])
        position = _position(newest[0][0]) if newest else (0, 0)
        return FeedEnd(position=position, next_sequences=tuple(next_sequence for next_sequence, _ in answers))

    def read(self, after: FeedPosition, patience_ms: int) -> Reading:
        """The oldest notes after a position, in one round trip unless the reader lags behind.

        Fewer notes than were asked for are all there are, so nothing was trimmed: a feed is always longer than
        that. With as many, the oldest note of the feed tells.

        Raises:
            StoreUnavailableError: Redis does not answer, or its state does not allow it.
        """
        key = self._keys.feed()
        with translated(self._name):
            wait = ("COUNT", NOTES_AT_ONCE, "BLOCK", max(patience_ms, 1))
            (found,) = ask_all(self._client, [("XREAD", *wait, "STREAMS", key, "{}-{}".format(*after))])
            notes = tuple(_note(*entry) for _, entries in found or () for entry in entries)
            if len(notes) < NOTES_AT_ONCE:
                return Reading(notes=notes)
            oldest: Any = self._client.xrange(key, count=1)
        return Reading(notes=notes, is_whole=bool(oldest) and _position(oldest[0][0]) <= after)

    def events(self, ranges: Sequence[LogRange]) -> Sequence[tuple[bytes, ...] | None]:
        """The events of each range, in one round trip. Raises StoreUnavailableError."""
        calls = [self._call(wanted.stream_id, wanted.first_sequence, wanted.next_sequence) for wanted in ranges]
        return tuple(None if events is None else tuple(events) for _, events in self._scripts.run(calls))

    def _call(self, stream_id: StreamID, first: int, last: int) -> ScriptCall:
        return ScriptCall(self._range, (self._keys.events(stream_id), self._keys.snapshot(stream_id)), (first, last))


def _position(entry_id: bytes) -> FeedPosition:
    milliseconds, _, number = entry_id.partition(b"-")
    return int(milliseconds), int(number)


def _note(entry_id: bytes, members: Sequence[bytes]) -> Note:
    fields = dict(zip(members[::2], members[1::2], strict=True))
    kind, colon, rest = fields[b"stream"].decode().partition(":")
    first = int(fields[b"first"])
    return Note(
        position=_position(entry_id),
        stream_id=(kind, rest) if colon else (kind,),
        first_sequence=first,
        next_sequence=first + int(fields[b"count"]),
        event_types=frozenset(fields.get(b"types", b"").decode().split()),
        last_type=fields.get(b"last_type", b"").decode(),
        last=fields.get(b"last", b""),
    )
