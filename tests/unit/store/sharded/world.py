# SPDX-License-Identifier: Apache-2.0
"""Several memory stores as shards that can be sent away. Called by the tests beside it."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from argyll_engine.errors import StoreUnavailableError
from argyll_engine.model.ids import FlowID, flow_stream
from argyll_engine.policy.placement import Layout, home_of, placement_key
from argyll_engine.ports import Commit, CommitResult, LoadRequest, Stream
from argyll_engine.store.memory import (
    MemoryBackend,
    MemoryEventStore,
    MemoryFlowIndex,
    MemoryHeldFlows,
    MemoryWorkLeases,
)
from argyll_engine.store.memory_archive import MemoryArchiveStore
from argyll_engine.store.sharded.events import ShardedEventStore
from argyll_engine.store.sharded.guard import Guard
from argyll_engine.store.sharded.shards import Shard, Shards


class Switch:
    """Whatever it stands before, while the shard is there."""

    def __init__(self, world: "World", name: str, store: Any) -> None:
        self._world, self._name, self._store = world, name, store

    def __getattr__(self, method: str) -> Callable[..., Any]:
        """The method of the store, noted and refused while the shard is away."""

        def called(*args: Any, **named: Any) -> Any:
            self._world.calls.append((self._name, method))
            self._world.check(self._name)
            return getattr(self._store, method)(*args, **named)

        return called


class World:
    """Shards by their names.

    Args:
        names: Of the shards.
        layouts: That there have been, as their names without spaces; the present one is added.
    """

    def __init__(self, names: str, *layouts: str) -> None:
        self.names = tuple(names)
        self.backends = {name: MemoryBackend() for name in names}
        self.away: set[str] = set()
        self.calls: list[tuple[str, str]] = []
        self.layouts: Collection[Layout] = {frozenset(names), *map(frozenset, layouts)}
        self.members = [self._shard(name) for name in names]
        self.shards = Shards(self.members, lambda: self.layouts)
        self.store = ShardedEventStore(self.shards)

    def check(self, name: str) -> None:
        """Raises StoreUnavailableError while the shard is away."""
        if name in self.away:
            raise StoreUnavailableError(name, "told to be away")

    def flows_of(self, name: str, count: int = 1, among: str = "") -> list[FlowID]:
        """So many ids of flows whose home is a shard, of all or of those `among` which they are placed."""
        ids = (FlowID(f"flow-{number}") for number in range(10_000))
        found = (flow_id for flow_id in ids if home_of(flow_id, among or self.names) == name)
        return [flow_id for flow_id, _ in zip(found, range(count), strict=False)]

    def moved_flow(self, former: str, layout: str) -> FlowID:
        """A flow whose home was a shard in an earlier layout and is another now."""
        ids = self.flows_of(former, 100, layout)
        return next(flow_id for flow_id in ids if home_of(placement_key(flow_id), self.names) != former)

    def put(self, name: str, flow_id: str, count: int = 1) -> None:
        """Let a shard have a flow of so many events."""
        events = tuple(b"%d" % number for number in range(count))
        commit = Commit(stream_id=flow_stream(flow_id), expected_sequence=0, events=events)
        MemoryEventStore(self.backends[name]).commit([commit])

    def commit(self, flow_id: str, expected: int = 0) -> CommitResult:
        """One event more, through all shards."""
        commit = Commit(stream_id=flow_stream(flow_id), expected_sequence=expected, events=(b"new",))
        (result,) = self.store.commit([commit])
        return result

    def load(self, flow_id: str) -> Stream:
        """The flow, through all shards."""
        (stream,) = self.store.load([LoadRequest(stream_id=flow_stream(flow_id))])
        return stream

    def having(self, flow_id: str) -> list[str]:
        """The shards that have a flow."""
        return [name for name, backend in self.backends.items() if flow_stream(flow_id) in backend.logs]

    def asked(self, since: int = 0) -> Iterable[str]:
        """The shards that were called, in order of the calls."""
        return [name for name, _ in self.calls[since:]]

    def _shard(self, name: str) -> Shard:
        backend = self.backends[name]
        return Shard(
            name=name,
            guard=Guard(name, lambda: self.check(name)),
            flows=self._switched(name, MemoryEventStore(backend)),
            index=self._switched(name, MemoryFlowIndex(backend)),
            archive=self._switched(name, MemoryArchiveStore(backend)),
            held=self._switched(name, MemoryHeldFlows(backend)),
            leases=self._switched(name, MemoryWorkLeases(backend)),
        )

    def _switched(self, name: str, store: object) -> Any:
        return Switch(self, name, store)
