# SPDX-License-Identifier: Apache-2.0
"""Entry point of Celery workers, beat and Flower: environment → configuration → worker → app.

`celery -A argyll_engine.tasks.worker:app …` finds the app here.
"""

import logging
import os
import warnings
from functools import partial

from celery import Celery
from celery.exceptions import CPendingDeprecationWarning
from celery.signals import beat_init, worker_ready, worker_shutdown, worker_shutting_down

from argyll_engine import log as logs
from argyll_engine.config import EngineConfig
from argyll_engine.dispatch import BEAT_QUEUE, CHECK_HEALTH, SWEEP
from argyll_engine.tasks.app import make_celery
from argyll_engine.tasks.heartbeat import Heartbeat
from argyll_engine.tasks.work import register_tasks
from argyll_engine.wiring import build_worker

CHATTY = ("celery.app.trace", "celery.beat", "celery.worker.strategy")
"""Loggers of Celery that write a line or two for every message; only `debug` wants those."""


def make_worker_app(config: EngineConfig) -> Celery:
    """The Celery app with its tasks; its heartbeat begins when a worker is ready to consume."""
    logs.configure(config.log_level, config.log_format, service="argyll-worker", environment=config.environment)
    if config.log_level != "debug":
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
    celery = make_celery(config)
    worker = build_worker(config, celery)
    heartbeat = Heartbeat(worker.leases, worker.clock, worker.runner.worker_id, config.worker_lease_seconds)
    register_tasks(celery, worker)
    worker_ready.connect(heartbeat.start, weak=False)
    worker_shutting_down.connect(worker.runner.stop, weak=False)
    worker_shutting_down.connect(worker.checks.stop, weak=False)
    worker_shutdown.connect(heartbeat.stop, weak=False)
    beat_init.connect(partial(_look_at_once, celery), weak=False)
    return celery


def _look_at_once(celery: Celery, **_signal: object) -> None:
    """The first sweep and health checks, when beat starts; beat itself would wait for the intervals to pass."""
    for task in (SWEEP, CHECK_HEALTH):
        celery.send_task(task, queue=BEAT_QUEUE, ignore_result=True)


# Celery repeats on every lost connection that a default of ours will change one day.
warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)

app = make_worker_app(EngineConfig.from_env(os.environ))
