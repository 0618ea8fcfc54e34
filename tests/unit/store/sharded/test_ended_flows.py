# SPDX-License-Identifier: Apache-2.0
"""Lists, ended flows, audit logs and vitals of several shards, each as one."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from argyll_engine.errors import StoreUnavailableError
from argyll_engine.model.digest import AuditRecord, EndedFlow
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID, flow_stream
from argyll_engine.model.listing import FlowQuery
from argyll_engine.model.vitals import MemoryUse, QueueVitals, StoreVitals, Vitals
from argyll_engine.ports import Commit, IndexChange
from argyll_engine.store.memory import MemoryEventStore
from argyll_engine.store.sharded.archive import ShardedArchiveStore, ShardMemory
from argyll_engine.store.sharded.dump import merged_audit
from argyll_engine.store.sharded.index import ShardedFlowIndex
from argyll_engine.store.sharded.vitals import ShardedVitalsReader
from tests.unit.store.sharded.world import World


def _end(world: World, name: str, flow_id: str, at_ms: int) -> None:
    """A flow of one event that has ended, on a shard."""
    index = IndexChange(flow_id=FlowID(flow_id), status=FlowStatus.COMPLETED, at_ms=at_ms)
    commit = Commit(stream_id=flow_stream(flow_id), expected_sequence=0, events=(b"{}",), index=index)
    MemoryEventStore(world.backends[name]).commit([commit])


def _record(position: str) -> AuditRecord:
    return AuditRecord(position=position, members={"was": position})


def _pages(archive: ShardedArchiveStore, limit: int) -> Iterator[list[str]]:
    """What was recorded, page by page."""
    after = ""
    while page := archive.audit(after, limit):
        yield [record.members["was"] for record in page]
        after = page[-1].position


def test_the_oldest_of_all_shards_come_first() -> None:
    """Whichever they are on."""
    world = World("abc")
    for name, flow_id, at_ms in (("a", "x", 3_000), ("b", "y", 1_000), ("c", "z", 2_000), ("a", "w", 4_000)):
        _end(world, name, flow_id, at_ms)
    found: Sequence[EndedFlow] = ShardedArchiveStore(world.shards).candidates(datetime.fromtimestamp(4, UTC), 2)
    assert ["y", "z"] == [flow.flow_id for flow in found]


def test_a_list_is_whole_or_not_given() -> None:
    """For a shard that is away has flows too."""
    world = World("ab")
    index = ShardedFlowIndex(world.shards)
    _end(world, "a", "x", 1)
    _end(world, "b", "y", 2)
    assert (["x", "y"], 2) == ([item.id for item in index.query(FlowQuery()).items], index.query(FlowQuery()).total)
    world.away.add("b")
    with pytest.raises(StoreUnavailableError):
        index.query(FlowQuery())


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_audit_logs_are_read_as_one(limit: int) -> None:
    """In the order of their times; a position says how far each shard was read."""
    world = World("ab")
    for name, count in (("a", 2), ("b", 4)):
        world.backends[name].audit = [
            AuditRecord(position=f"{number}-0", members={"was": f"{name}{number}"}) for number in range(1, count + 1)
        ]
    pages = list(_pages(ShardedArchiveStore(world.shards), limit))
    assert ["a1", "b1", "a2", "b2", "b3", "b4"] == [was for page in pages for was in page]
    assert [] == [page for page in pages[:-1] if len(page) != limit]


def test_merged_audit_logs_have_rising_positions() -> None:
    """So that they can be restored into one log."""
    merged = merged_audit([iter([_record("1-0"), _record("3-0")]), iter([_record("1-0"), _record("1-1")])])
    assert [("1-0", "1-0"), ("1-1", "1-0"), ("1-2", "1-1"), ("3-0", "3-0")] == [
        (record.position, record.members["was"]) for record in merged
    ]


def test_memory_is_that_of_the_shard_with_the_most_room() -> None:
    """Flows can be started while one has some; each shard has its own gate beside that."""
    world = World("abc")
    uses = {"a": (90, 100), "b": (50, 100), "c": (10, 100)}
    for member, (used, limit) in zip(world.members, uses.values(), strict=True):
        member.archive._store.use = MemoryUse(used_bytes=used, limit_bytes=limit)  # type: ignore[attr-defined]
    world.away.add("c")
    assert MemoryUse(used_bytes=50, limit_bytes=100) == ShardedArchiveStore(world.shards).memory()
    assert MemoryUse(used_bytes=90, limit_bytes=100) == ShardMemory(world.shards, 0).memory()
    world.away |= {"a", "b"}
    with pytest.raises(StoreUnavailableError):
        ShardedArchiveStore(world.shards).memory()


class Reader:
    """Reads what it was given."""

    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals

    def read(self) -> Vitals:
        """The same each time."""
        return self._vitals


def test_the_vitals_of_all_shards_are_sums() -> None:
    """Of those that answer, with the name of each and of those that no worker serves."""
    queue = QueueVitals(name="steps", ready=2, in_progress=1, delayed=1, dead_letters=1, oldest_seconds=4.0)
    here = Vitals(
        stores=(StoreVitals(name="flow"), StoreVitals(name="engine")), queues=(queue,), workers_alive=2, active_flows=5
    )
    idle = replace(here, queues=(replace(queue, oldest_seconds=7.0),), workers_alive=0)
    away = Vitals(stores=(StoreVitals(name="flow", error="away"), StoreVitals(name="engine")))
    found = ShardedVitalsReader({"flow-1": Reader(here), "flow-2": Reader(idle), "flow-3": Reader(away)}).read()
    expected = QueueVitals(name="steps", ready=4, in_progress=2, delayed=2, dead_letters=2, oldest_seconds=7.0)
    assert [("flow-1", ""), ("flow-2", ""), ("flow-3", "away"), ("engine", "")] == [
        (store.name, store.error) for store in found.stores
    ]
    assert ((expected,), 2, 10, ("flow-2",)) == (
        found.queues,
        found.workers_alive,
        found.active_flows,
        found.unserved,
    )
