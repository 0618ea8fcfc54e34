# SPDX-License-Identifier: Apache-2.0
"""The tasks of the queue `archive`: when beat asks for them, and what each does."""

import pytest
from celery import Celery

from argyll_archiver.config import ArchiverConfig
from argyll_archiver.tasks import (
    ARCHIVE_FLOW,
    CHECK_MEMORY,
    EXPIRE_ARCHIVE,
    SWEEP_ARCHIVE,
    archive_schedule,
    register_tasks,
)
from argyll_engine.dispatch import ARCHIVE_QUEUE
from tests.unit.archiver.archiving import Archiving
from tests.unit.archiver.test_retention import RETENTION_SECONDS, retention_of


def test_beat_asks_at_the_intervals_of_the_configuration() -> None:
    """What nobody has taken when the next one is due is dropped."""
    config = ArchiverConfig(memory_check_interval_seconds=2.0, sweep_interval_seconds=60.0)
    schedule = archive_schedule(config)
    assert {CHECK_MEMORY: 2.0, SWEEP_ARCHIVE: 60.0} == {name: each["schedule"] for name, each in schedule.items()}
    assert {"queue": ARCHIVE_QUEUE, "expires": 2.0} == schedule[CHECK_MEMORY]["options"]


@pytest.mark.parametrize(("seconds", "is_asked"), [(0.0, False), (-1.0, False), (1.0, True)])
def test_beat_asks_for_expiry_where_there_is_a_retention(seconds: float, is_asked: bool) -> None:
    """Off by default."""
    assert is_asked == (EXPIRE_ARCHIVE in archive_schedule(ArchiverConfig(retention_seconds=seconds)))


@pytest.fixture
def app() -> Celery:
    """An app without tasks of its own."""
    return Celery("test", set_as_current=False)


def test_the_tasks_do_what_their_names_say(app: Celery) -> None:
    """Archive one, archive the old ones, archive when memory is short, and let go what is past its time."""
    place = Archiving()
    register_tasks(app, place.archiver, retention_of(place))
    place.end("a", "b", "c")
    app.tasks[ARCHIVE_FLOW]("b")
    assert [None, None] == [place.archived_log("a"), place.archived_log("c")]
    place.fill_memory(100)
    app.tasks[CHECK_MEMORY]()
    place.end("d")
    app.tasks[SWEEP_ARCHIVE]()
    assert 4 == len(place.sink.objects)
    place.pass_time(2 * RETENTION_SECONDS)
    app.tasks[EXPIRE_ARCHIVE]()
    assert {} == place.sink.objects
