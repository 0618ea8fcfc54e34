# SPDX-License-Identifier: Apache-2.0
"""What the sign of life of a worker says: it changes while the worker gets somewhere, and tells when it is deaf."""

import pytest
from celery import Celery

from argyll_engine.config import EngineConfig
from argyll_engine.dispatch import SWEEP
from argyll_engine.model.vitals import QueueVitals, Vitals
from argyll_engine.progress import Progress
from argyll_engine.tasks.app import make_celery
from argyll_engine.tasks.progress import MOST_WAITING, Watch, WatchedScheduler

LIMIT = 60.0


class Worker:
    """A watched process: its counts, its queues and its time are the test's."""

    def __init__(self):
        self.progress = Progress()
        self.vitals = Vitals(stores=())
        self.asked = 0
        self.at = 0.0
        self.watch = Watch(self.progress, self._read, LIMIT, lambda: self.at)
        self.watch.consume(("steps",))
        self.watch.look()

    def _read(self):
        self.asked += 1
        return self.vitals

    def beats(self, seconds=1.0):
        """Whether the sign changes when so much time has passed."""
        before = self.watch.look()[0]
        self.at += seconds
        return self.watch.look()[0] != before

    def trouble(self, seconds):
        """What the sign says after so many looks, one a second."""
        for _ in range(int(seconds)):
            self.at += 1.0
            trouble = self.watch.look()[1]
        return trouble


@pytest.fixture
def worker():
    """A worker that has just signed."""
    return Worker()


@pytest.mark.parametrize("count", ["turns", "trips"])
def test_the_sign_changes_with_what_is_done(worker, count):
    """A turn of the loop is progress, and so is a round trip to a store."""
    before = worker.watch.look()[0]
    setattr(worker.progress, count, 1)
    assert before != worker.watch.look()[0]


def test_the_sign_stays_when_nothing_is_done(worker):
    """A loop that does not turn shows."""
    assert not worker.beats()


def test_a_call_may_take_as_long_as_it_likes(worker):
    """A step that is being called is progress, whatever the loop does."""
    worker.progress.begin_call()
    assert worker.beats(3_600.0)
    worker.progress.end_call()
    worker.watch.look()
    assert not worker.beats()


def old_message(queue="steps"):
    """A queue whose oldest message has waited too long."""
    return Vitals(stores=(), queues=(QueueVitals(name=queue, ready=1, oldest_seconds=LIMIT + 1),))


def test_an_idle_worker_that_leaves_old_messages_alone_is_deaf(worker):
    """Its loop turns, and it says itself what is wrong."""
    worker.vitals = old_message()
    assert "" == worker.trouble(LIMIT - 1)
    assert "takes nothing, though a message in steps has waited for 61 s" == worker.trouble(LIMIT)


def test_queues_are_not_asked_after_while_there_is_something_to_do(worker):
    """A busy worker costs Redis nothing."""
    worker.vitals = old_message()
    for _ in range(200):
        worker.progress.trips += 1
        assert "" == worker.trouble(1)
    assert 0 == worker.asked


def test_an_idle_worker_asks_seldom(worker):
    """A few times in the time that a message may wait."""
    worker.trouble(4 * LIMIT)
    assert 10 <= worker.asked <= 14


@pytest.mark.parametrize("vitals", [old_message("work"), Vitals(stores=())])
def test_messages_of_others_are_no_trouble(worker, vitals):
    """Neither are queues that nobody knows anything of."""
    worker.vitals = vitals
    assert "" == worker.trouble(3 * LIMIT)


@pytest.mark.parametrize(
    ("broker", "event"),
    [
        ("", "redis connection lost"),
        ("amqp://guest@127.0.0.1:1//", "broker connection lost"),
    ],
)
def test_beat_says_in_one_line_that_it_could_not_send(caplog, broker, event):
    """The broker is away; the next round makes up for it, so there is no traceback."""
    scheduler = _scheduler(broker)
    scheduler.apply_entry(scheduler.schedule[SWEEP])
    assert [(event, False)] == [(record.message, record.exc_info) for record in caplog.records]


def test_beat_tells_a_fault_of_ours_with_its_traceback(caplog):
    """Nothing goes wrong unseen."""
    scheduler = _scheduler("")
    entry = scheduler.schedule[SWEEP]
    entry.args = 1
    scheduler.apply_entry(entry)
    (record,) = [record for record in caplog.records if record.message == "beat_failed"]
    assert record.exc_info is not None


def test_beat_does_not_fill_a_queue_that_nobody_reads():
    """An archive without an archiver, say; when somebody takes the messages, beat goes on."""
    app = Celery("beat", broker="memory://", set_as_current=False)
    app.conf.beat_schedule = {"look": {"task": "look", "schedule": 60.0, "options": {"queue": "unread"}}}
    scheduler = WatchedScheduler(app=app)
    with app.connection_for_write() as connection, connection.channel() as channel:
        for taken in (0, 30):
            for _ in range(taken):
                assert channel.basic_get("unread", no_ack=True) is not None
            for _ in range(MOST_WAITING + 20):
                scheduler.apply_entry(scheduler.schedule["look"])
            assert MOST_WAITING == channel.queue_declare("unread", passive=True).message_count


def _scheduler(broker):
    """Beat's, on a broker that is not there."""
    config = EngineConfig.from_env({"FLOW_REDIS_ADDR": "127.0.0.1:1", "CELERY_BROKER_URL": broker})
    return WatchedScheduler(app=make_celery(config))
