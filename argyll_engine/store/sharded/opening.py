# SPDX-License-Identifier: Apache-2.0
"""The shards that a configuration names. Called by the composition roots; building opens no connection."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from redis import Redis

from argyll_engine.config import EngineConfig
from argyll_engine.ports import ArchiveStore, EventStore, FlowIndex, WorkLeases
from argyll_engine.store.archive import RedisArchiveStore
from argyll_engine.store.connect import DEFAULT_TIMEOUT_SECONDS, connect, translated
from argyll_engine.store.held import RedisHeldFlows
from argyll_engine.store.index import RedisFlowIndex
from argyll_engine.store.layouts import RedisLayouts
from argyll_engine.store.leases import RedisWorkLeases
from argyll_engine.store.redis import RedisEventStore
from argyll_engine.store.sharded.archive import ShardedArchiveStore
from argyll_engine.store.sharded.events import ShardedEventStore
from argyll_engine.store.sharded.guard import Guard
from argyll_engine.store.sharded.index import ShardedFlowIndex
from argyll_engine.store.sharded.leases import ShardedWorkLeases
from argyll_engine.store.sharded.shards import Shard, Shards

LOOK_TIMEOUT_SECONDS: Final = 0.5
"""How long a shard may take to show that it is back."""

MakeStore: TypeAlias = Callable[[Redis, EngineConfig, str], EventStore]
"""Makes the event store of a shard on a client, from the configuration of who serves it alone, with its name for
people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowStores:
    """What there is on the flow store of a configuration, or on all of its shards, for who runs no flows."""

    flows: EventStore
    index: FlowIndex
    archive: ArchiveStore
    leases: WorkLeases


def open_flow_stores(config: EngineConfig, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> FlowStores:
    """The adapters for a command that looks at flows, whether they are on one Redis or on several."""
    if config.is_sharded:
        shards = open_plain_shards(config, timeout_seconds)
        return FlowStores(
            flows=ShardedEventStore(shards),
            index=ShardedFlowIndex(shards),
            archive=ShardedArchiveStore(shards),
            leases=ShardedWorkLeases(shards),
        )
    client, prefix = connect(config.flow_redis, timeout_seconds), config.flow_redis.prefix
    return FlowStores(
        flows=_plain_store(client, config, "flow"),
        index=RedisFlowIndex(client, prefix),
        archive=_archive_store(client, config, "flow"),
        leases=RedisWorkLeases(client, prefix),
    )


def open_plain_shards(config: EngineConfig, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> Shards:
    """All shards of a configuration, for who runs no flows."""
    return open_shards(config, _plain_store, timeout_seconds)


def open_shards(
    config: EngineConfig, make_store: MakeStore, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
) -> Shards:
    """All shards of a configuration, with an event store of `make_store` for each."""
    members = [_shard(config, number, make_store, timeout_seconds) for number in range(1, len(config.shards) + 1)]
    layouts = RedisLayouts(connect(config.engine_redis), config.engine_redis.prefix)
    names = frozenset(shard.name for shard in members)
    shards: Shards = Shards(members, lambda: layouts.join(names, lambda: shards.in_use()))
    return shards


def _shard(config: EngineConfig, number: int, make_store: MakeStore, timeout_seconds: float) -> Shard:
    own, name = config.of_shard(number), config.flow_store_name(number)
    redis = own.flow_redis
    client, prefix = connect(redis, timeout_seconds), redis.prefix
    return Shard(
        name=redis.identity(),
        guard=Guard(name, partial(_look_at, connect(redis, LOOK_TIMEOUT_SECONDS), name)),
        flows=make_store(client, own, name),
        index=RedisFlowIndex(client, prefix, store_name=name),
        archive=_archive_store(client, own, name),
        held=RedisHeldFlows(client, prefix, store_name=name),
        leases=RedisWorkLeases(client, prefix, store_name=name),
    )


def _plain_store(client: Redis, config: EngineConfig, name: str) -> EventStore:
    return RedisEventStore(client, config.flow_redis.prefix, store_name=name)


def _archive_store(client: Redis, config: EngineConfig, name: str) -> ArchiveStore:
    return RedisArchiveStore(
        client,
        config.flow_redis.prefix,
        memory_limit_bytes=config.memory_limit_bytes,
        feed_max_length=config.feed_max_length,
        store_name=name,
    )


def _look_at(client: Redis, name: str) -> None:
    with translated(name):
        client.ping()
