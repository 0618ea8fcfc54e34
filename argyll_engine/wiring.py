# SPDX-License-Identifier: Apache-2.0
"""Puts the parts together: clients, stores, executors, engine. Imported by entry points only; reads no environment.

Building opens no connection; the first command does. Long because it alone knows every part.
"""

import os
import socket
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from celery import Celery
from redis import Redis

from argyll_engine.aggregates import CatalogAggregate, ClusterAggregate, FlowAggregate
from argyll_engine.archive_changes import ArchiveAccess, ArchiveChanges
from argyll_engine.archived_flows import ArchivedFlows
from argyll_engine.cache import ProjectionCache
from argyll_engine.call_runner import CallRunner
from argyll_engine.child_flows import ChildFlows
from argyll_engine.clock import SystemClock
from argyll_engine.compensator import Compensator
from argyll_engine.config import EngineConfig, RedisConfig
from argyll_engine.dispatch import CeleryDispatcher, SharedRedisDispatcher, StreamsDispatcher
from argyll_engine.engine import Engine
from argyll_engine.executor import Executor, Observe
from argyll_engine.flow_log import log_failures
from argyll_engine.flow_starts import DivideStarts, FlowStarts, together
from argyll_engine.health_checks import HealthChecks
from argyll_engine.health_view import HealthView
from argyll_engine.held_work import HeldWork
from argyll_engine.hub import Hub
from argyll_engine.invoke.http import HttpStepClient
from argyll_engine.invoke.metered import MeteredCallClient, MeteredCompensationClient, MeteredStepClient
from argyll_engine.invoke.script import ScriptStepClient
from argyll_engine.memo import Memoization
from argyll_engine.memory_gate import MemoryGate
from argyll_engine.metrics.flows import count_flow_events
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.cluster import ClusterState
from argyll_engine.model.events import Recorded
from argyll_engine.model.flow import FlowState
from argyll_engine.model.ids import FlowID, NodeID, StreamID
from argyll_engine.model.step import StepType
from argyll_engine.ports import (
    ArchiveStore,
    CallClient,
    Clock,
    Dispatcher,
    EventStore,
    FlowIndex,
    HealthProbe,
    HeldFlows,
    Memo,
    ScriptEngine,
    WorkLeases,
)
from argyll_engine.projections import Projections
from argyll_engine.query import Queries
from argyll_engine.read_along import ReadAlong
from argyll_engine.recovery import Recovery
from argyll_engine.script_health import ScriptHealth
from argyll_engine.scripting.metered import MeteredScriptEngine
from argyll_engine.scripting.registry import ScriptRegistry
from argyll_engine.store.archive import RedisArchiveStore
from argyll_engine.store.connect import connect
from argyll_engine.store.feed import RedisFeed
from argyll_engine.store.grouping import GroupedEventStore
from argyll_engine.store.held import RedisHeldFlows
from argyll_engine.store.index import RedisFlowIndex
from argyll_engine.store.leases import RedisWorkLeases
from argyll_engine.store.memo import RedisMemo
from argyll_engine.store.metered import MeteredEventStore
from argyll_engine.store.redis import RedisEventStore, StreamDeliveries
from argyll_engine.store.schema import StoreSchema
from argyll_engine.store.sharded.archive import ShardedArchiveStore, ShardMemory
from argyll_engine.store.sharded.events import ShardedEventStore, ShardFeed
from argyll_engine.store.sharded.index import ShardedFlowIndex
from argyll_engine.store.sharded.leases import ShardedHeldFlows, ShardedWorkLeases
from argyll_engine.store.sharded.opening import open_shards
from argyll_engine.store.sharded.shards import Shards
from argyll_engine.store.sharded.starts import ShardedStarts
from argyll_engine.tasks.app import make_celery, queue_key_prefix, shares_flow_redis
from argyll_engine.tracing.calls import (
    traced_call_client,
    traced_compensation_client,
    traced_dispatcher,
    traced_step_client,
)
from argyll_engine.tracing.flows import FlowTraces
from argyll_engine.tracing.port import Traces
from argyll_engine.transport.wire import GROUP, split_tag
from argyll_engine.work_runner import WorkRunner

S = TypeVar("S")

ENGINE_KINDS: Final = frozenset({"catalog", "cluster"})
FLOW_KINDS: Final = frozenset({"flow"})
"""Kinds of streams in the engine's and in the flow store."""

REFUSE: Final = "fail"
"""The value of `STEP_UNHEALTHY` by which work of an unhealthy step fails instead of waiting."""

CATALOG_CACHE: Final = 16
"""Projections of the engine store that a process keeps; there are two streams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """The adapters behind the ports, for one deployment; `shards` where it has several flow stores.

    `commits_see_catalog` where the commits of flows may rest on the catalog.
    """

    engine: EventStore
    flows: EventStore
    index: FlowIndex
    archive: ArchiveStore
    memo: Memo
    held: HeldFlows
    engine_leases: WorkLeases
    flow_leases: WorkLeases
    along: ReadAlong = field(default_factory=ReadAlong)
    shards: Shards | None = None
    commits_see_catalog: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything the engine and the workers share within one process."""

    clock: Clock
    scripts: ScriptEngine
    dispatcher: Dispatcher
    stores: Stores
    catalog: Projections[CatalogState]
    cluster: Projections[ClusterState]
    flows: Projections[FlowState]
    health: HealthView
    memo: Memoization
    flow_executor: Executor[FlowState]
    traces: Traces | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """What a worker process needs."""

    runner: WorkRunner
    calls: CallRunner
    compensator: Compensator
    children: ChildFlows
    recovery: Recovery
    held: HeldWork
    checks: HealthChecks
    leases: WorkLeases
    clock: Clock
    along: ReadAlong


def build_engine(config: EngineConfig, traces: Traces | None = None, archive: ArchiveAccess | None = None) -> Engine:
    """The engine on the Redis of the configuration; `traces` takes spans, `archive` has archived flows."""
    return assemble_engine(config, build_parts(config, make_celery(config), traces), archive)


def build_worker(config: EngineConfig, celery: Celery, traces: Traces | None = None) -> Worker:
    """The parts that the tasks of one worker process use; `traces` takes spans, where they are wanted."""
    return assemble_worker(config, build_parts(config, celery, traces))


def form_keeper(config: EngineConfig) -> Callable[[], None]:
    """Numbers both stores again where they have lost everything. What it gives back raises StoreUnavailableError."""
    stores = (("engine", config.engine_redis), ("flow", config.flow_redis))
    schemas = [StoreSchema(connect(store), store.prefix, name) for name, store in stores]

    def keep() -> None:
        for schema in schemas:
            schema.keep()

    return keep


def build_hub(config: EngineConfig) -> Hub:
    """What was committed, by whichever process, for the sockets of this one."""
    if config.is_sharded:
        return _sharded_hub(config)
    return Hub([(_feed(config.engine_redis, "engine"), ENGINE_KINDS), (_feed(config.flow_redis, "flow"), FLOW_KINDS)])


def _sharded_hub(config: EngineConfig) -> Hub:
    shards = open_shards(config, _flow_store)
    feeds = [
        (ShardFeed(shards, number, _feed(redis, config.flow_store_name(number + 1))), FLOW_KINDS)
        for number, redis in enumerate(config.shards)
    ]

    def may_have(number: int, stream_id: StreamID) -> bool:
        return stream_id[0] not in FLOW_KINDS or number - 1 in shards.places(FlowID(stream_id[1]))

    return Hub([(_feed(config.engine_redis, "engine"), ENGINE_KINDS), *feeds], may_have=may_have)


def _feed(redis: RedisConfig, name: str) -> RedisFeed:
    return RedisFeed(connect(redis), redis.prefix, store_name=name)


def assemble_engine(config: EngineConfig, parts: Parts, archive: ArchiveAccess | None = None) -> Engine:
    """The engine on these parts."""
    stores, access = parts.stores, archive or ArchiveAccess()
    archived = ArchivedFlows(stores.archive, access.archive)
    queries = Queries(
        engine_store=stores.engine,
        flow_store=stores.flows,
        index=stores.index,
        catalog=parts.catalog,
        cluster=parts.cluster,
        flows=parts.flows,
        archived=archived,
    )
    return Engine(
        node_id=NodeID(config.node_id),
        work_defaults=config.retry,
        queries=queries,
        archived=archived,
        archive=ArchiveChanges(
            store=stores.archive,
            access=access,
            flows=parts.flows,
            clock=parts.clock,
            on_gone=archived.forget,
        ),
        scripts=parts.scripts,
        catalog=_engine_executor(parts, parts.catalog),
        cluster=_engine_executor(parts, parts.cluster),
        flows=parts.flow_executor,
        memo=parts.memo,
        starts=FlowStarts(
            queries=queries,
            archived=archived,
            flows=parts.flow_executor,
            scripts=parts.scripts,
            gate=MemoryGate(stores.archive),
            divide=_divided_starts(stores.shards) if stores.shards else together,
            commits_see_catalog=stores.commits_see_catalog,
        ),
    )


def _divided_starts(shards: Shards) -> DivideStarts:
    gates = [MemoryGate(ShardMemory(shards, number)) for number in range(len(shards))]
    return ShardedStarts(shards, [gate.check for gate in gates]).start


def assemble_worker(config: EngineConfig, parts: Parts) -> Worker:
    """The worker on these parts."""
    http = HttpStepClient(
        timeout_ms=config.step_timeout_ms,
        max_response_bytes=config.max_step_response_bytes,
        protocol=config.step_protocol,
        connections=config.work_threads,
    )
    children = ChildFlows(flows=parts.flow_executor, projections=parts.flows, memo=parts.memo)
    recovery = assemble_recovery(config, parts)
    held = assemble_held_work(config, parts, recovery)
    caller = traced_call_client(MeteredCallClient(http), parts.traces)
    callers: dict[str, CallClient] = {StepType.SYNC: caller, StepType.ASYNC: caller}
    runner = WorkRunner(
        worker_id=f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}",
        flows=parts.flow_executor,
        projections=parts.flows,
        leases=parts.stores.flow_leases,
        children=children,
        health=ScriptHealth(cluster=_engine_executor(parts, parts.cluster), view=parts.health),
        held=held,
        memo=parts.memo,
        clients={
            **callers,
            StepType.SCRIPT: traced_step_client(MeteredStepClient(ScriptStepClient(parts.scripts)), parts.traces),
        },
        webhook_base_url=config.webhook_base_url,
        along=parts.stores.along,
    )
    calls = CallRunner(
        worker_id=runner.worker_id,
        flows=parts.flow_executor,
        projections=parts.flows,
        held=held,
        memo=parts.memo,
        clients=callers,
        webhook_base_url=config.webhook_base_url,
        crash=runner.record_crash,
    )
    compensator = Compensator(
        flows=parts.flow_executor,
        projections=parts.flows,
        leases=parts.stores.flow_leases,
        client=traced_compensation_client(MeteredCompensationClient(http), parts.traces),
        held=held,
    )
    return Worker(
        runner=runner,
        calls=calls,
        compensator=compensator,
        children=children,
        recovery=recovery,
        held=held,
        checks=assemble_health_checks(config, parts, http),
        leases=parts.stores.flow_leases,
        clock=parts.clock,
        along=parts.stores.along,
    )


def assemble_recovery(config: EngineConfig, parts: Parts) -> Recovery:
    """The sweep on these parts."""
    return Recovery(
        projections=parts.flows,
        leases=parts.stores.flow_leases,
        dispatcher=parts.dispatcher,
        clock=parts.clock,
        interval_seconds=config.recovery_interval_seconds,
        grace_seconds=config.recovery_grace_seconds,
    )


def assemble_held_work(config: EngineConfig, parts: Parts, recovery: Recovery) -> HeldWork:
    """What keeps work of unhealthy steps, on these parts."""
    return HeldWork(
        flows=parts.flow_executor,
        view=parts.health,
        held=parts.stores.held,
        leases=parts.stores.flow_leases,
        recovery=recovery,
        dispatcher=parts.dispatcher,
        clock=parts.clock,
        refuses=config.step_unhealthy == REFUSE,
    )


def assemble_health_checks(config: EngineConfig, parts: Parts, probe: HealthProbe) -> HealthChecks:
    """The rounds of health checks on these parts."""
    return HealthChecks(
        node_id=NodeID(config.node_id),
        catalog=parts.catalog,
        cluster=parts.cluster,
        reports=_engine_executor(parts, parts.cluster),
        scripts=parts.scripts,
        probe=probe,
        leases=parts.stores.engine_leases,
        interval_seconds=config.health_check_interval_seconds,
    )


def assemble_parts(
    config: EngineConfig, stores: Stores, dispatcher: Dispatcher, clock: Clock, traces: Traces | None = None
) -> Parts:
    """The shared parts on these adapters."""
    scripts = MeteredScriptEngine(
        ScriptRegistry(
            timeout_ms=config.script_timeout_ms,
            memory_mb=config.script_memory_mb,
            max_steps=config.script_max_steps,
            max_result_bytes=config.script_max_result_bytes,
        )
    )
    flows = Projections(
        stores.flows, FlowAggregate(config.recovery_grace_seconds), ProjectionCache(config.flow_cache_size)
    )
    catalog = Projections(stores.engine, CatalogAggregate(), ProjectionCache(CATALOG_CACHE))
    cluster = Projections(stores.engine, ClusterAggregate(), ProjectionCache(CATALOG_CACHE))
    dispatcher = traced_dispatcher(dispatcher, traces)
    return Parts(
        clock=clock,
        scripts=scripts,
        dispatcher=dispatcher,
        stores=stores,
        catalog=catalog,
        cluster=cluster,
        health=HealthView(
            node_id=NodeID(config.node_id), cluster=cluster, catalog=catalog, scripts=scripts, clock=clock
        ),
        flows=flows,
        memo=Memoization(stores.memo, capacity=config.memo_cache_size, clock=clock),
        flow_executor=Executor(
            store=stores.flows,
            projections=flows,
            leases=stores.flow_leases,
            clock=clock,
            scripts=scripts,
            dispatcher=dispatcher,
            observe=_observers(traces),
        ),
        traces=traces,
    )


def _observers(traces: Traces | None) -> Observe[FlowState]:
    """Who hears of the commits of flows."""
    observers: list[Observe[FlowState]] = [count_flow_events, log_failures]
    if traces is not None:
        observers.append(FlowTraces(traces).committed)

    def observe(committed: Sequence[tuple[FlowState | None, Sequence[Recorded]]]) -> None:
        for observer in observers:
            observer(committed)

    return observe


def _engine_executor(parts: Parts, projections: Projections[S]) -> Executor[S]:
    return Executor(
        store=parts.stores.engine,
        projections=projections,
        leases=parts.stores.engine_leases,
        clock=parts.clock,
        scripts=parts.scripts,
        dispatcher=parts.dispatcher,
    )


def build_parts(config: EngineConfig, celery: Celery, traces: Traces | None = None) -> Parts:
    """The shared parts on the Redis of the configuration."""
    return assemble_parts(config, _redis_stores(config), _dispatcher(config, celery), SystemClock(), traces)


def _redis_stores(config: EngineConfig) -> Stores:
    engine, along = config.engine_redis, ReadAlong()
    engine_client = connect(engine)
    engine_store = RedisEventStore(
        engine_client, engine.prefix, store_name="engine", trimmed=True, feed_max_length=config.feed_max_length
    )
    memo = RedisMemo(engine_client, engine.prefix, capacity=config.memo_cache_size)
    engine_leases = RedisWorkLeases(engine_client, engine.prefix, store_name="engine")
    if config.is_sharded:
        shards = open_shards(config, _flow_store)
        return Stores(
            engine=_grouped(engine_store, "engine"),
            flows=ShardedEventStore(shards),
            index=ShardedFlowIndex(shards),
            archive=ShardedArchiveStore(shards),
            held=ShardedHeldFlows(shards),
            memo=memo,
            engine_leases=engine_leases,
            flow_leases=ShardedWorkLeases(shards),
            shards=shards,
        )
    flow_client, prefix = connect(config.flow_redis), config.flow_redis.prefix
    return Stores(
        engine=_grouped(engine_store, "engine"),
        flows=_flow_store(flow_client, config, "flow", along),
        index=RedisFlowIndex(flow_client, prefix),
        archive=RedisArchiveStore(
            flow_client,
            prefix,
            memory_limit_bytes=config.memory_limit_bytes,
            feed_max_length=config.feed_max_length,
        ),
        held=RedisHeldFlows(flow_client, prefix),
        memo=memo,
        engine_leases=engine_leases,
        flow_leases=RedisWorkLeases(flow_client, prefix),
        along=along,
        commits_see_catalog=config.is_one_redis,
    )


def _flow_store(client: Redis, config: EngineConfig, name: str, along: ReadAlong | None = None) -> EventStore:
    """The logs of flows on one Redis; `along` takes what its commits bring of the next messages."""
    queues = queue_key_prefix(config) if shares_flow_redis(config) else ""
    store = RedisEventStore(
        client,
        config.flow_redis.prefix,
        store_name=name,
        unacked_key=queues and queues + "unacked",
        unacked_index_key=queues and queues + "unacked_index",
        feed_max_length=config.feed_max_length,
        deliveries=StreamDeliveries(GROUP, split_tag, along or ReadAlong()) if config.on_streams else None,
        other_prefix=config.engine_redis.prefix if config.is_one_redis else "",
    )
    return _grouped(store, "flow")


def _grouped(store: EventStore, name: str) -> EventStore:
    """The store as threads share it; what is measured are the round trips that are left."""
    return GroupedEventStore(MeteredEventStore(store, name))


def _dispatcher(config: EngineConfig, celery: Celery) -> Dispatcher:
    if config.on_streams:
        return StreamsDispatcher(celery, config.queue_key_prefix)
    longest_wait = config.visibility_timeout_seconds / 2
    if shares_flow_redis(config):
        return SharedRedisDispatcher(celery, longest_wait, queue_key_prefix(config))
    return CeleryDispatcher(celery, longest_wait)
