# SPDX-License-Identifier: Apache-2.0
"""Entry point of `argyll beat`: the engine's app, with the schedule of archiving where there is a target.

`celery -A argyll_archiver.beat:app beat` finds the app here.
"""

import os
from functools import partial

from celery import Celery
from celery.signals import beat_init

from argyll_archiver.config import ArchiverConfig
from argyll_archiver.tasks import archive_schedule
from argyll_engine.dispatch import ARCHIVE_QUEUE
from argyll_engine.tasks.worker import app as app

__all__ = ["app"]


def add_schedule(celery: Celery, config: ArchiverConfig) -> None:
    """Let beat ask for archiving, at once and then at its intervals."""
    if config.target is None:
        return
    schedule = archive_schedule(config)
    celery.conf.beat_schedule.update(schedule)
    beat_init.connect(partial(_ask_at_once, celery, tuple(schedule)), weak=False)


def _ask_at_once(celery: Celery, tasks: tuple[str, ...], **_signal: object) -> None:
    """When beat starts; it would wait for the intervals to pass."""
    for task in tasks:
        celery.send_task(task, queue=ARCHIVE_QUEUE, ignore_result=True)


add_schedule(app, ArchiverConfig.from_env(os.environ))
