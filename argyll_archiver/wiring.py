# SPDX-License-Identifier: Apache-2.0
"""Puts the archiver's parts together. Imported by entry points; reads no environment, and opens no connection."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from argyll_archiver.archive import FlowArchive
from argyll_archiver.archiver import Archiver
from argyll_archiver.batches import Batches
from argyll_archiver.config import ArchiverConfig
from argyll_archiver.inspection import Inspection, Selection
from argyll_archiver.reader import ArchiveReader
from argyll_archiver.retention import Retention
from argyll_archiver.sinks.opening import open_sink
from argyll_archiver.sinks.port import Sink
from argyll_archiver.target import FileTarget, parse_target
from argyll_engine.aggregates import FlowAggregate
from argyll_engine.archive_changes import ArchiveAccess, ArchiveChanges
from argyll_engine.archived_flows import NoArchive
from argyll_engine.cache import ProjectionCache
from argyll_engine.clock import SystemClock
from argyll_engine.config import EngineConfig
from argyll_engine.errors import ConfigError
from argyll_engine.model.flow import FlowState
from argyll_engine.ports import ArchiveJobs, ArchiveStore, Clock
from argyll_engine.projections import Projections
from argyll_engine.store.archive import RedisArchiveStore
from argyll_engine.store.archive_jobs import RedisArchiveJobs
from argyll_engine.store.connect import connect
from argyll_engine.store.sharded.opening import open_flow_stores

__all__ = [
    "NO_TARGET",
    "ArchiverConfig",
    "Desk",
    "FileTarget",
    "Selection",
    "Sink",
    "archiver_config",
    "assemble_archiver",
    "build_access",
    "build_archiver",
    "build_changes",
    "build_desk",
    "build_retention",
    "open_place",
    "open_sink",
]

WRITERS: Final = 16
"""Threads of an archiver that write and verify objects; most of their time they wait."""

SIDE_BY_SIDE: Final = 3
"""Batches at the same time while memory is short: so many of the usual size keep the writers busy."""

_STATES: Final = 16
"""States of flows that a process keeps which only restores and erases them."""

NO_TARGET: Final = "ARCHIVE_BUCKET_URL is not set: there is nowhere to archive to"


def archiver_config(environment: Mapping[str, str]) -> ArchiverConfig:
    """What these variables say of archiving. Raises ConfigError with every fault at once."""
    return ArchiverConfig.from_env(environment)


def build_archiver(engine: EngineConfig, config: ArchiverConfig) -> Archiver:
    """The archiver on the one flow store of a configuration. Raises ConfigError where there is no target."""
    if config.target is None:
        raise ConfigError([NO_TARGET])
    client, prefix = connect(engine.flow_redis), engine.flow_redis.prefix
    return assemble_archiver(
        config,
        store=RedisArchiveStore(client, prefix, memory_limit_bytes=engine.memory_limit_bytes),
        jobs=RedisArchiveJobs(client, prefix),
        sink=open_sink(config.target),
        clock=SystemClock(),
        side_by_side=SIDE_BY_SIDE,
    )


def assemble_archiver(
    config: ArchiverConfig,
    *,
    store: ArchiveStore,
    jobs: ArchiveJobs,
    sink: Sink,
    clock: Clock,
    side_by_side: int = 1,
) -> Archiver:
    """The archiver on these adapters."""
    batches = Batches(
        store=store,
        jobs=jobs,
        archive=FlowArchive(sink, config.prefix),
        workers=ThreadPoolExecutor(WRITERS, thread_name_prefix="archive"),
        lease_ms=int(config.lease_timeout_seconds * 1_000),
    )
    return Archiver(config=config, store=store, jobs=jobs, batches=batches, clock=clock, side_by_side=side_by_side)


def open_place(url: str) -> Sink:
    """The objects of a place that `s3://bucket?options` or `file:///directory` names. Raises ValueError for others."""
    return open_sink(parse_target(url))


def build_access(config: ArchiverConfig) -> ArchiveAccess:
    """What the API knows of the archive; opens it when it is first asked."""
    rest = timedelta(seconds=max(0.0, config.max_age_seconds))
    if config.target is None:
        return ArchiveAccess(archive=NoArchive(), rest=rest)
    return ArchiveAccess(archive=ArchiveReader(config.target, config.prefix), rest=rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What operators work with: looking at the archive, changing it, and what expires by itself."""

    store: ArchiveStore
    reader: ArchiveReader
    inspection: Inspection
    changes: ArchiveChanges
    retentions: tuple[Retention, ...]
    """One for each flow store."""


def build_desk(engine: EngineConfig, config: ArchiverConfig) -> Desk:
    """The operators' part on the flow store of a configuration. Raises ConfigError where there is no target."""
    if config.target is None:
        raise ConfigError([NO_TARGET])
    stores, reader = open_flow_stores(engine), ArchiveReader(config.target, config.prefix)
    alone = [engine.of_shard(number) for number in range(1, len(engine.shards) + 1)]
    return Desk(
        store=stores.archive,
        reader=reader,
        inspection=Inspection(index=stores.index, store=stores.archive, reader=reader),
        changes=build_changes(engine, config),
        retentions=tuple(build_retention(each, config) for each in alone),
    )


def build_retention(engine: EngineConfig, config: ArchiverConfig) -> Retention:
    """What lets archived flows of one flow store go that are past their retention."""
    return Retention(
        changes=build_changes(engine, config),
        leases=open_flow_stores(engine).leases,
        clock=SystemClock(),
        retention_seconds=config.retention_seconds,
        lease_seconds=config.lease_timeout_seconds,
    )


def build_changes(engine: EngineConfig, config: ArchiverConfig) -> ArchiveChanges:
    """What restores and erases flows, outside of the API."""
    stores = open_flow_stores(engine)
    log: Projections[FlowState] = Projections(
        stores.flows, FlowAggregate(engine.recovery_grace_seconds), ProjectionCache(_STATES)
    )
    return ArchiveChanges(store=stores.archive, access=build_access(config), flows=log, clock=SystemClock())
