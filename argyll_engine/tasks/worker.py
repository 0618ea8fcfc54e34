# SPDX-License-Identifier: Apache-2.0
"""Entry point of Celery workers, beat and Flower: environment → configuration → worker → app.

`celery -A argyll_engine.tasks.worker:app …` finds the app here.
"""

import gc
import logging
import os
import warnings
from functools import partial

from celery import Celery
from celery.exceptions import CPendingDeprecationWarning
from celery.signals import beat_init, worker_ready, worker_shutdown, worker_shutting_down

from argyll_engine import log as logs
from argyll_engine.config import EngineConfig
from argyll_engine.diagnostics_wiring import build_vitals
from argyll_engine.dispatch import BEAT_QUEUE, CHECK_HEALTH, STEPS_QUEUE, SWEEP, WORK_QUEUE
from argyll_engine.errors import ConfigError
from argyll_engine.metrics.signs import FOLDER_VARIABLE, NAME_VARIABLE, Signer
from argyll_engine.progress import PROGRESS
from argyll_engine.redaction import Redactor
from argyll_engine.tasks.about import register_about
from argyll_engine.tasks.app import make_celery
from argyll_engine.tasks.calls import last_calls
from argyll_engine.tasks.context import task_context
from argyll_engine.tasks.heartbeat import Heartbeat
from argyll_engine.tasks.progress import LoopTurns, Watch
from argyll_engine.tasks.work import register_tasks
from argyll_engine.tracing.opening import Wish, open_traces, wish_of, with_trace_ids
from argyll_engine.wiring import build_worker, form_keeper

SERVICE = "argyll-worker"

COLLECT_AFTER = (20_000, 20, 100)
"""New objects until the youngest are looked at for cycles, and how many such looks until older ones are."""
CHATTY = ("celery.app.trace", "celery.beat", "celery.worker.strategy")
"""Loggers of Celery that write a line or two for every message; only `debug` wants those."""


def make_worker_app(config: EngineConfig, wish: Wish | None = None) -> Celery:
    """The Celery app with its tasks; its heartbeat begins when a worker is ready to consume.

    `wish` says whether traces are sent, and how. Raises ConfigError for several flow stores.
    """
    if config.is_sharded:
        raise ConfigError(["FLOW_REDIS_ADDR: a worker process serves one; `argyll worker` starts some for each"])
    logs.configure(config.log_settings(SERVICE, with_trace_ids(task_context, wish)))
    if config.log_level != "debug":
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
    celery = make_celery(config)
    traces = open_traces(wish, SERVICE, Redactor(config.secrets, config.log_redact).text)
    worker = build_worker(config, celery, traces)
    heartbeat = Heartbeat(
        worker.leases,
        worker.clock,
        worker.runner.worker_id,
        config.worker_lease_seconds,
        form_keeper(config),
    )
    register_tasks(celery, worker, commits_settle=config.on_streams)
    worker_ready.connect(partial(_begin_to_live, celery, heartbeat), weak=False)
    worker_ready.connect(_spare_the_collector, weak=False)
    worker_shutting_down.connect(worker.runner.stop, weak=False)
    worker_shutting_down.connect(worker.checks.stop, weak=False)
    worker_shutting_down.connect(worker.calls.stop, weak=False)
    celery.steps["worker"].add(last_calls(worker.calls))
    worker_shutdown.connect(heartbeat.stop, weak=False)
    beat_init.connect(partial(_look_at_once, celery), weak=False)
    _show_signs_of_life(config, celery)
    register_about()
    return celery


def _show_signs_of_life(config: EngineConfig, celery: Celery) -> None:
    """Signs where the supervisor looks; nobody does for a worker that was started without one."""
    folder, name = os.environ.get(FOLDER_VARIABLE), os.environ.get(NAME_VARIABLE)
    if not folder or not name:
        return
    watch = Watch(PROGRESS, build_vitals(config).read, config.worker_stuck_after_seconds)
    signer = Signer(folder, name, watch.look)

    def consume(**_signal: object) -> None:
        watch.consume(tuple(celery.amqp.queues.consume_from))
        signer.start()

    celery.steps["consumer"].add(LoopTurns)
    worker_ready.connect(consume, weak=False)
    worker_shutting_down.connect(signer.stop, weak=False)
    beat_init.connect(signer.start, weak=False)


def _begin_to_live(celery: Celery, heartbeat: Heartbeat, **_signal: object) -> None:
    """Counts among the workers from now on; an archiver does not, for flows cannot rely on it."""
    if {STEPS_QUEUE, WORK_QUEUE} & set(celery.amqp.queues.consume_from):
        heartbeat.start()


def _spare_the_collector(**_signal: object) -> None:
    """Leave what start-up made to no collection, and look for cycles of garbage rarely: states of flows have none, and
    a look at thousands of them would hold all tasks up."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def _look_at_once(celery: Celery, **_signal: object) -> None:
    """The first sweep and health checks, when beat starts; beat itself would wait for the intervals to pass."""
    for task, args in ((SWEEP, ()), (CHECK_HEALTH, (True,))):
        celery.send_task(task, args, queue=BEAT_QUEUE, ignore_result=True)


# Celery repeats on every lost connection that a default of ours will change one day.
warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)

logs.catch_crashes()
app = make_worker_app(EngineConfig.from_env(os.environ), wish_of(os.environ))
