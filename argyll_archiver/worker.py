# SPDX-License-Identifier: Apache-2.0
"""Entry point of `argyll archiver`: the engine's worker app, with the tasks of archiving.

`celery -A argyll_archiver.worker:app worker -Q archive` finds the app here. It asks for nothing by itself but what the
watch looks for; beat does the rest.
"""

import os

from celery import Celery
from celery.signals import worker_ready, worker_shutting_down

from argyll_archiver.tasks import register_tasks
from argyll_archiver.watch import Watch
from argyll_archiver.wiring import archiver_config, build_archiver, build_retention
from argyll_engine import log as logs
from argyll_engine.config import EngineConfig
from argyll_engine.tasks.context import task_context
from argyll_engine.tasks.worker import app as app

__all__ = ["app"]

SERVICE = "argyll-archiver"
"""What log lines call this process, instead of a worker."""


def add_archiver(celery: Celery) -> None:
    """Give a worker app what it needs to archive, as the environment says."""
    config = archiver_config(os.environ)
    engine = EngineConfig.from_env(os.environ)
    logs.configure(engine.log_settings(SERVICE, task_context))
    archiver, retention = build_archiver(engine, config), build_retention(engine, config)
    watch = Watch(archiver, config.poll_interval_seconds)
    register_tasks(celery, archiver, retention)
    worker_ready.connect(watch.start, weak=False)
    worker_shutting_down.connect(archiver.stop, weak=False)
    worker_shutting_down.connect(retention.stop, weak=False)
    worker_shutting_down.connect(watch.stop, weak=False)


add_archiver(app)
