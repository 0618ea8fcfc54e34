# SPDX-License-Identifier: Apache-2.0
"""Projections of streams: loaded, folded, cached per process, and true as of a sequence of the store.

Called by the executor, the read side and the work runner. Nothing here decides.
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from argyll_engine.aggregates import Aggregate
from argyll_engine.cache import ProjectionCache
from argyll_engine.codec import decode, decode_recorded
from argyll_engine.errors import BrokenError
from argyll_engine.model.events import Recorded
from argyll_engine.model.ids import StreamID
from argyll_engine.model.stored import MARK_BYTES
from argyll_engine.ports import EventStore, LoadRequest, Snapshot, Stream

S = TypeVar("S")


class Projection(Struct, Generic[S], frozen=True, kw_only=True):
    """A state and how many events it is made of; `is_validated` when the store said so just now.

    `mark` is how its last event begins, empty if that is not known: two logs of the same length are told apart by it.
    An archived flow has its encoded `digest`; its state is None unless this process still has it.
    """

    state: S | None
    next_sequence: int
    is_validated: bool
    mark: bytes = b""
    digest: bytes | None = None


class Projections(Generic[S]):
    """The states of one aggregate's streams, as of now or as of the last commit this process saw."""

    def __init__(self, store: EventStore, aggregate: Aggregate[S], cache: ProjectionCache[S]) -> None:
        self.aggregate = aggregate
        self._store = store
        self._cache = cache

    def cached(self, stream_id: StreamID) -> Projection[S] | None:
        """What this process saw last; a commit finds out whether it is still true."""
        found = self._cache.get(stream_id)
        if found is None:
            return None
        return Projection(state=found[0], next_sequence=found[1], is_validated=False, mark=found[2])

    def begun(self, stream_id: StreamID, log: Sequence[bytes]) -> Projection[S]:
        """What the first events of a stream amount to, if nothing is cached; a commit finds out whether there are more.

        Raises UndecodableEventError.
        """
        state, mark = self._replay(stream_id, None, 0, log), mark_of(log)
        self.keep(stream_id, state, len(log), mark)
        return Projection(state=state, next_sequence=len(log), is_validated=False, mark=mark)

    def load(self, streams: Sequence[StreamID]) -> list[Projection[S]]:
        """The states as of now, in one round trip; only events that this process has not seen are fetched.

        Raises:
            StoreUnavailableError, UndecodableEventError
        """
        known = [self._cache.get(stream_id) for stream_id in streams]
        loaded = self._load(streams, known)
        return [self._fold(stream, kept) for stream, kept in zip(loaded, known, strict=True)]

    def advance(self, stream_id: StreamID, projection: Projection[S], missed: Sequence[bytes]) -> None:
        """Take in the events that a lost commit brought back; without any, forget the stream."""
        if not missed:
            self._cache.drop(stream_id)
            return
        state = self._replay(stream_id, projection.state, projection.next_sequence, missed)
        self.keep(stream_id, state, projection.next_sequence + len(missed), mark_of(missed))

    def keep(self, stream_id: StreamID, state: S | None, next_sequence: int, mark: bytes) -> None:
        """Remember a state that was just committed or loaded, and how its last event begins."""
        if state is not None:
            self._cache.put(stream_id, state, next_sequence, mark)

    def fold(self, stream_id: StreamID, log: Sequence[bytes]) -> S | None:
        """The state that a whole log from elsewhere amounts to. Raises UndecodableEventError."""
        return self._replay(stream_id, None, 0, log)

    def forget(self, stream_id: StreamID) -> None:
        """Drop a stream whose state in the store is uncertain."""
        self._cache.drop(stream_id)

    def _load(self, streams: Sequence[StreamID], known: Sequence[tuple[S, int, bytes] | None]) -> Sequence[Stream]:
        return self._store.load(
            [
                LoadRequest(stream_id=stream_id, known=kept[1] if kept else 0, mark=kept[2] if kept else b"")
                for stream_id, kept in zip(streams, known, strict=True)
            ]
        )

    def _fold(self, stream: Stream, kept: tuple[S, int, bytes] | None) -> Projection[S]:
        first = stream.first_sequence
        # A log that goes on elsewhere than where we are is another one: Redis lost what it had not yet written.
        state = kept[0] if kept and kept[1] == first else None
        if stream.snapshot is not None:
            state = self.aggregate.from_snapshot(stream.snapshot.payload)
            if state is None:
                return self._fold_whole_log(stream.stream_id)
        if kept and kept[1] != first:
            self.forget(stream.stream_id)
        state = self._replay(stream.stream_id, state, first, stream.events)
        mark = mark_of(stream.events) or stream.mark or (kept[2] if kept and kept[1] == first else b"")
        self.keep(stream.stream_id, state, stream.next_sequence, mark)
        if state is not None and len(stream.events) >= max(self.aggregate.snapshot_every, stream.next_sequence // 2):
            self._save_snapshot(stream.stream_id, state, stream.next_sequence)
        return Projection(
            state=state, next_sequence=stream.next_sequence, is_validated=True, mark=mark, digest=stream.digest
        )

    def _fold_whole_log(self, stream_id: StreamID) -> Projection[S]:
        """For a snapshot of another version: the log is the truth.

        Raises:
            BrokenError: the log was trimmed to that snapshot, so that only the version that wrote it can read on.
        """
        log = self._store.read_log(stream_id)
        if not log or decode(log[0])["sequence"] != 0:
            raise BrokenError(f"the snapshot of {':'.join(stream_id)} was written by another version of Argyll")
        state = self._replay(stream_id, None, 0, log)
        self.keep(stream_id, state, len(log), mark_of(log))
        return Projection(state=state, next_sequence=len(log), is_validated=True, mark=mark_of(log))

    def _replay(self, stream_id: StreamID, state: S | None, first: int, raw: Sequence[bytes]) -> S | None:
        decoded = (decode_recorded(stream_id, first + i, event) for i, event in enumerate(raw))
        log: list[Recorded] = [recorded for recorded in decoded if recorded is not None]
        return self.aggregate.replay(state, log)

    def _save_snapshot(self, stream_id: StreamID, state: S, next_sequence: int) -> None:
        snapshot = Snapshot(sequence=next_sequence, payload=self.aggregate.to_snapshot(state))
        self._store.save_snapshot(stream_id, snapshot)


def mark_of(events: Sequence[bytes]) -> bytes:
    """How the last of these encoded events begins: with its time, to the microsecond. Empty for none."""
    return events[-1][:MARK_BYTES] if events else b""
