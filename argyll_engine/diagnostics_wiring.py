# SPDX-License-Identifier: Apache-2.0
"""Puts together what probes and the metrics page need. Imported by entry points only; building opens no connection."""

import importlib.metadata
from functools import partial
from typing import Final, Protocol

from argyll_engine.canary import Canaries, Canary, RunsCanary
from argyll_engine.config import EngineConfig
from argyll_engine.dispatch import QUEUES
from argyll_engine.metrics.gauges import DeploymentGauges, ProcessGauges
from argyll_engine.metrics.instruments import begin_at_zero
from argyll_engine.metrics.page import Page
from argyll_engine.metrics.signs import processes
from argyll_engine.model.vitals import Vitals
from argyll_engine.store.connect import connect
from argyll_engine.store.remains import RedisRemains
from argyll_engine.store.sharded.vitals import ShardedVitalsReader
from argyll_engine.store.vitals import QueueKeys, VitalsReader
from argyll_engine.tasks.app import make_celery
from argyll_engine.transport.wire import DEFAULT_PRIORITIES, GROUP, Keys
from argyll_engine.wiring import build_parts

PROBE_TIMEOUT_SECONDS: Final = 1.0
"""How long a probe waits for an answer of Redis."""


class ReadsVitals(Protocol):
    """Reads the vitals of a deployment."""

    def read(self) -> Vitals:
        """The vitals, at most a second old."""


def build_page(vitals: ReadsVitals, folder: str, process: str) -> Page:
    """The metrics page of this process, or of all that keep their values in `folder`.

    Args:
        process: what this one is called there.
    """
    begin_at_zero()
    gauges = ProcessGauges(importlib.metadata.version("argyll"), partial(processes, folder, process))
    return Page(folder, (DeploymentGauges(vitals.read), gauges))


def build_vitals(config: EngineConfig) -> ReadsVitals:
    """What reads how the deployment is, with clients that give up soon: a probe must answer in time."""
    if not config.is_sharded:
        return _vitals_of_one(config)
    numbers = range(1, len(config.shards) + 1)
    return ShardedVitalsReader({config.flow_store_name(n): _vitals_of_one(config.of_shard(n)) for n in numbers})


def _vitals_of_one(config: EngineConfig) -> VitalsReader:
    flows, engine = config.flow_redis, config.engine_redis
    keys = Keys(config.queue_key_prefix)
    queues = [
        QueueKeys(
            name=queue,
            streams=keys.streams(queue, DEFAULT_PRIORITIES),
            delayed=keys.delayed(queue),
            dead=keys.dead(queue),
            group=GROUP,
        )
        for queue in QUEUES
    ]
    return VitalsReader(
        flow_client=connect(flows, PROBE_TIMEOUT_SECONDS),
        engine_client=None if flows.url() == engine.url() else connect(engine, PROBE_TIMEOUT_SECONDS),
        flow_prefix=flows.prefix,
        queues=queues if config.on_streams else (),
        is_strict=config.production,
    )


def build_canary(config: EngineConfig) -> RunsCanary:
    """What runs a flow to see that flows run, one on each shard; it has parts of its own, so no flow waits for it."""
    if not config.is_sharded:
        return _canary_on_one(config)
    return Canaries([_canary_on_one(config.of_shard(number)) for number in range(1, len(config.shards) + 1)])


def _canary_on_one(config: EngineConfig) -> Canary:
    parts = build_parts(config, make_celery(config))
    remains = RedisRemains(connect(config.flow_redis), config.flow_redis.prefix)
    return Canary(flows=parts.flow_executor, projections=parts.flows, scripts=parts.scripts, remains=remains)
