# SPDX-License-Identifier: Apache-2.0
"""What the transport promises when workers or Redis die."""

import time
from collections import Counter
from collections.abc import Callable

import pytest
from _pytest.mark import ParameterSet

from tests.integration.transport.fleet import Fleet, eventually

VISIBILITY = 1.0
RESUMED_WITHIN = 5.0
SOLO = ("solo", 1, 0)


def slowly(*pools: tuple[str, int, int]) -> list[ParameterSet]:
    """Cases that only the long run has."""
    return [pytest.param(*pool, marks=pytest.mark.slow) for pool in pools]


def test_a_worker_killed_between_read_and_acknowledgement_loses_nothing(fleet: Fleet) -> None:
    """All that a killed worker had read is run by another one."""
    fleet.lose_a_reader(20)
    assert {str(number) for number in range(20)} == set(fleet.names("end"))


def test_a_task_of_three_visibility_timeouts_runs_once(fleet: Fleet) -> None:
    """A busy worker is not taken for dead, though another one waits for work all the time."""
    fleet.start_worker()
    fleet.start_worker()
    fleet.send("work", "long", 3 * VISIBILITY)
    eventually(lambda: fleet.names("end"), "the task ended")
    time.sleep(VISIBILITY)
    assert Counter({"long": 1}) == fleet.names("start")


def test_an_eta_of_two_visibility_timeouts_fires_once(fleet: Fleet) -> None:
    """A message that waits fires once, not early, while two workers look on."""
    fleet.start_worker()
    fleet.start_worker()
    sent = time.time()
    fleet.send("work", "later", countdown=2 * VISIBILITY)
    eventually(lambda: fleet.names("end"), "the task ended")
    time.sleep(VISIBILITY)
    ((_, started),) = fleet.traces("start")
    assert 2 * VISIBILITY <= started - sent < 3 * VISIBILITY


@pytest.mark.slow
def test_an_eta_survives_every_worker_and_redis(fleet: Fleet) -> None:
    """A message that waits is in Redis and nowhere else, and Redis keeps it over a crash."""
    first = fleet.start_worker()
    sent = time.time()
    fleet.send("work", "later", countdown=4.0)
    fleet.kill(first)
    fleet.server.stop()
    fleet.server.start()
    fleet.start_worker()
    eventually(lambda: fleet.names("end"), "the task ended")
    time.sleep(VISIBILITY)
    ((_, started),) = fleet.traces("start")
    assert started - sent >= 4.0


@pytest.mark.slow
@pytest.mark.parametrize(("pool", "threads", "prefetch"), [SOLO, *slowly(("threads", 4, 4), ("prefork", 2, 4))])
def test_a_restart_of_redis_under_load_is_survived(fleet: Fleet, pool: str, threads: int, prefetch: int) -> None:
    """Consumption goes on by itself within seconds; nothing is lost and nothing runs twice."""
    total = 300
    fleet.start_worker(pool, threads, prefetch)
    for number in range(total):
        fleet.send("work", str(number), 0.01)
    eventually(lambda: len(fleet.names("end")) >= 10, "under load")
    fleet.server.stop()
    time.sleep(1.0)
    fleet.server.start()
    back = time.time()
    eventually(lambda: [at for _, at in fleet.traces("start") if at > back + 0.05], "resumed", RESUMED_WITHIN)
    eventually(lambda: len(fleet.names("end")) == total, "every task ended")
    assert {1} == set(fleet.names("start").values())


@pytest.mark.slow
def test_a_redis_that_forgot_everything_is_served_again(fleet: Fleet) -> None:
    """Without its groups and scripts, Redis gets them again."""
    fleet.start_worker()
    fleet.send("work", "before")
    eventually(lambda: fleet.names("end"), "the first task ended")
    with fleet.redis() as client:
        client.flushall()
        client.script_flush()
    fleet.send("work", "after")
    eventually(lambda: fleet.names("end")["after"], "the second task ended")


def test_a_poison_message_becomes_a_dead_letter(make_fleet: Callable[..., Fleet]) -> None:
    """A message that kills its workers is put aside; others that were read along with it are run."""
    fleet = make_fleet(delivery_limit=2, visibility=0.5)
    fleet.send("die", "poison")
    for number in range(5):
        fleet.send("work", str(number))
    for _ in range(2):
        worker = fleet.start_worker(ready=False)
        eventually(lambda worker=worker: fleet.has_ended(worker), "the worker died")
    fleet.start_worker()
    letters = fleet.dead_letters()
    eventually(lambda: letters.list("celery"), "a dead letter")
    eventually(lambda: len(fleet.names("end")) == 5, "the others ran")
    (letter,) = letters.list("celery")
    assert ("die", 2, "delivered 2 times") == (letter.task, letter.deliveries, letter.reason)
    assert {"celery": 1} == letters.queues()
    assert (1, ()) == (letters.drop("celery"), letters.list("celery"))


@pytest.mark.parametrize(("pool", "threads", "prefetch"), [SOLO, *slowly(("threads", 2, 4), ("prefork", 1, 4))])
def test_shutdown_returns_what_was_not_started_at_once(
    make_fleet: Callable[..., Fleet], pool: str, threads: int, prefetch: int
) -> None:
    """A worker that ends gives back all it had read ahead, in order, long before its visibility timeout."""
    fleet = make_fleet(visibility=600.0)
    worker = fleet.start_worker(pool, threads, prefetch)
    for number in range(30):
        fleet.send("work", str(number), 0.3)
    eventually(lambda: fleet.names("start"), "the first task started")
    fleet.stop(worker)
    done = fleet.names("end")
    assert len(done) < 30
    fleet.start_worker()
    eventually(lambda: len(fleet.names("end")) == 30, "every task ended", 30.0)
    assert {1} == set(fleet.names("start").values())
    rest = [int(name) for name, _ in fleet.traces("end") if name not in done]
    assert sorted(rest) == rest
