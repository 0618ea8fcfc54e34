# SPDX-License-Identifier: Apache-2.0
"""Archivers die, stores fail: afterwards every flow is there with the identical events, none lost or doubled."""

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from argyll_archiver.archiver import Archiver
from argyll_archiver.sinks.file import FileSink
from argyll_archiver.sinks.opening import open_sink
from argyll_archiver.sinks.port import Sink
from argyll_archiver.sinks.s3 import S3Sink
from argyll_archiver.target import FileTarget, S3Target, parse_target
from argyll_engine.errors import StoreUnavailableError
from argyll_engine.store.connect import connect
from tests.acceptance.client import eventually
from tests.chaos.archive_flows import LEASE_SECONDS, Flows
from tests.chaos.dying_archiver import STAGES
from tests.chaos.flaky_s3 import Fault, FlakyS3, cut_off, error, keeps_half, silence, sometimes
from tests.chaos.full_disk import FREE_BLOCKS
from tests.contract.redis_server import RedisServer

ROOT = Path(__file__).parents[2]
ROOTS = 4
"""Root flows of a test, each with a child."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that a test may kill."""
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(server: RedisServer) -> Iterator[Redis]:
    """A client of it."""
    with connect(server.config()) as client:
        yield client


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyS3]:
    """A bucket that may fail."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    server = FlakyS3()
    yield server
    server.close()


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.slow)])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of each kind of target."""
    if request.param == "file":
        return f"file://{tmp_path}/archive"
    s3 = request.getfixturevalue("s3")
    assert isinstance(s3, FlakyS3)
    return s3.url


def archive_all(flows: Flows, archiver: Archiver) -> None:
    """Lets an archiver work until all flows are archived."""

    def is_done() -> bool:
        try:
            archiver.finish()
            archiver.sweep()
        except StoreUnavailableError:
            return False
        return len(flows.archived()) == len(flows.logs)

    eventually("the archive of all flows", is_done)


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_archiver_loses_and_doubles_nothing(
    server: RedisServer, client: Redis, target: str, stage: str
) -> None:
    """At each stage of a flow's archive; another one takes over what it had when the lease is over."""
    flows = Flows.put(client, ROOTS)
    socket = client.connection_pool.connection_kwargs["path"]
    died = subprocess.run(
        [sys.executable, "-m", "tests.chaos.dying_archiver", socket, target, stage], cwd=ROOT, check=False, timeout=60
    )
    assert -9 == died.returncode
    sink = open_sink(parse_target(target))
    assert ([], stage == "after_delete") == (flows.faults(sink), bool(flows.archived()))
    archive_all(flows, flows.archiver(sink))
    assert ([], 0) == (flows.faults(sink), flows.jobs.unfinished())


def impatient(s3: FlakyS3) -> Sink:
    """A sink that does not wait long for an answer."""
    found = parse_target(s3.url)
    assert isinstance(found, S3Target)
    return S3Sink(found, attempts=1, read_timeout_seconds=0.2)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(error(500, "InternalError"), id="500"),
        pytest.param(error(503, "SlowDown"), id="503"),
        pytest.param(silence, id="timeout"),
        pytest.param(cut_off, id="cut off"),
        pytest.param(keeps_half, id="truncated"),
    ],
)
def test_a_failing_bucket_loses_and_doubles_nothing(client: Redis, s3: FlakyS3, fault: Fault) -> None:
    """Every third request fails; what was not archived is tried again, and what was is whole."""
    flows, sink = Flows.put(client, ROOTS), impatient(s3)
    s3.fault = sometimes(fault, every=3)
    archiver = flows.archiver(sink)
    archiver.sweep()
    s3.fault, meanwhile = (lambda handler: True), s3.fault
    assert [] == flows.faults(sink)
    s3.fault = meanwhile
    archive_all(flows, archiver)
    s3.fault = lambda handler: True
    assert [] == flows.faults(sink)


def test_a_bucket_that_is_away_costs_nothing_but_time(client: Redis, s3: FlakyS3) -> None:
    """Every flow stays live, and no lease is left behind."""
    flows, sink = Flows.put(client, ROOTS), impatient(s3)
    s3.fault = error(503, "SlowDown")
    archiver = flows.archiver(sink)
    assert (0, []) == (archiver.sweep(), flows.archived())
    s3.fault = lambda handler: True
    assert len(flows.logs) == archiver.sweep()


class Interrupting:
    """A file sink that lets something happen before a certain write."""

    def __init__(self, folder: Path, number: int, happening: Callable[[], None]) -> None:
        self._sink, self._number, self._happening = FileSink(FileTarget(directory=str(folder))), number, happening
        self.get, self.list, self.delete = self._sink.get, self._sink.list, self._sink.delete
        self.count = 0

    def put(self, key: str, body: bytes) -> bool:
        """As it is, with an interruption."""
        self.count += 1
        if self.count == self._number:
            self._happening()
        return self._sink.put(key, body)


def test_a_redis_that_restarts_loses_and_doubles_nothing(server: RedisServer, client: Redis, tmp_path: Path) -> None:
    """It dies while objects are written; leases are given back when it is there again."""
    flows = Flows.put(client, ROOTS)
    sink = Interrupting(tmp_path / "archive", 3, server.stop)
    archiver = flows.archiver(sink, lease_timeout_seconds=3_600.0)
    with pytest.raises(StoreUnavailableError):
        archiver.sweep()
    server.start()
    archive_all(flows, archiver)
    assert [] == flows.faults(sink)


def test_a_full_disk_loses_and_doubles_nothing(client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it shows only when a file is brought to the disk: what did not fit stays live, and no part of it stays."""
    flows, sink, sync, room = (
        Flows.put(client, ROOTS),
        FileSink(FileTarget(directory=str(tmp_path / "a"))),
        os.fsync,
        [9],
    )

    def no_room(descriptor: int) -> None:
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr("os.fsync", no_room)
    archiver = flows.archiver(sink)
    archiver.sweep()
    assert ([], True) == (flows.faults(sink), len(flows.archived()) < len(flows.logs))
    assert [] == list((tmp_path / "a").rglob(".put-*"))
    room[0] = 10_000
    archive_all(flows, archiver)
    assert [] == flows.faults(sink)


MOUNT = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
"""Runs a command where it may mount what it likes, and nobody else sees it; needs no rights of ours."""
SMALL_DISK = 'mount -t tmpfs -o size=64k tmpfs "$0"'


def test_a_disk_that_is_really_full_loses_and_doubles_nothing(client: Redis, tmp_path: Path) -> None:
    """A file system of 64 KiB has room for three objects, or fewer while several are being written; with more room, the
    others follow."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run([*MOUNT, SMALL_DISK, str(disk)], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a file system of their own")
    flows = Flows.put(client, ROOTS)
    found = on_a_full_disk(client, disk, [*MOUNT, f'{SMALL_DISK} && exec "$@"', str(disk)], "disk")
    archived = found["full"].pop("archived")
    assert ({"faults": [], "left_over": []}, True) == (found["full"], archived <= FREE_BLOCKS < len(flows.logs))
    assert {"faults": [], "archived": len(flows.logs)} == found["then"]


def test_files_that_may_not_grow_lose_and_double_nothing(client: Redis, tmp_path: Path) -> None:
    """The kernel refuses the write itself, as on a full disk or beyond a quota."""
    flows = Flows.put(client, ROOTS)
    found = on_a_full_disk(client, tmp_path, [], "limit")
    assert {"faults": [], "archived": 0, "left_over": []} == found["full"]
    assert {"faults": [], "archived": len(flows.logs)} == found["then"]


def on_a_full_disk(client: Redis, folder: Path, around: list[str], how: str) -> Any:
    """What an archiver found there, in a process of its own."""
    socket = client.connection_pool.connection_kwargs["path"]
    command = [*around, sys.executable, "-m", "tests.chaos.full_disk", socket, str(folder), how]
    done = subprocess.run(command, cwd=ROOT, check=True, timeout=120, stdout=subprocess.PIPE)
    return json.loads(done.stdout.splitlines()[-1])


def test_archivers_share_the_work(client: Redis, tmp_path: Path) -> None:
    """Several at once, each flow once."""
    flows = Flows.put(client, 60)
    sink = Interrupting(tmp_path / "archive", -1, lambda: None)
    archivers = [flows.archiver(sink, lease_timeout_seconds=900.0, sweep_batch=5) for _ in range(4)]
    with ThreadPoolExecutor(len(archivers)) as threads:
        archived = sum(threads.map(Archiver.sweep, archivers))
    assert (len(flows.logs), len(flows.logs), []) == (archived, sink.count, flows.faults(sink))


def test_a_slow_archiver_that_lost_its_lease_does_no_harm(client: Redis, tmp_path: Path) -> None:
    """Another one has archived its flows meanwhile; it finds that out before it deletes anything."""
    flows = Flows.put(client, 1)
    sink = FileSink(FileTarget(directory=str(tmp_path / "archive")))
    other = flows.archiver(sink)

    def meanwhile() -> None:
        time.sleep(LEASE_SECONDS + 0.2)
        archive_all(flows, other)

    slow = flows.archiver(Interrupting(tmp_path / "archive", 1, meanwhile))
    assert (0, []) == (slow.sweep(), flows.faults(sink))
