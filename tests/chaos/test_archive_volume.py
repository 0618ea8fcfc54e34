# SPDX-License-Identifier: Apache-2.0
"""Archiving much, by the processes that operators run: all of it, verified, at a pace that keeps memory in bounds."""

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from redis import Redis

from argyll_archiver.sinks.opening import open_sink
from argyll_archiver.target import parse_target
from argyll_archiver.wiring import archiver_config, build_archiver
from argyll_engine.store.connect import connect
from tests.acceptance.archives import CREDENTIALS, file_url, s3_url
from tests.acceptance.client import Client, eventually
from tests.acceptance.part import Part, base_environment
from tests.acceptance.stack import Stack
from tests.acceptance.steps import attributes, script
from tests.chaos.archive_flows import PREFIX, Flows
from tests.contract.redis_server import RedisServer

pytestmark = pytest.mark.slow

MANY = int(os.environ.get("ARGYLL_ARCHIVE_FLOWS", "5000"))
MEMORY_MB = 64
PRESSURE_SECONDS = float(os.environ.get("ARGYLL_PRESSURE_SECONDS", "60"))
"""The criterion is five minutes: ARGYLL_PRESSURE_SECONDS=300."""
PAYLOAD_BYTES = 12_000
MOST_OPEN = 200
"""Flows that have not ended cannot be archived; the workers of a busy machine may be slower than the archiver."""
AS_UNDER_PRESSURE = {"ARCHIVE_MAX_AGE": "0", "ARCHIVE_SWEEP_BATCH": "10"}
PROBE = 400
"""Flows by which the archiver's rate is measured."""


@contextmanager
def archiving(variables: dict[str, str], log: Path) -> Iterator[None]:
    """`argyll archiver` and `argyll beat`, as long as the block lasts."""
    parts = [
        Part((sys.executable, "-P", "-m", "argyll_api.cli", word), base_environment() | variables, log)
        for word in ("archiver", "beat")
    ]
    try:
        for part in parts:
            part.start()
        yield
    finally:
        for part in parts:
            part.stop()


def _server(folder: Path) -> Iterator[RedisServer]:
    folder.mkdir()
    server = RedisServer(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """The Redis of the flows."""
    yield from _server(tmp_path / "redis")


@pytest.fixture
def empty_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Another one."""
    yield from _server(tmp_path / "empty")


def used_bytes(client: Redis) -> int:
    """Memory that a Redis uses."""
    found: Any = client.info("memory")
    return int(found["used_memory"])


def counted_bytes(client: Redis) -> int:
    """The part of that memory that counts against its limit."""
    found: Any = client.info("memory")
    return int(found["used_memory"] - found["mem_not_counted_for_evict"])


def cost_of_digests(kept: Redis, empty: Redis) -> int:
    """Memory that the digests and indexes of a Redis take by themselves, in one that never held anything else."""
    before = used_bytes(empty)
    for key in kept.scan_iter(count=1_000):
        dumped: Any = kept.dump(key)
        empty.restore(key, 0, dumped)
    return used_bytes(empty) - before


def test_thousands_of_flows_are_archived_and_verified(
    server: RedisServer, empty_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To a server that speaks S3; afterwards Redis has little more than digests. Prints the rate."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with connect(server.config()) as client, connect(empty_server.config()) as empty, s3_url() as url:
        before = used_bytes(client)
        flows = Flows.put(client, MANY, with_children=False)
        variables = CREDENTIALS | {
            "ENGINE_REDIS_ADDR": server.config().addr,
            "FLOW_REDIS_ADDR": server.config().addr,
            "FLOW_REDIS_PREFIX": PREFIX,
            "ARCHIVE_BUCKET_URL": url,
            "ARCHIVE_PREFIX": "archived/",
            "ARCHIVE_MAX_AGE": "0",
            "ARCHIVE_SWEEP_BATCH": "500",
        }
        with archiving(variables, tmp_path / "archiver.log"):
            eventually("the first archived flow", lambda: flows.store.archived(None, 1))
            started = time.monotonic()
            eventually("the archive of all flows", lambda: flows.jobs.waiting(None)[0] == 0, 900)
            seconds = time.monotonic() - started
            eventually("the end of all jobs", lambda: flows.jobs.unfinished() == 0)
        print(f"\n{MANY} flows in {seconds:.1f} s: {MANY / seconds:.0f} flows/s (moto in this process)")
        assert [] == flows.faults(open_sink(parse_target(url)))
        engine_keys = [key for key in client.scan_iter(count=1_000) if b"{test}" not in key or b"celery" in key]
        client.delete(*engine_keys, f"{{{PREFIX}}}:feed")
        client.script_flush()
        left, needed = used_bytes(client) - before, cost_of_digests(client, empty)
        assert left <= needed * 1.1, f"{left} bytes are left, digests need {needed}"


class MemoryWatch:
    """The most that a Redis ever used, as a share of its limit."""

    def __init__(self, client: Redis) -> None:
        self._client, self._stopping = client, Event()
        self.most_percent = 0.0
        self._thread = Thread(target=self._run)

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(0.1):
            self.most_percent = max(self.most_percent, counted_bytes(self._client) * 100 / (MEMORY_MB * 1_048_576))


def start_many(client: Client, names: list[str]) -> None:
    """Starts flows with a large value each."""
    bodies = [{"id": name, "goals": ["keep"], "init": {"n": ["x" * PAYLOAD_BYTES]}} for name in names]
    answer = client.post("/engine/flows", {"flows": bodies})
    assert answer.status == 200, answer.body


def arrive(stack: Stack, redis: Redis, rate: float, seconds: float) -> int:
    """How many flows were started, evenly over some time; none while too many wait for slow workers."""
    begun, count, last = time.monotonic(), 0, 0.0
    while (elapsed := time.monotonic() - begun) < seconds:
        due = int(rate * min(elapsed - last, 1.0))
        if due and count + PROBE - _ended(redis) < MOST_OPEN:
            start_many(stack.client, [f"in-{number}" for number in range(count, count + due)])
            count, last = count + due, elapsed
        time.sleep(0.02)
    return count


def test_memory_stays_in_bounds_under_pressure(tmp_path: Path) -> None:
    """Flows arrive at half the archiver's rate, and what they take never passes the threshold by 5 points."""
    variables = {"ARCHIVE_BUCKET_URL": file_url(tmp_path / "archive"), "ARCHIVE_MAX_AGE": "24h"}
    stack = Stack(tmp_path, **variables, FEED_MAX_LENGTH="1000")
    archiver = Part((*stack.beat.argv[:-1], "archiver"), stack.beat.environment, stack.log)
    try:
        stack.mend()
        stack.client.register(script("keep", "return {m = 1}", attributes(["n"], ["m"])))
        with stack.flow_redis() as redis:
            rate = _archiver_rate(stack, redis, variables)
            redis.config_set("maxmemory", MEMORY_MB * 1_048_576)
            # Redis 6 takes 10 MB at a stroke while it rewrites its log, which so small a one has no room for
            redis.config_set("auto-aof-rewrite-percentage", 0)
            archiver.start()
            eventually("an archiver", lambda: re.search("archiver@.* ready", stack.log.read_text()))
            with MemoryWatch(redis) as watch:
                count = arrive(stack, redis, rate / 2, PRESSURE_SECONDS)
            ended: Any = eventually("the end of all flows", lambda: _ended(redis) == count + PROBE)
        print(
            f"\narchiver {rate:.0f} flows/s; {count} flows in {PRESSURE_SECONDS:.0f} s; most {watch.most_percent:.1f} %"
        )
        assert ended
        assert 79.0 < watch.most_percent < 85.0, "the flows were too few to fill it, or memory was not kept in bounds"
    finally:
        archiver.stop()
        stack.stop()


def _archiver_rate(stack: Stack, redis: Redis, variables: dict[str, str]) -> float:
    """Flows a second that an archiver takes away, here in this process."""
    for first in range(0, PROBE, 100):
        start_many(stack.client, [f"probe-{number}" for number in range(first, first + 100)])
    eventually("the end of the probe", lambda: _ended(redis) == PROBE)
    archiver = build_archiver(stack.config, archiver_config(variables | AS_UNDER_PRESSURE))
    begun = time.monotonic()
    assert archiver.sweep() == PROBE
    return PROBE / (time.monotonic() - begun)


def _archived(redis: Redis) -> int:
    return sum(int(redis.zcard(f"{{argyll:flow}}:idx:archived:{status}")) for status in ("completed", "failed"))


def _ended(redis: Redis) -> int:
    return _archived(redis) + sum(
        int(redis.zcard(f"{{argyll:flow}}:idx:status:{status}")) for status in ("completed", "failed")
    )
