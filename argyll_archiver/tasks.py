# SPDX-License-Identifier: Apache-2.0
"""The tasks of the queue `archive`, and when beat asks for them. Each is safe to run twice, late or never.

Called by the entry points `worker.py` and `beat.py`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from celery import Celery

from argyll_archiver.archiver import Archiver
from argyll_archiver.config import ArchiverConfig
from argyll_archiver.retention import Retention
from argyll_engine import log
from argyll_engine.dispatch import ARCHIVE_QUEUE
from argyll_engine.errors import TransientError
from argyll_engine.model.ids import FlowID
from argyll_engine.progress import PROGRESS

CHECK_MEMORY: Final = "argyll.check_memory"
SWEEP_ARCHIVE: Final = "argyll.sweep_archive"
EXPIRE_ARCHIVE: Final = "argyll.expire_archive"
ARCHIVE_FLOW: Final = "argyll.archive_flow"

HELP_EXPIRES_SECONDS: Final = 60.0

_log = log.get(__name__)


def register_tasks(app: Celery, archiver: Archiver, retention: Retention) -> None:
    """Give the app the tasks of an archiver."""

    @app.task(name=CHECK_MEMORY, shared=False)
    def check_memory() -> None:
        """Archive while memory is short; the next check makes up for one that fails."""
        with _at_work():
            archiver.check_memory()

    @app.task(name=SWEEP_ARCHIVE, shared=False)
    def sweep_archive() -> None:
        """Archive what is old; the next sweep makes up for one that fails."""
        with _at_work():
            archiver.sweep(lambda: _call_for_help(app))

    @app.task(name=EXPIRE_ARCHIVE, shared=False)
    def expire_archive() -> None:
        """Delete what is past its retention; the next sweep makes up for one that fails."""
        with _at_work():
            retention.sweep()

    @app.task(
        name=ARCHIVE_FLOW,
        shared=False,
        autoretry_for=(TransientError,),
        retry_backoff=True,
        retry_backoff_max=60,
        max_retries=None,
    )
    def archive_flow(flow_id: str) -> None:
        """Archive one ended flow now, whatever its age."""
        archiver.archive(FlowID(flow_id))


def archive_schedule(config: ArchiverConfig) -> dict[str, dict[str, Any]]:
    """What beat asks for, and how often."""
    schedule = {
        CHECK_MEMORY: _every(CHECK_MEMORY, config.memory_check_interval_seconds),
        SWEEP_ARCHIVE: _every(SWEEP_ARCHIVE, config.sweep_interval_seconds),
    }
    if config.retention_seconds > 0:
        # under a steady load a sweep takes its interval and a batch, and no batch takes longer than its lease
        longest_sweep = config.sweep_interval_seconds + config.lease_timeout_seconds
        schedule[EXPIRE_ARCHIVE] = _every(EXPIRE_ARCHIVE, config.sweep_interval_seconds, longest_sweep)
    return schedule


def _every(task: str, interval_seconds: float, kept_seconds: float = 0.0) -> dict[str, Any]:
    """A periodic task; what nobody has taken after this time, at least the interval, is dropped."""
    options = {"queue": ARCHIVE_QUEUE, "expires": max(interval_seconds, kept_seconds)}
    return {"task": task, "schedule": interval_seconds, "options": options}


def _call_for_help(app: Celery) -> None:
    """Asks for one more sweep beside this one; nobody does it where all archivers are busy."""
    try:
        app.send_task(SWEEP_ARCHIVE, queue=ARCHIVE_QUEUE, expires=HELP_EXPIRES_SECONDS, ignore_result=True)
    except Exception as exc:  # noqa: BLE001 - a full or absent broker must not stop the sweep that asks
        _log.warning("archive_help_not_asked", error=str(exc))


@contextmanager
def _at_work() -> Iterator[None]:
    """A task that may take as long as the target lets it, and whose faults the next one makes up for."""
    PROGRESS.begin_call()
    try:
        yield
    except TransientError as exc:
        _log.warning("redis connection lost", error=str(exc))
    finally:
        PROGRESS.end_call()
