# SPDX-License-Identifier: Apache-2.0
"""The event store on Redis: one script a commit, one pipeline a batch. What to commit, the caller decides.

Made by wiring, once for the engine's aggregates (trimmed by snapshots) and once for flows. Called through
`ports.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis import Redis

from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import StreamID, flow_stream, is_child, root_of
from argyll_engine.ports import (
    Commit,
    CommitResult,
    Committed,
    LoadRequest,
    Outdated,
    QueueEntry,
    QueueForm,
    SequenceConflict,
    Snapshot,
    Stream,
    Version,
)
from argyll_engine.read_along import NextRead, Source
from argyll_engine.store.connect import translated
from argyll_engine.store.feed import DEFAULT_FEED_LENGTH, feed_name
from argyll_engine.store.keys import Keys
from argyll_engine.store.scripts import Script, ScriptCall, ScriptRunner, read_script

_COMMITTED: Final = 1
_OUTDATED: Final = 2
"""What `commit.lua` says first."""


@dataclass(frozen=True, slots=True)
class StreamDeliveries:
    """How deliveries of a broker on streams are acknowledged.

    Args:
        group: Consumer group of its streams.
        split: From a delivery's tag to stream and entry; raises ValueError for one that is not in a stream.
        next_read: The read of further messages that a commit is to carry now, if any.
    """

    group: str
    split: Callable[[str], tuple[str, str]]
    next_read: Source = lambda: None


class RedisEventStore:
    """Logs, and what is committed with them, in one Redis. Implements `ports.EventStore`.

    Args:
        client: From `connect`.
        prefix: What all keys of this store start with.
        store_name: Names the store in errors, for people.
        trimmed: Whether a snapshot replaces the events that it covers.
        unacked_key: Hash of the broker's unacknowledged messages, if the broker is this Redis; else empty.
        unacked_index_key: Sorted set beside it. Source: kombu, `kombu/transport/redis.py`, class QoS.
        feed_max_length: Notes that the feed keeps at least; somewhat older ones may be there.
        deliveries: Set if the broker keeps its messages in streams on this Redis.
        other_prefix: Of another store on this Redis whose streams commits may rest on.
    """

    def __init__(
        self,
        client: Redis,
        prefix: str,
        *,
        store_name: str,
        trimmed: bool = False,
        unacked_key: str = "",
        unacked_index_key: str = "",
        feed_max_length: int = DEFAULT_FEED_LENGTH,
        deliveries: StreamDeliveries | None = None,
        other_prefix: str = "",
    ) -> None:
        self._client, self._name, self._trimmed = client, store_name, trimmed
        self._keys = keys = Keys(prefix)
        self._scripts = ScriptRunner(client, store_name)
        self._commit, self._load, self._snapshot = map(read_script, ("commit", "load", "snapshot"))
        self._indexes = (keys.statuses(), keys.due(), *map(keys.status, FlowStatus), keys.feed())
        self._feed_max_length = feed_max_length
        self._deliveries = deliveries
        self._other = Keys(other_prefix) if other_prefix else None
        self._unacked = (unacked_key, unacked_index_key) if unacked_key and unacked_index_key else ()

    def load(self, requests: Sequence[LoadRequest]) -> Sequence[Stream]:
        """The streams, in the order of the requests, in one round trip.

        Of a caller that knows more than there is, what it knows is void: it gets the log from the start.

        Raises:
            StoreUnavailableError: Redis does not answer, or its state does not allow it.
        """
        answers = self._scripts.run([self._load_call(request) for request in requests])
        return tuple(map(_stream, requests, answers))

    def commit(self, commits: Sequence[Commit]) -> Sequence[CommitResult]:
        """The results, in order, in one round trip.

        Raises:
            StoreUnavailableError: As for `load`. Any of the commits may have been applied; repeating the
                batch is safe, for those then meet a conflict that shows their own events.
        """
        calls = [self._commit_call(commit) for commit in commits]
        read = self._deliveries.next_read() if self._deliveries else None
        if read is None:
            return tuple(map(_result, self._scripts.run(calls)))
        return tuple(map(_result, self._run_with(read, calls)))

    def read_log(self, stream_id: StreamID) -> tuple[bytes, ...]:
        """Every stored event of a stream. Raises StoreUnavailableError."""
        with translated(self._name):
            events: Any = self._client.lrange(self._keys.events(stream_id), 0, -1)
        return tuple(events)

    def save_snapshot(self, stream_id: StreamID, snapshot: Snapshot) -> None:
        """Keep a projection unless a newer one is kept; a trimmed store drops what it covers."""
        keys = (self._keys.events(stream_id), self._keys.snapshot(stream_id))
        args = (snapshot.sequence, snapshot.payload, int(self._trimmed))
        self._scripts.run([ScriptCall(self._snapshot, keys, args)])

    def _run_with(self, read: NextRead, calls: Sequence[ScriptCall]) -> list[Any]:
        """The answers to the calls; messages that they made ready are read with them.

        The messages of one lone commit are read before any other consumer gets to see them: a flow that has nothing
        to share stays with the process that knows it.
        """
        script = Script(text=read.text, sha=read.sha)
        try:
            *answers, found = self._scripts.run([*calls, ScriptCall(script, read.keys, read.args)], len(calls) == 1)
        except BaseException:
            read.lost()
            raise
        read.came(found)
        return answers

    def _load_call(self, request: LoadRequest) -> ScriptCall:
        stream_id = request.stream_id
        keys = (self._keys.events(stream_id), self._keys.snapshot(stream_id))
        return ScriptCall(self._load, keys, (request.known, request.mark))

    def _commit_call(self, commit: Commit) -> ScriptCall:
        stream_id, index = commit.stream_id, commit.index
        flow_id = index.flow_id if index else stream_id[-1]
        is_root = not is_child(flow_id)
        sets = self._sets(commit)
        queues = _by_queue(commit.entries)
        deliveries, delivery_keys = self._delivered(commit.delivery_tags)
        keys = [
            self._keys.events(stream_id),
            self._keys.snapshot(stream_id),
            self._keys.claims(stream_id),
            *self._indexes,
            *sets,
            *queues,
            *delivery_keys,
            *self._other_keys(commit.rests_on),
        ]
        other = commit.rests_on
        args: list[str | bytes | int] = [
            commit.expected_sequence,
            index.status if index else "",
            index.at_ms if index else 0,
            flow_id,
            int(is_root),
            "" if commit.due_at_ms is None else commit.due_at_ms,
            len(deliveries),
            len(commit.events),
            len(commit.claims),
            len(commit.released),
            len(sets),
            len(queues),
            feed_name(stream_id),
            self._feed_max_length,
            self._deliveries.group if self._deliveries else "",
            commit.mark,
            " ".join(commit.event_types),
            "" if other is None else other.next_sequence,
            b"" if other is None else other.mark,
            commit.last_type,
            *commit.events,
            *(part for claim in commit.claims for part in (claim.token, claim.worker_id)),
            *commit.released,
        ]
        for entries in queues.values():
            args += (entries[0].form, len(entries), entries[0].wake)
            for entry in entries:
                args += (entry.due_ms, entry.payload) if entry.form is QueueForm.DELAYED else (entry.payload,)
        args += deliveries
        return ScriptCall(self._commit, keys, args)

    def _other_keys(self, version: Version | None) -> tuple[str, ...]:
        """The log that a commit rests on, and its snapshot."""
        if version is None:
            return ()
        assert self._other is not None, "nothing says where the other store's keys are"
        return (self._other.events(version.stream_id), self._other.snapshot(version.stream_id))

    def _sets(self, commit: Commit) -> list[str]:
        """The sets that a flow joins with its first commit: those of its labels, or a child its family's."""
        index = commit.index
        if index is None:
            return []
        if is_child(index.flow_id):
            is_first = commit.expected_sequence == 0
            return [self._keys.family(flow_stream(root_of(index.flow_id)))] if is_first else []
        return [self._keys.label(name, value) for name, value in index.labels.items() if name and value]

    def _delivered(self, tags: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
        """What the script acknowledges, and the keys where that is noted; nothing if the broker is elsewhere.

        In streams each delivery is named with the place of its stream among those keys.
        """
        if self._deliveries is None or not tags:
            return (list(tags), self._unacked) if self._unacked else ([], ())
        places: dict[str, str] = {}
        deliveries: list[str] = []
        for stream, entry_id in map(self._deliveries.split, tags):
            deliveries += (places.setdefault(stream, str(len(places) + 1)), entry_id)
        return deliveries, tuple(places)


def _by_queue(entries: Sequence[QueueEntry]) -> dict[str, list[QueueEntry]]:
    """The messages of each queue, in their order."""
    queues: dict[str, list[QueueEntry]] = {}
    for entry in entries:
        queues.setdefault(entry.key, []).append(entry)
    return queues


def _stream(request: LoadRequest, answer: list[Any]) -> Stream:
    next_sequence, first, payload, events, digest, mark = answer
    return Stream(
        stream_id=request.stream_id,
        snapshot=None if payload is None else Snapshot(sequence=first, payload=payload),
        first_sequence=first,
        events=tuple(events),
        next_sequence=next_sequence,
        digest=digest,
        mark=mark,
    )


def _result(answer: list[Any]) -> CommitResult:
    if answer[0] == _COMMITTED:
        return Committed(next_sequence=answer[1])
    if answer[0] == _OUTDATED:
        return Outdated()
    return SequenceConflict(next_sequence=answer[1], missed=tuple(answer[2]))
