# SPDX-License-Identifier: Apache-2.0
"""What all shards hold, for backups, and how it comes into empty ones: each flow to its home. Called by the console."""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from argyll_engine.model.digest import AuditRecord
from argyll_engine.model.ids import FlowID
from argyll_engine.model.stored import StoredStream
from argyll_engine.store.dump import RedisDump
from argyll_engine.store.sharded.shards import Number, Shards


class ShardedDump:
    """The contents of several flow stores. Every method raises StoreUnavailableError.

    Args:
        dumps: Those of the shards, in their order.
    """

    def __init__(self, shards: Shards, dumps: Sequence[RedisDump]) -> None:
        self._shards, self._dumps = shards, dumps

    def shared_streams(self) -> Sequence[StoredStream]:
        """None: catalog and cluster are in the engine store, unless a shard has the prefix of that."""
        return [stream for dump in self._dumps for stream in dump.shared_streams()]

    def flows(self) -> Iterator[StoredStream]:
        """Every flow of every shard."""
        for dump in self._dumps:
            yield from dump.flows()

    def put_shared(self, stream: StoredStream) -> None:
        """Put catalog or cluster there."""
        self._dumps[0].put_shared(stream)

    def put_archived(self, streams: Sequence[StoredStream]) -> None:
        """Put archived flows into the empty shards; the layout is noted before the first of them is there."""
        shares: dict[Number, list[StoredStream]] = defaultdict(list)
        for stream in streams:
            shares[self._shards.places(FlowID(stream.stream_id[1]))[0]].append(stream)
        for number, share in shares.items():
            self._dumps[number].put_archived(share)

    def put_audit(self, records: Sequence[AuditRecord]) -> None:
        """Put the records of erased flows into the first shard."""
        self._dumps[0].put_audit(records)


def merged_audit(logs: Iterable[Iterator[AuditRecord]]) -> Iterator[AuditRecord]:
    """The records of several audit logs in the order of their times, at positions that rise as in one log."""
    last = (0, 0)
    for record in heapq.merge(*logs, key=moment_of):
        moment = moment_of(record)
        last = moment if moment > last else (last[0], last[1] + 1)
        yield replace(record, position="{}-{}".format(*last))


def moment_of(record: AuditRecord) -> tuple[int, int]:
    """When a record was written, by the clock of its store."""
    milliseconds, _, number = record.position.partition("-")
    return int(milliseconds), int(number)
