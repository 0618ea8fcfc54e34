# SPDX-License-Identifier: Apache-2.0
"""Ended flows on Redis: which are live, which are digests, and the ways between. Objects are the archiver's.

A digest lies where the snapshot of the log was, beside the number of events that the log had. So whoever commits to an
archived flow meets the conflict that it would meet for any trimmed log, and nothing looks for digests on its way.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from redis import Redis

from argyll_engine.codec import digest_from_text, digest_to_text
from argyll_engine.codec.digests import place_to_text, places_from_text
from argyll_engine.codec.wire import milliseconds
from argyll_engine.feed_port import ERASED_SEQUENCE
from argyll_engine.model.digest import AuditRecord, EndedFlow, FlowDigest, KeptFlow, RestoredFlow, SeenFlow
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID, StreamID, flow_stream, is_child
from argyll_engine.model.vitals import MemoryUse
from argyll_engine.store.connect import translated
from argyll_engine.store.feed import DEFAULT_FEED_LENGTH
from argyll_engine.store.keys import Keys
from argyll_engine.store.scripts import ScriptCall, ScriptRunner, read_script

ENDED: Final = (FlowStatus.COMPLETED, FlowStatus.FAILED)
"""The statuses that a deactivated flow may have."""

_AT_ONCE: Final = 1_000


class RedisArchiveStore:
    """Implements `ports.ArchiveStore`; `prefix` is that of the flow store.

    Args:
        memory_limit_bytes: Takes the place of `maxmemory` where the Redis has none; 0 for no limit.
        feed_max_length: Notes that the feed keeps at least, when erased flows leave some there.
    """

    def __init__(
        self,
        client: Redis,
        prefix: str,
        *,
        memory_limit_bytes: int = 0,
        feed_max_length: int = DEFAULT_FEED_LENGTH,
        store_name: str = "flow",
    ) -> None:
        self._client, self._name, self._keys = client, store_name, Keys(prefix)
        self._memory_limit_bytes, self._feed_max_length = memory_limit_bytes, feed_max_length
        self._scripts = ScriptRunner(client, store_name)
        self._restore, self._erase = map(read_script, ("archive_restore", "archive_erase"))

    def candidates(self, before: datetime | None, limit: int) -> Sequence[EndedFlow]:
        """Live root flows that were deactivated before a time, oldest first. Raises StoreUnavailableError."""
        return self._oldest(map(self._keys.status, ENDED), before, limit)

    def archived(self, before: datetime | None, limit: int) -> Sequence[EndedFlow]:
        """Archived root flows that were deactivated before a time, oldest first. Raises StoreUnavailableError."""
        return self._oldest(map(self._keys.archived, ENDED), before, limit)

    def family(self, flow_ids: Sequence[FlowID]) -> Sequence[tuple[FlowID, ...]]:
        """The children of each root flow, sorted. Raises StoreUnavailableError."""
        with translated(self._name):
            pipeline = self._client.pipeline(transaction=False)
            for flow_id in flow_ids:
                pipeline.smembers(self._keys.family(flow_stream(flow_id)))
            return tuple(tuple(sorted(FlowID(child.decode()) for child in found)) for found in pipeline.execute())

    def digests(self, flow_ids: Sequence[FlowID]) -> Sequence[FlowDigest | None]:
        """The digest of each flow; None for one that is not archived. Raises StoreUnavailableError."""
        return tuple(each.digest for each in self.kept(flow_ids))

    def kept(self, flow_ids: Sequence[FlowID]) -> Sequence[KeptFlow]:
        """The same, with the objects that each flow had before. Raises StoreUnavailableError."""
        found: list[tuple[bytes | None, bytes | None]] = []
        for first in range(0, len(flow_ids), _AT_ONCE):
            with translated(self._name):
                pipeline = self._client.pipeline(transaction=False)
                for flow_id in flow_ids[first : first + _AT_ONCE]:
                    pipeline.hmget(self._keys.snapshot(flow_stream(flow_id)), ["digest", "objects"])
                found += pipeline.execute()
        return tuple(
            KeptFlow(
                digest=None if digest is None else digest_from_text(digest), objects=places_from_text(objects or b"")
            )
            for digest, objects in found
        )

    def restore(self, flows: Sequence[RestoredFlow], rest_ms: int) -> bool:
        """Whether all of these flows are live now; one script for all. Raises StoreUnavailableError."""
        keys, args = [self._keys.archiving(), self._keys.archivers()], [rest_ms, len(flows)]
        values: list[str | bytes | int] = [*args]
        for flow in flows:
            flow_id, status = flow.digest.flow_id, flow.digest.status
            stream_id = flow_stream(flow_id)
            keys += (self._keys.events(stream_id), self._keys.snapshot(stream_id))
            keys += (self._keys.status(status), self._keys.archived(status))
            values += (
                flow_id,
                int(not is_child(flow_id)),
                digest_to_text(flow.digest),
                place_to_text(flow.place),
                len(flow.events),
                *flow.events,
            )
        return self._scripts.run([ScriptCall(self._restore, keys, values)]) == [1]

    def erase(self, flows: Sequence[SeenFlow], record: Mapping[str, str]) -> bool:
        """Whether these flows are forgotten; one script. Raises StoreUnavailableError."""
        built = self._keys
        shared = (built.statuses(), built.due(), built.archiving(), built.archivers(), built.audit(), built.feed())
        ranks = (*map(built.status, FlowStatus), *map(built.archived, ENDED))
        places: dict[str, int] = {}
        words: list[str | bytes | int] = []
        for flow in flows:
            digest, seen = flow.digest, digest_to_text(flow.digest) if flow.is_archived else flow.mark
            keys = [built.label(name, value) for name, value in digest.labels.items()]
            words += (digest.flow_id, int(flow.is_archived), seen, digest.event_count)
            words += (len(keys), *(places.setdefault(key, len(places) + 1) for key in keys))
        own = [key for flow in flows for key in self._own_keys(flow_stream(flow.digest.flow_id))]
        args: list[str | bytes | int] = [len(ranks), len(places), len(flows), ERASED_SEQUENCE]
        args += (self._feed_max_length, *words)
        args += (part for pair in record.items() for part in pair)
        return self._scripts.run([ScriptCall(self._erase, [*shared, *ranks, *places, *own], args)]) == [1]

    def audit(self, after: str, limit: int) -> Sequence[AuditRecord]:
        """The oldest records of the audit log after a position. Raises StoreUnavailableError."""
        with translated(self._name):
            found: Any = self._client.xrange(self._keys.audit(), f"({after}" if after else "-", count=limit)
        return tuple(
            AuditRecord(
                position=position.decode(),
                members={name.decode(): value.decode() for name, value in members.items()},
            )
            for position, members in found
        )

    def memory(self) -> MemoryUse:
        """How much memory Redis has and uses, as it counts against `maxmemory`. Raises StoreUnavailableError."""
        with translated(self._name):
            found: Any = self._client.info("memory")
        used = found["used_memory"] - found.get("mem_not_counted_for_evict", 0)
        return MemoryUse(used_bytes=used, limit_bytes=found["maxmemory"] or self._memory_limit_bytes)

    def _own_keys(self, stream_id: StreamID) -> Iterable[str]:
        builders = (self._keys.events, self._keys.snapshot, self._keys.claims, self._keys.family)
        return (build(stream_id) for build in builders)

    def _oldest(self, keys: Iterable[str], before: datetime | None, limit: int) -> Sequence[EndedFlow]:
        with translated(self._name):
            pipeline = self._client.pipeline(transaction=True)
            for key in keys:
                pipeline.zrangebyscore(key, "-inf", highest_score(before), 0, limit, withscores=True)
            rows = [(score, flow_id) for found in pipeline.execute() for flow_id, score in found]
        return tuple(
            EndedFlow(flow_id=FlowID(flow_id.decode()), deactivated_at=datetime.fromtimestamp(score / 1_000, UTC))
            for score, flow_id in sorted(rows)[:limit]
        )


def highest_score(before: datetime | None) -> str:
    """The end of a range of scores for what happened before a time, as Redis takes it."""
    return "+inf" if before is None else f"({milliseconds(before)}"
