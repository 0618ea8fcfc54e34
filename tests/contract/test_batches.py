# SPDX-License-Identifier: Apache-2.0
"""Tasks that run together in a real Celery worker: batches, and what Celery and Flower see of each member."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from celery.events.receiver import EventReceiver
from celery.worker import state
from kombu import Connection
from redis import Redis

from argyll_engine.config import EngineConfig
from argyll_engine.dispatch import STEPS_QUEUE
from argyll_engine.script_runner import Fate
from argyll_engine.tasks.app import make_celery
from argyll_engine.tasks.batches import MemberRequest, Together
from argyll_engine.transport.wire import GROUP, Keys
from argyll_engine.work_order import WorkOrder
from tests.contract.redis_server import RedisServer

TASK = "test.together"
SECONDS = 20

Fates = Callable[[WorkOrder], Fate]


class Bench:
    """An app with one task that runs together, and what happened to it; `fates` says what becomes of a member."""

    def __init__(self, app: Celery, client: Redis, keys: Keys, *, settles: bool = False) -> None:
        self.app, self.client, self.stream = app, client, keys.stream(STEPS_QUEUE)
        self.batches: list[list[str]] = []
        self.alone: list[str] = []
        self.fates: Fates = lambda _: Fate.DONE
        self.ended = threading.Condition()
        together = Together(self.run, settles=settles)

        @app.task(name=TASK, shared=False, Strategy=together, Request=MemberRequest)
        def run_alone(flow_id: str, *_: object) -> None:
            with self.ended:
                self.alone.append(flow_id)
                self.ended.notify_all()

    def run(self, orders: Sequence[WorkOrder]) -> list[Fate]:
        """What the strategy calls."""
        fates = [self.fates(order) for order in orders]
        with self.ended:
            self.batches.append([order.flow_id for order in orders])
            self.ended.notify_all()
        return fates

    def send(self, *names: str, **options: Any) -> list[str]:
        """The ids of tasks that were sent, one a name."""
        arguments = [(name, "step", "token", 1) for name in names]
        return [str(self.app.send_task(TASK, args=args, queue=STEPS_QUEUE, **options).id) for args in arguments]

    def wait_for(self, *names: str) -> None:
        """Until all of these have run."""
        with self.ended:
            assert self.ended.wait_for(lambda: {*self.alone, *self.ran} >= {*names}, SECONDS)

    @property
    def ran(self) -> list[str]:
        """The members of all batches."""
        return [name for batch in self.batches for name in batch]

    def left(self) -> tuple[int, int]:
        """Messages in the stream, and those that somebody has taken."""
        return self.client.xlen(self.stream), self.client.xpending(self.stream, GROUP)["pending"]


@pytest.fixture
def app(redis_server: RedisServer, client: Redis) -> Iterator[Celery]:
    """The Celery app, on a Redis that is empty."""
    app = make_celery(EngineConfig(flow_redis=redis_server.config()))
    app.conf.update(worker_prefetch_multiplier=64)
    yield app
    app.close()


@pytest.fixture
def bench(app: Celery, client: Redis, redis_server: RedisServer) -> Bench:
    """The task under test."""
    return Bench(app, client, Keys(EngineConfig(flow_redis=redis_server.config()).queue_key_prefix))


def working(bench: Bench, pool: str = "solo") -> Any:
    """A worker, for a block."""
    return start_worker(
        bench.app, pool=pool, queues=[STEPS_QUEUE], perform_ping_check=False, shutdown_timeout=SECONDS, concurrency=1
    )


def test_one_read_is_one_batch(bench: Bench) -> None:
    """What waits is run together, in order, and each message is acknowledged."""
    names = [str(number) for number in range(20)]
    bench.send(*names)

    with working(bench):
        bench.wait_for(*names)

    assert (names, []) == (bench.ran, bench.alone)
    assert len(bench.batches) <= 2  # the worker's first read may be the one that waits for a message
    assert (0, 0) == bench.left()


def test_a_member_that_fails_in_the_batch_runs_alone(bench: Bench) -> None:
    """As Celery would have run it, once; the others have run in the batch."""
    bench.fates = lambda order: Fate.ALONE if order.flow_id == "b" else Fate.DONE
    bench.send("a", "b", "c")

    with working(bench):
        bench.wait_for("a", "b", "c")

    assert ["b"] == bench.alone
    assert (0, 0) == bench.left()


def test_arguments_of_another_kind_are_run_alone(bench: Bench) -> None:
    """A batch is not handed what it does not understand."""
    bench.app.send_task(TASK, args=("odd",), queue=STEPS_QUEUE)

    with working(bench):
        bench.wait_for("odd")

    assert (["odd"], []) == (bench.alone, bench.ran)


def test_a_revoked_member_is_skipped(bench: Bench) -> None:
    """It does not run, and its message is acknowledged."""
    _, revoked, _ = bench.send("first", "revoked", "last")
    state.revoked.add(revoked)
    try:
        with working(bench):
            bench.wait_for("first", "last")
    finally:
        state.revoked.discard(revoked)

    assert ["first", "last"] == bench.ran
    assert (0, 0) == bench.left()


def test_what_a_batch_leaves_goes_back(bench: Bench) -> None:
    """A worker that stops keeps nothing it has not begun: others have it at once."""
    bench.fates = lambda order: Fate.LEFT if order.flow_id == "left" else Fate.DONE
    bench.send("run", "left")

    with working(bench):
        bench.wait_for("run", "left")

    bench.fates, bench.batches = lambda _: Fate.DONE, []
    with working(bench):
        bench.wait_for("left")
    assert [["left"]] == bench.batches


def test_every_member_is_an_event_of_its_own(bench: Bench) -> None:
    """Flower sees each of them received, started and succeeded."""
    bench.app.conf.worker_send_task_events = True
    ids = bench.send("a", "b")
    expected = {(f"task-{what}", task_id) for what in ("received", "started", "succeeded") for task_id in ids}
    with watching(bench.app, expected) as seen, working(bench):
        bench.wait_for("a", "b")
        assert seen.wait(SECONDS)


class Watcher(EventReceiver):
    """Listens until it has heard all it was told to."""

    def __init__(self, connection: Connection, app: Celery, expected: set[tuple[str, str]]) -> None:
        super().__init__(connection, handlers={"*": self.hear}, app=app)
        self.missing = expected
        self.listens, self.has_heard = threading.Event(), threading.Event()

    def on_consume_ready(self, *args: object, **kwargs: object) -> None:
        """It hears whatever is said from now on."""
        self.listens.set()

    def hear(self, event: dict[str, Any]) -> None:
        """One event."""
        self.missing.discard((event["type"], event.get("uuid", "")))
        if not self.missing:
            self.has_heard.set()
            self.should_stop = True


@contextmanager
def watching(app: Celery, expected: set[tuple[str, str]]) -> Iterator[threading.Event]:
    """Says, during a block, whether these events were heard: type and task id of each."""
    with app.connection() as connection:
        watcher = Watcher(connection, app, expected)

        def listen() -> None:
            with suppress(TimeoutError):
                watcher.capture(timeout=SECONDS, wakeup=False)

        thread = threading.Thread(target=listen)
        thread.start()
        assert watcher.listens.wait(SECONDS)
        yield watcher.has_heard
        watcher.should_stop = True
        thread.join(SECONDS)
