# SPDX-License-Identifier: Apache-2.0
"""What a store holds, stream by stream, and how that comes into an empty one. Called by `backup.py`.

Each stream is read in one step, so its log is whole; two streams are as of two moments. Indexes, claims, leases, feeds
and queues are not read: they follow from the logs, or from recovery.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from redis import Redis

from argyll_engine.codec import digest_from_text
from argyll_engine.codec.wire import milliseconds
from argyll_engine.model.digest import AuditRecord
from argyll_engine.model.ids import (
    CATALOG_STREAM,
    CLUSTER_STREAM,
    FlowID,
    StreamID,
    flow_stream,
    is_canary,
    is_child,
    root_of,
)
from argyll_engine.model.stored import StoredStream
from argyll_engine.store.connect import translated
from argyll_engine.store.keys import Keys

AT_ONCE: Final = 200
"""Flows that one round trip brings."""


class RedisDump:
    """The contents of one store. Every method raises StoreUnavailableError."""

    def __init__(self, client: Redis, prefix: str, store_name: str) -> None:
        self._client, self._keys, self._name = client, Keys(prefix), store_name

    def shared_streams(self) -> Sequence[StoredStream]:
        """Catalog and cluster, as far as there is one."""
        return [stream for stream in self._read((CATALOG_STREAM, CLUSTER_STREAM)) if stream.events or stream.payload]

    def flows(self) -> Iterator[StoredStream]:
        """Every flow, children too, live and archived; those that begin meanwhile may or may not be among them."""
        cursor, seen = 0, set[int]()
        while True:
            with translated(self._name):
                found: Any = self._client.hscan(self._keys.statuses(), cursor, count=AT_ONCE)
            cursor, statuses = found
            ids = [FlowID(raw.decode()) for raw in statuses if hash(raw) not in seen]  # a scan may repeat itself
            seen.update(map(hash, statuses))
            yield from self._read([flow_stream(flow_id) for flow_id in ids if not is_canary(flow_id)])
            if cursor == 0:
                return

    def put_shared(self, stream: StoredStream) -> None:
        """Put catalog or cluster into the empty store."""
        with translated(self._name):
            pipeline = self._client.pipeline()
            if stream.payload is not None:
                kept: Any = {"sequence": stream.covered, "payload": stream.payload, "trimmed": stream.first_sequence}
                pipeline.hset(self._keys.snapshot(stream.stream_id), mapping=kept)
            if stream.events:
                pipeline.rpush(self._keys.events(stream.stream_id), *stream.events)
            pipeline.execute()

    def put_archived(self, streams: Sequence[StoredStream]) -> None:
        """Put archived flows into the empty store: their digests and their places in the lists."""
        with translated(self._name):
            pipeline = self._client.pipeline(transaction=False)
            for stream in streams:
                assert stream.digest is not None
                digest, flow_id = digest_from_text(stream.digest), stream.stream_id[1]
                kept: Any = {"trimmed": stream.first_sequence, "digest": stream.digest}
                pipeline.hset(self._keys.snapshot(stream.stream_id), mapping=kept)
                pipeline.hset(self._keys.statuses(), flow_id, digest.status)
                if is_child(flow_id):
                    pipeline.sadd(self._keys.family(flow_stream(root_of(FlowID(flow_id)))), flow_id)
                    continue
                pipeline.zadd(self._keys.archived(digest.status), {flow_id: milliseconds(digest.deactivated_at)})
                for label, value in digest.labels.items():
                    pipeline.sadd(self._keys.label(label, value), flow_id)
            pipeline.execute()

    def put_audit(self, records: Sequence[AuditRecord]) -> None:
        """Put the records of erased flows into the empty store."""
        with translated(self._name):
            pipeline = self._client.pipeline()
            for record in records:
                members: Any = dict(record.members)
                pipeline.xadd(self._keys.audit(), members, id=record.position)
            pipeline.execute()

    def _read(self, streams: Sequence[StreamID]) -> Iterator[StoredStream]:
        with translated(self._name):
            pipeline = self._client.pipeline(transaction=True)  # a log and what was trimmed of it belong together
            for stream_id in streams:
                pipeline.hmget(self._keys.snapshot(stream_id), ["trimmed", "sequence", "payload", "digest"])
                pipeline.lrange(self._keys.events(stream_id), 0, -1)
            answers = iter(pipeline.execute() if streams else ())
        for stream_id in streams:
            (trimmed, covered, payload, digest), events = next(answers), next(answers)
            is_shared = stream_id in (CATALOG_STREAM, CLUSTER_STREAM)
            if is_shared or events or digest:
                yield StoredStream(
                    stream_id=stream_id,
                    first_sequence=int(trimmed or 0),
                    events=tuple(events),
                    covered=int(covered or 0) if is_shared else 0,
                    payload=payload if is_shared else None,  # a flow's is made anew from its log
                    digest=digest,
                )
