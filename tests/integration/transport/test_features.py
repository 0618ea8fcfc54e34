# SPDX-License-Identifier: Apache-2.0
"""What Celery offers beside running tasks, over the transport."""

import contextlib
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tests.integration.transport.fleet import Fleet, eventually


def test_remote_control_reaches_a_worker(fleet: Fleet) -> None:
    """`inspect` gets an answer in time, from an idle worker."""
    fleet.start_worker()
    assert [{"w0@test": {"ok": "pong"}}] == fleet.app.control.ping(timeout=2.0)
    with fleet.redis() as client:
        assert [] == [key for key in client.keys("*") if b"reply" in key and b"bindings" not in key]


def test_worker_events_reach_a_monitor(fleet: Fleet) -> None:
    """Who listens as Flower does hears of tasks."""
    fleet.start_worker()
    heard: list[str] = []
    with fleet.app.connection_for_read() as connection:
        receiver = fleet.app.events.Receiver(connection, handlers={"*": lambda event: heard.append(event["type"])})
        with receiver.consumer_context() as (own, *_):
            fleet.app.control.enable_events()
            time.sleep(0.5)
            fleet.send("work", "watched")
            eventually(lambda: _drained(own, heard, "task-succeeded"), "the task was seen", 10.0)
    assert "task-received" in heard


def _drained(connection, heard: list[str], wanted: str) -> bool:  # type: ignore[no-untyped-def]
    with contextlib.suppress(TimeoutError):
        connection.drain_events(timeout=0.2)
    return wanted in heard


def test_urgent_messages_go_first(fleet: Fleet) -> None:
    """Of what waits, the smallest number is taken first, as with the stock Redis transport."""
    for name, priority in (("low", 9), ("middle", 3), ("high", 0)):
        fleet.send("work", name, priority=priority)
    fleet.start_worker()
    eventually(lambda: len(fleet.traces("end")) == 3, "all ran")
    assert ["high", "middle", "low"] == [name for name, _ in fleet.traces("start")]


def test_a_retry_waits_in_redis(fleet: Fleet) -> None:
    """`task.retry` with a countdown runs again when it is due."""
    fleet.start_worker()
    fleet.send("again", "patient")
    eventually(lambda: fleet.names("end"), "it went through")
    times = [at for _, at in fleet.traces("start")]
    assert len(times) == 3
    assert all(0.2 <= later - earlier < 1.2 for earlier, later in pairwise(times))


def test_a_short_countdown_wakes_an_idle_worker(fleet: Fleet) -> None:
    """A worker that waits for messages hears of one that is due sooner than anything it knows of."""
    fleet.start_worker()
    fleet.send("work", "far", countdown=60)
    time.sleep(0.5)
    sent = time.time()
    fleet.send("work", "near", countdown=0.3)
    eventually(lambda: fleet.names("start")["near"], "it ran")
    ((_, started),) = fleet.traces("start")
    assert 0.3 <= started - sent < 0.8


def test_queues_can_be_counted_purged_and_deleted(fleet: Fleet) -> None:
    """Lengths count what is ready, purging drops what waits as well."""
    for number in range(3):
        fleet.send("work", str(number))
    fleet.send("work", "later", countdown=600)
    with fleet.app.connection_for_write() as connection:
        channel = connection.default_channel
        assert 3 == channel.queue_declare("celery", passive=True).message_count
        assert 4 == channel.queue_purge("celery")
        assert 0 == channel.queue_declare("celery", passive=True).message_count
        channel.queue_delete("celery")
    with fleet.redis() as client:
        assert [] == [key for key in client.keys("*") if b"bindings" not in key]


def test_a_message_can_be_fetched_one_at_a_time(fleet: Fleet) -> None:
    """`basic_get` takes one; rejecting it puts it back with a mark, acknowledging it removes it."""
    fleet.send("work", "one")
    with fleet.app.connection_for_write() as connection, connection.channel() as channel:
        first = channel.basic_get("celery")
        first.reject(requeue=True)
        second = channel.basic_get("celery")
        assert second.delivery_info["redelivered"]
        second.ack()
        assert channel.basic_get("celery") is None


def test_a_rejected_message_becomes_a_dead_letter_that_can_be_retried(fleet: Fleet) -> None:
    """A task that no worker knows is kept for operators."""
    fleet.start_worker()
    fleet.send("unknown", "x")
    letters = fleet.dead_letters()
    eventually(lambda: letters.list("celery"), "a dead letter")
    (letter,) = letters.list("celery")
    assert ("unknown", "rejected") == (letter.task, letter.reason)
    assert timedelta(seconds=-5) < datetime.now(UTC) - letter.since < timedelta(seconds=60)
    assert 1 == letters.retry("celery", [letter.letter_id])
    eventually(lambda: [one for one in letters.list("celery") if one.letter_id != letter.letter_id], "rejected again")


@pytest.mark.parametrize(("pool", "threads", "prefetch"), [("threads", 4, 4), ("prefork", 2, 4)])
def test_other_pools_run_everything_once(fleet: Fleet, pool: str, threads: int, prefetch: int) -> None:
    """Pools that acknowledge from other threads lose nothing and repeat nothing."""
    for number in range(200):
        fleet.send("work", str(number))
    worker = fleet.start_worker(pool, threads, prefetch)
    eventually(lambda: len(fleet.names("end")) == 200, "all ran")
    fleet.stop(worker)
    assert {1} == set(fleet.names("end").values())
    with fleet.redis() as client:
        assert 0 == client.xlen("{celery}:queue:celery:0")
