# SPDX-License-Identifier: Apache-2.0
"""The stores under test, once on memory and once on a real Redis, each test on keys of its own."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from argyll_engine.feed_port import Feed
from argyll_engine.ports import ArchiveJobs, ArchiveStore, EventStore, FlowIndex, HeldFlows, Memo, WorkLeases
from argyll_engine.store.archive import RedisArchiveStore
from argyll_engine.store.archive_jobs import RedisArchiveJobs
from argyll_engine.store.connect import connect
from argyll_engine.store.feed import RedisFeed
from argyll_engine.store.held import RedisHeldFlows
from argyll_engine.store.index import RedisFlowIndex
from argyll_engine.store.leases import RedisWorkLeases
from argyll_engine.store.memo import RedisMemo
from argyll_engine.store.memory import (
    MemoryBackend,
    MemoryEventStore,
    MemoryFeed,
    MemoryFlowIndex,
    MemoryHeldFlows,
    MemoryMemo,
    MemoryWorkLeases,
)
from argyll_engine.store.memory_archive import MemoryArchiveJobs, MemoryArchiveStore
from argyll_engine.store.redis import RedisEventStore
from argyll_engine.store.sharded.archive import ShardedArchiveStore
from argyll_engine.store.sharded.events import ShardedEventStore
from argyll_engine.store.sharded.guard import Guard
from argyll_engine.store.sharded.index import ShardedFlowIndex
from argyll_engine.store.sharded.leases import ShardedHeldFlows, ShardedWorkLeases
from argyll_engine.store.sharded.shards import Shard, Shards
from tests.contract.redis_server import RedisServer

_PREFIXES = (f"test:{number}" for number in count())
UNACKED_KEY = "unacked"
UNACKED_INDEX_KEY = "unacked_index"
FEED_LENGTH = 300
"""Notes that the feeds keep at least: more than one reading, few enough to overrun."""

MEMO_CAPACITY = 3
"""Results that the memos keep."""


@dataclass(frozen=True)
class Backend:
    """The stores of one backend, and what a broker on it would see."""

    store: EventStore
    trimmed_store: EventStore
    index: FlowIndex
    leases: WorkLeases
    held: HeldFlows
    feed: Feed
    memo: Memo
    archive: ArchiveStore
    jobs: ArchiveJobs
    client: Redis | None = None
    memory: MemoryBackend | None = None

    def messages(self, queue: str) -> list[bytes]:
        """What was committed to a queue, oldest first."""
        if self.memory is not None:
            return self.memory.queues.get(queue, [])
        assert self.client is not None
        messages: Any = self.client.lrange(queue, 0, -1)
        return list(reversed(messages))


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server that all tests share."""
    yield from _running(tmp_path_factory.mktemp("redis"))


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that one test may stop and start."""
    yield from _running(tmp_path)


def _running(folder: Path) -> Iterator[RedisServer]:
    server = RedisServer(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[Redis]:
    """A client of the shared server, which is empty."""
    with connect(redis_server.config()) as client:
        client.flushall()
        yield client


SHARDED = ("test_event_store", "test_flow_index", "test_held_flows", "test_work_leases")
"""The modules whose stores there are over shards too; an archiver and a feed are of one shard."""
ONE_STORE = ("test_due_flows_come_longest_overdue_first",)
"""Tests of what shards do not promise together."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test of stores runs on each backend."""
    if "backend" in metafunc.fixturenames:
        is_sharded = metafunc.module.__name__.rpartition(".")[2] in SHARDED
        is_sharded = is_sharded and metafunc.function.__name__ not in ONE_STORE
        kinds = ["memory", "redis", *(["sharded"] if is_sharded else [])]
        metafunc.parametrize("backend", kinds, indirect=True)


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each backend in turn."""
    if request.param == "memory":
        return _memory_backend()
    client = request.getfixturevalue("client")
    assert isinstance(client, Redis)
    return redis_backend(client) if request.param == "redis" else sharded_backend(client)


def _memory_backend() -> Backend:
    memory = MemoryBackend(feed_max_length=FEED_LENGTH)
    return Backend(
        store=MemoryEventStore(memory),
        trimmed_store=MemoryEventStore(memory, trimmed=True),
        index=MemoryFlowIndex(memory),
        leases=MemoryWorkLeases(memory),
        held=MemoryHeldFlows(memory),
        feed=MemoryFeed(memory),
        memo=MemoryMemo(memory, capacity=MEMO_CAPACITY),
        archive=MemoryArchiveStore(memory),
        jobs=MemoryArchiveJobs(memory),
        memory=memory,
    )


def sharded_backend(client: Redis) -> Backend:
    """The stores of flows on three shards, one of which was added later, and whatever is no flow's on one of them."""
    parts = [redis_backend(client) for _ in range(3)]
    names = ("a", "b", "c")
    shards = Shards(
        [
            Shard(
                name=name,
                guard=Guard(name, client.ping),
                flows=part.store,
                index=part.index,
                archive=part.archive,
                held=part.held,
                leases=part.leases,
            )
            for name, part in zip(names, parts, strict=True)
        ],
        lambda: {frozenset("ab"), frozenset(names)},
    )
    return replace(
        parts[0],
        store=ShardedEventStore(shards),
        index=ShardedFlowIndex(shards),
        leases=ShardedWorkLeases(shards),
        held=ShardedHeldFlows(shards),
        archive=ShardedArchiveStore(shards),
    )


def redis_backend(client: Redis) -> Backend:
    """The stores on a Redis, under a prefix that no other test uses."""
    prefix = next(_PREFIXES)
    flow_store = RedisEventStore(
        client,
        prefix,
        store_name="flow",
        unacked_key=UNACKED_KEY,
        unacked_index_key=UNACKED_INDEX_KEY,
        feed_max_length=FEED_LENGTH,
    )
    return Backend(
        store=flow_store,
        trimmed_store=RedisEventStore(client, prefix, store_name="engine", trimmed=True),
        index=RedisFlowIndex(client, prefix),
        leases=RedisWorkLeases(client, prefix),
        held=RedisHeldFlows(client, prefix),
        feed=RedisFeed(client, prefix, store_name="flow"),
        memo=RedisMemo(client, prefix, capacity=MEMO_CAPACITY),
        archive=RedisArchiveStore(client, prefix, feed_max_length=FEED_LENGTH),
        jobs=RedisArchiveJobs(client, prefix),
        client=client,
    )
