# SPDX-License-Identifier: Apache-2.0
"""Who archives which flow, on Redis, and the replacement of logs by digests. Called by the archiver only.

Leases end by the clock of Redis, so the clocks of archivers do not matter. All of it works on a Redis that is full.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from redis import Redis

from argyll_engine.codec import digest_to_text
from argyll_engine.model.digest import FlowDigest
from argyll_engine.model.ids import FlowID, flow_stream, is_child
from argyll_engine.store.archive import ENDED, highest_score
from argyll_engine.store.connect import translated
from argyll_engine.store.keys import Keys
from argyll_engine.store.scripts import Script, ScriptCall, ScriptRunner, read_script

_FORGET: Final = ""


class RedisArchiveJobs:
    """Implements `ports.ArchiveJobs`; `prefix` is that of the flow store."""

    def __init__(self, client: Redis, prefix: str, *, store_name: str = "flow") -> None:
        self._client, self._name, self._keys = client, store_name, Keys(prefix)
        self._scripts = ScriptRunner(client, store_name)
        names = ("archive_reserve", "archive_hold", "archive_release", "archive_replace")
        self._reserve, self._hold, self._release, self._replace = map(read_script, names)

    def reserve(self, owner: str, before: datetime | None, limit: int, lease_ms: int) -> Sequence[FlowID]:
        """The oldest free candidates, leased now. Raises StoreUnavailableError."""
        return self._leased(
            self._reserve, (owner, lease_ms, highest_score(before), limit), *map(self._keys.status, ENDED)
        )

    def take_over(self, owner: str, limit: int, lease_ms: int) -> Sequence[FlowID]:
        """Flows of unfinished jobs, leased now. Raises StoreUnavailableError."""
        return self._leased(self._hold, (owner, lease_ms, limit))

    def hold(self, owner: str, flow_ids: Sequence[FlowID], lease_ms: int) -> Sequence[FlowID]:
        """Those of the flows that the owner has leased now. Raises StoreUnavailableError."""
        return self._leased(self._hold, (owner, lease_ms, 0, *flow_ids)) if flow_ids else ()

    def rest(self, owner: str, flow_ids: Sequence[FlowID], rest_ms: int) -> None:
        """End leases; nobody takes the flows for some time. Raises StoreUnavailableError."""
        if flow_ids:
            self._leased(self._release, (owner, rest_ms, *flow_ids))

    def release(self, owner: str, flow_ids: Sequence[FlowID]) -> None:
        """End leases, and forget the jobs. Raises StoreUnavailableError."""
        if flow_ids:
            self._leased(self._release, (owner, _FORGET, *flow_ids))

    def logs(self, flow_ids: Sequence[FlowID]) -> Sequence[tuple[bytes, ...]]:
        """Every event of each flow, in one round trip. Raises StoreUnavailableError."""
        with translated(self._name):
            pipeline = self._client.pipeline(transaction=False)
            for flow_id in flow_ids:
                pipeline.lrange(self._keys.events(flow_stream(flow_id)), 0, -1)
            return tuple(map(tuple, pipeline.execute()))

    def event_counts(self, flow_ids: Sequence[FlowID]) -> Sequence[int]:
        """How many events the log of each flow has, in one round trip. Raises StoreUnavailableError."""
        with translated(self._name):
            pipeline = self._client.pipeline(transaction=False)
            for flow_id in flow_ids:
                pipeline.llen(self._keys.events(flow_stream(flow_id)))
            return tuple(pipeline.execute())

    def replace(self, owner: str, digests: Sequence[FlowDigest]) -> Sequence[bool]:
        """Whether each log was replaced now, in one round trip. Raises StoreUnavailableError: some may have been."""
        answers = self._scripts.run([self._replace_call(owner, digest) for digest in digests])
        return tuple(answer == 1 for answer in answers)

    def unfinished(self) -> int:
        """How many jobs there are. Raises StoreUnavailableError."""
        with translated(self._name):
            found: Any = self._client.zcard(self._keys.archiving())
        return int(found)

    def waiting(self, before: datetime | None) -> tuple[int, datetime | None]:
        """How many ended flows are live, and since when the oldest is. Raises StoreUnavailableError."""
        highest, keys = highest_score(before), [self._keys.status(status) for status in ENDED]
        with translated(self._name):
            pipeline = self._client.pipeline(transaction=True)
            for key in keys:
                pipeline.zcount(key, "-inf", highest)
            for key in keys:
                pipeline.zrangebyscore(key, "-inf", highest, 0, 1, withscores=True)
            answers = pipeline.execute()
        counts, firsts = answers[: len(keys)], answers[len(keys) :]
        oldest = min((score for found in firsts for _, score in found), default=None)
        return sum(counts), None if oldest is None else datetime.fromtimestamp(oldest / 1_000, UTC)

    def _leased(self, script: Script, args: Sequence[str | int], *keys: str) -> Sequence[FlowID]:
        call = ScriptCall(script, (self._keys.archiving(), self._keys.archivers(), *keys), args)
        (answer,) = self._scripts.run([call])
        return tuple(FlowID(flow_id.decode()) for flow_id in answer) if isinstance(answer, list) else ()

    def _replace_call(self, owner: str, digest: FlowDigest) -> ScriptCall:
        keys, stream_id = self._keys, flow_stream(digest.flow_id)
        used = (
            keys.events(stream_id),
            keys.snapshot(stream_id),
            keys.claims(stream_id),
            keys.due(),
            keys.archiving(),
            keys.archivers(),
            keys.status(digest.status),
            keys.archived(digest.status),
        )
        is_root = int(not is_child(digest.flow_id))
        args = (digest.flow_id, owner, digest.event_count, digest_to_text(digest), is_root)
        return ScriptCall(self._replace, used, args)
