# SPDX-License-Identifier: Apache-2.0
"""The tasks of the queue `archive`: what each asks of the archiver, and how often beat asks for them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.exceptions import Retry

from argyll_archiver.config import ArchiverConfig
from argyll_archiver.retention import Retention
from argyll_archiver.tasks import (
    ARCHIVE_FLOW,
    CHECK_MEMORY,
    EXPIRE_ARCHIVE,
    SWEEP_ARCHIVE,
    archive_schedule,
    register_tasks,
)
from argyll_engine.errors import ArchiveUnavailableError, StoreUnavailableError
from argyll_engine.progress import PROGRESS
from tests.unit.archiver.archiving import Archiving


@pytest.fixture
def archiving() -> Archiving:
    """An archiver with one ended flow, and memory that is short."""
    archiving = Archiving()
    archiving.end("a")
    archiving.fill_memory(90)
    return archiving


def _run(archiving: Archiving, task: str, *args: Any) -> Any:
    app = Celery("test", set_as_current=False)
    register_tasks(app, archiving.archiver, _retention(archiving))
    return app.tasks[task].apply(args=args, throw=True).get()


def _retention(archiving: Archiving) -> Retention:
    """One that is off."""
    workshop = archiving.workshop
    return Retention(
        changes=workshop.engine.archive,
        leases=workshop.leases,
        clock=workshop.clock,
        retention_seconds=0.0,
        lease_seconds=1.0,
    )


@pytest.mark.parametrize(("task", "args"), [(CHECK_MEMORY, ()), (SWEEP_ARCHIVE, ()), (ARCHIVE_FLOW, ("a",))])
def test_each_task_archives(archiving: Archiving, task: str, args: tuple[str, ...]) -> None:
    """For its own reason."""
    _run(archiving, task, *args)
    assert () == archiving.log("a")


@pytest.mark.parametrize("task", [CHECK_MEMORY, SWEEP_ARCHIVE])
def test_a_store_that_is_away_is_for_the_next_one(archiving: Archiving, task: str) -> None:
    """A periodic task does not fail for it; while it runs, this process is at work."""
    seen: list[int] = []

    def away(*_: Any) -> Any:
        seen.append(PROGRESS.calls)
        raise StoreUnavailableError("flow", "gone")

    archiving.jobs.reserve = away  # type: ignore[method-assign]
    before = PROGRESS.calls
    _run(archiving, task)
    assert ([before + 1], before) == (seen, PROGRESS.calls)


def test_a_flow_that_was_asked_for_is_asked_for_again(archiving: Archiving) -> None:
    """When the store was away."""

    def away(*_: Any) -> Any:
        raise StoreUnavailableError("flow", "gone")

    archiving.jobs.hold = away  # type: ignore[method-assign]
    with pytest.raises((Retry, StoreUnavailableError)):
        _run(archiving, ARCHIVE_FLOW, "a")


def test_a_target_that_did_not_take_a_flow_is_asked_again(archiving: Archiving) -> None:
    """The message stays until the flow is archived."""
    archiving.sink.is_away = True
    with pytest.raises((Retry, ArchiveUnavailableError)):
        _run(archiving, ARCHIVE_FLOW, "a")
    archiving.sink.is_away = False
    _run(archiving, ARCHIVE_FLOW, "a")
    assert archiving.archived_log("a")


def test_the_log_of_an_archiver_bears_its_name(tmp_path: Path) -> None:
    """In a process of its own: the app of workers is its base, and has another name."""
    environment = {"ARCHIVE_BUCKET_URL": f"file://{tmp_path}", "LOG_FORMAT": "json", "PATH": os.environ["PATH"]}
    program = "import argyll_archiver.worker, logging; logging.getLogger('x').warning('here')"
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert ["argyll-archiver"] == [json.loads(line)["service"] for line in done.stderr.splitlines()]


def test_beat_asks_as_often_as_it_is_told() -> None:
    """On the queue of archivers; what nobody takes in time is dropped."""
    schedule = archive_schedule(ArchiverConfig(memory_check_interval_seconds=7.0, sweep_interval_seconds=70.0))
    told = {name: (row["schedule"], row["options"]) for name, row in schedule.items()}
    assert (7.0, {"queue": "archive", "expires": 7.0}) == told[CHECK_MEMORY]
    assert (70.0, {"queue": "archive", "expires": 70.0}) == told[SWEEP_ARCHIVE]


def test_an_order_to_expire_outlives_a_sweep() -> None:
    """That takes its interval and a batch; an order that was dropped behind it would never be carried out."""
    config = ArchiverConfig(retention_seconds=60.0, sweep_interval_seconds=5.0, lease_timeout_seconds=30.0)
    expiry, sweep = (archive_schedule(config)[name]["options"]["expires"] for name in (EXPIRE_ARCHIVE, SWEEP_ARCHIVE))
    assert (35.0, 5.0) == (expiry, sweep)
