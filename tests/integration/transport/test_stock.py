# SPDX-License-Identifier: Apache-2.0
"""What Celery's stock Redis transport does where ours promises more: a column of the table in docs/transport.md.

These tests hold a record, not a wish. When one fails, kombu has changed: mend the table. Stock looks for overdue
messages every 100 s or so; here it does every second, so that what it then does is seen soon.
"""

import time
from collections.abc import Callable

import pytest

from tests.integration.transport.fleet import Fleet, eventually

VISIBILITY = 1.0
EAGER = {"unacked_restore_interval": 1, "unacked_restore_throttle": 1}

pytestmark = pytest.mark.slow


@pytest.fixture
def stock(make_fleet: Callable[..., Fleet]) -> Fleet:
    """A fleet on `redis://` that looks for overdue messages every second."""
    return make_fleet(visibility=VISIBILITY, stock=True, **EAGER)


def test_messages_of_a_killed_worker_come_back_when_it_looks(stock: Fleet) -> None:
    """Nothing that was noted as delivered is lost; it waits for the look of another worker."""
    stock.lose_a_reader(20)
    assert {str(number) for number in range(20)} == set(stock.names("end"))


def test_a_task_of_many_visibility_timeouts_is_repeated(stock: Fleet) -> None:
    """A busy worker is taken for dead, and another one runs its task again while it is still at it."""
    stock.start_worker()
    stock.start_worker()
    stock.send("work", "long", 8 * VISIBILITY)
    eventually(lambda: stock.names("start")["long"] >= 2, "it was started again")
    assert 0 == stock.names("end")["long"]


def test_an_eta_beyond_the_visibility_timeout_fires_more_than_once(stock: Fleet) -> None:
    """The worker that keeps a message in memory until it is due gets it again, and so does the other one."""
    stock.start_worker()
    stock.start_worker()
    stock.send("work", "later", countdown=8 * VISIBILITY)
    eventually(lambda: stock.names("start")["later"] >= 2, "it fired again")


def test_a_poison_message_is_delivered_for_ever(stock: Fleet) -> None:
    """Nobody counts deliveries: each worker that comes dies of it."""
    stock.send("die", "poison")
    for count in range(1, 5):
        worker = stock.start_worker(ready=False)
        eventually(lambda worker=worker: stock.has_ended(worker), "the worker died")
        assert count == stock.names("start")["poison"]


def test_redis_that_is_restarted_is_served_again(stock: Fleet) -> None:
    """Workers come back by themselves. A message may be lost, so not all of a hundred are waited for."""
    stock.start_worker("threads", 2, 4)
    for number in range(100):
        stock.send("work", str(number), 0.05)
    eventually(lambda: len(stock.names("end")) >= 10, "under load")
    stock.server.stop()
    time.sleep(1.0)
    stock.server.start()
    eventually(lambda: len(stock.names("end")) >= 90, "most tasks ended")


@pytest.mark.parametrize(("pool", "threads", "prefetch"), [("threads", 2, 4), ("prefork", 1, 4)])
def test_what_was_read_ahead_goes_back_at_shutdown(
    make_fleet: Callable[..., Fleet], pool: str, threads: int, prefetch: int
) -> None:
    """At once and without loss, as with ours; only the order is another."""
    fleet = make_fleet(visibility=600.0, stock=True)
    worker = fleet.start_worker(pool, threads, prefetch)
    for number in range(30):
        fleet.send("work", str(number), 0.3)
    eventually(lambda: fleet.names("start"), "the first task started")
    fleet.stop(worker)
    done = fleet.names("end")
    assert len(done) < 30
    fleet.start_worker()
    eventually(lambda: len(fleet.names("end")) == 30, "every task ended")
    assert {1} == set(fleet.names("start").values())
