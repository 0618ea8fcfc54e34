# SPDX-License-Identifier: Apache-2.0
"""The event stores of several shards as one: each flow's log is on the shard of its root. Made by wiring."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from argyll_engine.feed_port import Feed, FeedEnd, FeedPosition, LogRange, Reading
from argyll_engine.model.ids import FlowID, StreamID
from argyll_engine.ports import Commit, CommitResult, LoadRequest, Snapshot, Stream
from argyll_engine.store.sharded.shards import Number, Shard, Shards


class ShardedEventStore:
    """Implements `ports.EventStore` over shards.

    A commit that begins a flow goes where the flow is, if it is anywhere already, so that an id names one flow whatever
    has become of the shards since.
    """

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def load(self, requests: Sequence[LoadRequest]) -> Sequence[Stream]:
        """The streams, in the order of the requests. Raises StoreUnavailableError."""

        def load_some(shard: Shard, some: Sequence[int]) -> Sequence[Stream]:
            return shard.flows.load([requests[index] for index in some])

        flow_ids = [_flow_id(request.stream_id) for request in requests]
        found = self._shards.look(flow_ids, load_some, lambda stream: stream.next_sequence > 0)
        return tuple(stream for _, stream in found)

    def commit(self, commits: Sequence[Commit]) -> Sequence[CommitResult]:
        """The results, in order.

        Raises:
            StoreUnavailableError: Of one of the shards; the commits to others may have been applied.
        """
        shares: dict[int, list[int]] = defaultdict(list)
        for index, number in zip(range(len(commits)), self._numbers(commits), strict=True):
            shares[number].append(index)
        results: dict[int, CommitResult] = {}
        for number, indexes in shares.items():
            some = [commits[index] for index in indexes]
            answers = self._shards.one(number, partial(_commit_to, some))
            results.update(zip(indexes, answers, strict=True))
        return tuple(results[index] for index in range(len(commits)))

    def read_log(self, stream_id: StreamID) -> tuple[bytes, ...]:
        """Every stored event of a stream. Raises StoreUnavailableError."""
        ((_, log),) = self._shards.look([_flow_id(stream_id)], lambda shard, _: [shard.flows.read_log(stream_id)], bool)
        return log

    def save_snapshot(self, stream_id: StreamID, snapshot: Snapshot) -> None:
        """Keep a projection, unless a newer one is kept already. Raises StoreUnavailableError."""
        (number,) = self._shards.locate([_flow_id(stream_id)])
        self._shards.one(number, lambda shard: shard.flows.save_snapshot(stream_id, snapshot))

    def _numbers(self, commits: Sequence[Commit]) -> list[int]:
        """The shard of each commit."""
        numbers: dict[int, int] = {}
        for begins in (True, False):
            some = [index for index, commit in enumerate(commits) if (commit.expected_sequence == 0) is begins]
            flow_ids = [_flow_id(commits[index].stream_id) for index in some]
            numbers.update(zip(some, self._shards.locate(flow_ids, anew=begins), strict=True))
        return [numbers[index] for index in range(len(commits))]


class ShardFeed:
    """Implements `feed_port.Feed` for one shard, behind its guard: who wants one that hangs holds up nobody else."""

    def __init__(self, shards: Shards, number: Number, feed: Feed) -> None:
        self._shards, self._number, self._feed = shards, number, feed

    def end(self, streams: Sequence[StreamID]) -> FeedEnd:
        """Where the feed and these streams end now. Raises StoreUnavailableError."""
        return self._shards.one(self._number, lambda _: self._feed.end(streams))

    def read(self, after: FeedPosition, patience_ms: int) -> Reading:
        """The oldest notes after a position. Raises StoreUnavailableError."""
        return self._shards.one(self._number, lambda _: self._feed.read(after, patience_ms))

    def events(self, ranges: Sequence[LogRange]) -> Sequence[tuple[bytes, ...] | None]:
        """The events of each range. Raises StoreUnavailableError."""
        return self._shards.one(self._number, lambda _: self._feed.events(ranges))


def _commit_to(commits: Sequence[Commit], shard: Shard) -> Sequence[CommitResult]:
    return shard.flows.commit(commits)


def _flow_id(stream_id: StreamID) -> FlowID:
    return FlowID(stream_id[-1])
