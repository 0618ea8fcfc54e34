# SPDX-License-Identifier: Apache-2.0
"""The ended flows of several shards as one, for the API and the console; an archiver works on one shard.

The objects of all shards are in one archive; the digests are where the flows were.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from msgspec.structs import replace

from argyll_engine.errors import StoreUnavailableError
from argyll_engine.model.digest import AuditRecord, EndedFlow, FlowDigest, KeptFlow, RestoredFlow, SeenFlow
from argyll_engine.model.ids import FlowID
from argyll_engine.model.vitals import MemoryUse
from argyll_engine.store.sharded.dump import moment_of
from argyll_engine.store.sharded.shards import Number, Shard, Shards

F = TypeVar("F")

_BETWEEN: Final = ","
"""Between the positions on the shards in a position of all."""


class ShardedArchiveStore:
    """Implements `ports.ArchiveStore` over shards. Every method raises StoreUnavailableError."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def candidates(self, before: datetime | None, limit: int) -> Sequence[EndedFlow]:
        """Live root flows that were deactivated before a time, oldest first."""
        return _oldest(self._shards.all(lambda shard: shard.archive.candidates(before, limit)), limit)

    def archived(self, before: datetime | None, limit: int) -> Sequence[EndedFlow]:
        """Archived root flows that were deactivated before a time, oldest first."""
        return _oldest(self._shards.all(lambda shard: shard.archive.archived(before, limit)), limit)

    def family(self, flow_ids: Sequence[FlowID]) -> Sequence[tuple[FlowID, ...]]:
        """The children of each root flow."""
        found = self._shards.look(
            flow_ids, lambda shard, some: shard.archive.family([flow_ids[index] for index in some]), bool
        )
        return tuple(children for _, children in found)

    def digests(self, flow_ids: Sequence[FlowID]) -> Sequence[FlowDigest | None]:
        """The digest of each flow; None for one that is not archived."""
        return tuple(kept.digest for kept in self.kept(flow_ids))

    def kept(self, flow_ids: Sequence[FlowID]) -> Sequence[KeptFlow]:
        """The same, with the objects that each flow had before."""
        found = self._shards.look(
            flow_ids,
            lambda shard, some: shard.archive.kept([flow_ids[index] for index in some]),
            lambda kept: kept.digest is not None or bool(kept.objects),
        )
        return tuple(kept for _, kept in found)

    def restore(self, flows: Sequence[RestoredFlow], rest_ms: int) -> bool:
        """Whether all of these flows are live now; all or none of those on one shard, as a family is."""
        numbers = self._shards.locate([flow.digest.flow_id for flow in flows])
        return self._for_each_shard(flows, numbers, lambda shard, some: shard.archive.restore(some, rest_ms))

    def erase(self, flows: Sequence[SeenFlow], record: Mapping[str, str]) -> bool:
        """Whether these flows are forgotten, and it is recorded; all or none of those on one shard."""
        numbers = self._shards.locate([flow.digest.flow_id for flow in flows])
        return self._for_each_shard(flows, numbers, lambda shard, some: shard.archive.erase(some, record))

    def audit(self, after: str, limit: int) -> Sequence[AuditRecord]:
        """The oldest records after a position, which has one of each shard in it."""
        positions = after.split(_BETWEEN) if after else [""] * len(self._shards)
        pages = self._shards.each(
            range(len(self._shards)), lambda number, shard: shard.archive.audit(positions[number], limit)
        )
        rows: list[tuple[tuple[int, int], Number, AuditRecord]] = []
        for number, page in pages.items():
            if isinstance(page, StoreUnavailableError):
                raise page
            rows += [(moment_of(record), number, record) for record in page]
        records = []
        for _, number, record in sorted(rows, key=lambda row: row[:2])[:limit]:
            positions[number] = record.position
            records.append(replace(record, position=_BETWEEN.join(positions)))
        return tuple(records)

    def memory(self) -> MemoryUse:
        """That of the shard with the most room, of those that answer: while it has some, flows can be started."""
        found = self._shards.each(range(len(self._shards)), lambda _, shard: shard.archive.memory())
        uses = [use for use in found.values() if not isinstance(use, StoreUnavailableError)]
        if not uses:
            raise next(use for use in found.values() if isinstance(use, StoreUnavailableError))
        return min(uses, key=lambda use: use.used_bytes / use.limit_bytes if use.limit_bytes else 0.0)

    def _for_each_shard(
        self, flows: Sequence[F], numbers: Sequence[Number], change: Callable[[Shard, Sequence[F]], bool]
    ) -> bool:
        """Whether the change was made on every shard that has some of the flows; the first that refuses is the last."""
        shares: dict[Number, list[F]] = defaultdict(list)
        for number, flow in zip(numbers, flows, strict=True):
            shares[number].append(flow)
        return all(self._shards.one(number, partial(_swap, change, share)) for number, share in shares.items())


class ShardMemory:
    """The memory of one shard, for a gate before its starts."""

    def __init__(self, shards: Shards, number: Number) -> None:
        self._shards, self._number = shards, number

    def memory(self) -> MemoryUse:
        """How much the shard has and uses. Raises StoreUnavailableError."""
        return self._shards.one(self._number, lambda shard: shard.archive.memory())


def _swap(change: Callable[[Shard, Sequence[F]], bool], share: Sequence[F], shard: Shard) -> bool:
    return change(shard, share)


def _oldest(found: Sequence[Sequence[EndedFlow]], limit: int) -> Sequence[EndedFlow]:
    flows = [flow for some in found for flow in some]
    return tuple(sorted(flows, key=lambda flow: (flow.deactivated_at, flow.flow_id))[:limit])
