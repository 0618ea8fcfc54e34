# SPDX-License-Identifier: Apache-2.0
"""How a deployment is, read from a real Redis: stores, queues with the age of what waits, workers, flows."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from redis import Redis

from argyll_engine.model.ids import CANARY_PREFIX, FlowID
from argyll_engine.model.vitals import QueueVitals
from argyll_engine.store.connect import connect
from argyll_engine.store.remains import RedisRemains
from argyll_engine.store.vitals import QueueKeys, VitalsReader
from tests.contract.redis_server import RedisServer

GROUP = "workers"
QUEUES = tuple(
    QueueKeys(
        name=name, streams=(f"{name}:returned", f"{name}:0"), delayed=f"{name}:later", dead=f"{name}:dead", group=GROUP
    )
    for name in ("steps", "work")
)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """A Redis of these tests' own."""
    with TemporaryDirectory(prefix="argyll-vitals-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def client(server: RedisServer) -> Iterator[Redis]:
    """A client of it, with nothing in it."""
    with connect(server.config()) as client:
        client.flushall()
        yield client


def reader(client: Redis, **changes: Any) -> VitalsReader:
    """A reader of what is in the Redis."""
    options: dict[str, Any] = {"engine_client": None, "flow_prefix": "p", "queues": QUEUES, "is_strict": False}
    return VitalsReader(flow_client=client, **(options | changes))


def test_an_empty_deployment_has_empty_queues(client: Redis) -> None:
    """Streams that nobody has made yet are no fault."""
    vitals = reader(client).read()
    assert (QueueVitals(name="steps"), QueueVitals(name="work")) == vitals.queues
    assert (0, 0) == (vitals.workers_alive, vitals.active_flows)
    assert [("flow", "", ""), ("engine", "", "")] == [(store.name, store.error, store.fault) for store in vitals.stores]


def test_messages_are_counted_by_what_has_become_of_them(client: Redis) -> None:
    """Ready, taken, waiting for their time, given up; the age is that of the oldest which nobody has taken."""
    seconds, _ = client.time()
    for stream in ("steps:0", "steps:returned"):
        client.xgroup_create(stream, GROUP, id="0", mkstream=True)
    for age in (100, 90, 30, 10):
        client.xadd("steps:0", {"m": "x"}, id=f"{(seconds - age) * 1000}-0")
    client.xreadgroup(GROUP, "one", {"steps:0": ">"}, count=2)
    client.zadd("steps:later", {"a": 1, "b": 2})
    client.xadd("steps:dead", {"m": "x"})
    steps = reader(client).read().queues[0]
    assert (2, 2, 2, 1) == (steps.ready, steps.in_progress, steps.delayed, steps.dead_letters)
    assert 30.0 <= steps.oldest_seconds < 60.0


def test_a_queue_without_consumers_grows_old_too(client: Redis) -> None:
    """There is no consumer group yet."""
    seconds, _ = client.time()
    client.xadd("work:0", {"m": "x"}, id=f"{(seconds - 50) * 1000}-0")
    work = reader(client).read().queues[1]
    assert 1 == work.ready
    assert 50.0 <= work.oldest_seconds < 80.0


def test_workers_are_alive_until_their_time(client: Redis) -> None:
    """One has until later, one had until before; active flows are those of the index."""
    seconds, _ = client.time()
    client.zadd("{p}:workers", {"alive": (seconds + 60) * 1000, "silent": (seconds - 60) * 1000})
    client.zadd("{p}:idx:status:active", {"a": 1, "b": 2})
    vitals = reader(client).read()
    assert (1, 2) == (vitals.workers_alive, vitals.active_flows)


def test_what_was_read_is_kept_for_a_moment(client: Redis) -> None:
    """However many ask, Redis is asked once."""
    looking = reader(client)
    first = looking.read()
    client.zadd("{p}:idx:status:active", {"a": 1})
    assert first is looking.read()


def test_settings_that_may_lose_data_are_a_fault_where_that_is_wanted(client: Redis) -> None:
    """In production; elsewhere only writes that fail are."""
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        lenient, strict = (reader(client, is_strict=strict).read().stores[0].fault for strict in (False, True))
    finally:
        client.config_set("maxmemory-policy", "noeviction")
    assert "" == lenient
    assert "allkeys-lru" in strict


def test_a_redis_that_is_away_is_said_by_name(client: Redis, tmp_path: Path) -> None:
    """Each store for itself, and what is not known is not guessed."""
    with Redis(unix_socket_path=str(tmp_path / "none.sock")) as nobody:
        without_engine = reader(client, engine_client=nobody).read()
        without_flows = reader(nobody, engine_client=client).read()
    assert ["", "No such file"] == [_cause(store.error) for store in without_engine.stores]
    assert ["No such file", ""] == [_cause(store.error) for store in without_flows.stores]
    assert (None, None, ()) == (without_flows.workers_alive, without_flows.active_flows, without_flows.queues)


def test_a_user_who_may_not_read_is_told_so(client: Redis, server: RedisServer) -> None:
    """What an ACL forbids is an error of the store, and none of whoever asks."""
    client.acl_setuser("blind", enabled=True, nopass=True, keys=["other*"], commands=["+@all"])
    try:
        with connect(replace(server.config(), user="blind", password="x")) as blind:
            vitals = reader(blind, engine_client=client).read()
    finally:
        client.acl_deluser("blind")
    assert [True, False] == ["permission" in store.error for store in vitals.stores]
    assert vitals.workers_alive is None


def _cause(error: str) -> str:
    return "No such file" if "No such file" in error else error


def test_a_canary_of_a_killed_process_is_found_by_the_next(client: Redis) -> None:
    """One that began a moment ago may be at work; one of long ago is nobody's."""
    old, young, own = (FlowID(f"{CANARY_PREFIX}{n}") for n in range(3))
    now_ms = time.time() * 1_000
    client.zadd("{p}:canaries", {old: now_ms - 61_000, young: now_ms - 30_000})
    remains = RedisRemains(client, "p")
    assert (old,) == remains.begin(own)
    remains.forget(old)
    assert ((), {young.encode(), own.encode()}) == (remains.begin(own), set(client.zrange("{p}:canaries", 0, -1)))


def test_nothing_of_a_canary_remains(client: Redis) -> None:
    """Its keys and entries go; those of others stay."""
    flow_id = FlowID(CANARY_PREFIX + "1")
    stream = "{p}:flow:%3Acanary%3A1"
    client.rpush(f"{stream}:events", "x")
    client.hset(f"{stream}:claims", "t", "w")
    client.hset("{p}:idx:status", mapping={flow_id: "active", "other": "active"})
    client.zadd("{p}:due", {flow_id: 1})
    client.sadd("{p}:flow::family", flow_id)
    client.zadd("{p}:canaries", {flow_id: 1})
    RedisRemains(client, "p").forget(flow_id)
    assert [b"{p}:idx:status"] == client.keys("*")
    assert {b"other": b"active"} == client.hgetall("{p}:idx:status")
