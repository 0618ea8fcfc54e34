# SPDX-License-Identifier: Apache-2.0
"""Calls that run together in a real Celery worker with threads: what Celery and Flower see of each of them."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from celery.worker import state
from redis import Redis

from argyll_engine.call_runner import Ended
from argyll_engine.config import EngineConfig
from argyll_engine.dispatch import WORK_QUEUE
from argyll_engine.script_runner import Fate
from argyll_engine.tasks.app import make_celery
from argyll_engine.tasks.batches import MemberRequest, Together
from argyll_engine.tasks.calls import ByPool, last_calls
from argyll_engine.tasks.context import calling
from argyll_engine.transport.wire import GROUP, Keys
from argyll_engine.work_order import WorkOrder
from tests.contract.redis_server import RedisServer
from tests.contract.test_batches import watching

TASK = "test.call"
SECONDS = 20
THREADS = 8


class Calls:
    """In the place of a call runner: orders wait until a test ends them, or `fate` ends them at once."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.running: dict[str, tuple[WorkOrder, Ended]] = {}
        self.fate: Callable[[str], Fate | None] = lambda _: Fate.DONE
        self.changed = threading.Condition()
        self.has_finished = threading.Event()

    def begin(self, orders: Sequence[WorkOrder], ended: Ended) -> None:
        """See CallRunner; ends come from another thread, as there."""
        with self.changed:
            self.batches.append([order.flow_id for order in orders])
            self.running |= {order.flow_id: (order, ended) for order in orders}
            self.changed.notify_all()
        fates = [(order, fate) for order in orders if (fate := self.fate(order.flow_id)) is not None]
        threading.Thread(target=ended, args=(fates,)).start()

    def end(self, name: str, fate: Fate = Fate.DONE) -> None:
        """A call has ended."""
        order, ended = self.running[name]
        ended([(order, fate)])

    def stop(self) -> None:
        """See CallRunner."""

    def finish(self) -> None:
        """See CallRunner: ends what still runs, as an answer would."""
        for name in [name for name in self.running if self.fate(name) is None]:
            self.end(name)
        self.has_finished.set()

    def wait_for(self, *names: str) -> None:
        """Until all of these have begun."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.running.keys() >= {*names}, SECONDS)


class Bench:
    """An app with one task whose calls run together, and what happened to it."""

    def __init__(self, app: Celery, client: Redis, keys: Keys) -> None:
        self.app, self.client, self.stream = app, client, keys.stream(WORK_QUEUE)
        self.calls = Calls()
        self.alone: list[str] = []
        self.ran_alone = threading.Event()
        strategy = ByPool(Together(lambda _: [], settles=False), self.calls, settles=False)  # type: ignore[arg-type]

        @app.task(name=TASK, shared=False, Strategy=strategy, Request=MemberRequest)
        def run_alone(flow_id: str, *_: object) -> None:
            self.alone.append(flow_id)
            if len(self.alone) == 3:
                self.ran_alone.set()

        app.steps["worker"].add(last_calls(self.calls))  # type: ignore[arg-type]

    def send(self, *names: str) -> list[str]:
        """The ids of tasks that were sent, one a name."""
        arguments = [(name, "step", "token", 1) for name in names]
        return [str(self.app.send_task(TASK, args=args, queue=WORK_QUEUE).id) for args in arguments]

    def left(self) -> tuple[int, int]:
        """Messages in the stream, and those that somebody has taken."""
        return self.client.xlen(self.stream), self.client.xpending(self.stream, GROUP)["pending"]


@pytest.fixture
def app(redis_server: RedisServer, client: Redis) -> Iterator[Celery]:
    """The Celery app, on a Redis that is empty."""
    app = make_celery(EngineConfig(flow_redis=redis_server.config()))
    yield app
    app.close()


@pytest.fixture
def bench(app: Celery, client: Redis, redis_server: RedisServer) -> Bench:
    """The task under test."""
    return Bench(app, client, Keys(EngineConfig(flow_redis=redis_server.config()).queue_key_prefix))


@contextmanager
def working(bench: Bench) -> Iterator[None]:
    """A worker, for a block; told to stop at its end, it waits for its calls."""
    with start_worker(
        bench.app,
        pool="threads",
        queues=[WORK_QUEUE],
        perform_ping_check=False,
        shutdown_timeout=SECONDS,
        concurrency=THREADS,
    ):
        yield
        bench.calls.has_finished.clear()
        bench.app.control.shutdown()
        assert bench.calls.has_finished.wait(SECONDS)


def test_calls_begin_together_and_each_is_acknowledged(bench: Bench) -> None:
    """More calls than threads: no more than those run at once, and none is left."""
    names = [str(number) for number in range(3 * THREADS)]
    bench.send(*names)

    with working(bench):
        bench.calls.wait_for(*names)

    assert [] == bench.alone
    assert max(map(len, bench.calls.batches)) > 1
    assert (0, 0) == bench.left()
    assert {} == calling


def test_as_many_calls_as_threads(bench: Bench) -> None:
    """What one more process could begin stays in the queue, until a call of this one ends."""
    names = [str(number) for number in range(THREADS + 1)]
    bench.calls.fate = lambda name: None if name != names[-1] else Fate.DONE
    bench.send(*names)

    with working(bench):
        bench.calls.wait_for(*names[:-1])
        assert (THREADS + 1, THREADS) == bench.left()
        bench.calls.end(names[0])
        bench.calls.wait_for(*names)
        for name in names[1:-1]:
            bench.calls.end(name)

    assert (0, 0) == bench.left()


def test_a_call_that_is_none_runs_in_a_thread(bench: Bench) -> None:
    """As Celery would have run it, whether its step or its message is of another kind."""
    bench.calls.fate = lambda name: Fate.ALONE if name == "b" else Fate.DONE
    bench.send("a", "b")
    for args in (("odd",), ("wrong", "step", "token", {})):
        bench.app.send_task(TASK, args=args, queue=WORK_QUEUE)

    with working(bench):
        assert bench.ran_alone.wait(SECONDS)

    assert ({"b", "odd", "wrong"}, {"a", "b"}) == ({*bench.alone}, bench.calls.running.keys())
    assert (0, 0) == bench.left()


def test_a_revoked_call_is_not_begun(bench: Bench) -> None:
    """Its message is acknowledged."""
    _, revoked, _ = bench.send("first", "revoked", "last")
    state.revoked.add(revoked)
    try:
        with working(bench):
            bench.calls.wait_for("first", "last")
    finally:
        state.revoked.discard(revoked)

    assert {"first", "last"} == bench.calls.running.keys()
    assert (0, 0) == bench.left()


def test_a_worker_that_stops_waits_for_its_calls(bench: Bench) -> None:
    """A call that is under way ends well and is acknowledged; what was not begun goes back at once."""
    bench.calls.fate = lambda name: Fate.LEFT if name == "left" else None
    bench.send("runs", "left")

    with working(bench):
        bench.calls.wait_for("runs", "left")

    bench.calls.fate, bench.calls.batches, bench.calls.running = lambda _: Fate.DONE, [], {}
    with working(bench):
        bench.calls.wait_for("left")
    assert ([["left"]], (0, 0)) == (bench.calls.batches, bench.left())


def test_every_call_is_an_event_of_its_own(bench: Bench) -> None:
    """Flower sees each of them received, started and succeeded, and the log knows which of them a line is about."""
    bench.app.conf.worker_send_task_events = True
    bench.calls.fate = lambda _: None
    ids = bench.send("a", "b")
    expected = {(f"task-{what}", task_id) for what in ("received", "started", "succeeded") for task_id in ids}
    with watching(bench.app, expected) as seen, working(bench):
        bench.calls.wait_for("a", "b")
        assert {*ids} == {request.id for request in calling.values()}
        bench.calls.end("a")
        bench.calls.end("b")
        assert seen.wait(SECONDS)
