# SPDX-License-Identifier: Apache-2.0
"""What only a Redis can do to the stores: restart, forget scripts, be full, be gone; and what a broker sees."""

import time
from typing import Any

import pytest
from redis import Redis

from argyll_engine.config import RedisConfig
from argyll_engine.errors import BrokenError, StoreUnavailableError
from argyll_engine.model.ids import FlowID, flow_stream
from argyll_engine.model.listing import FlowQuery
from argyll_engine.ports import Committed, LoadRequest, QueueEntry, SequenceConflict
from argyll_engine.store.connect import connect
from argyll_engine.store.index import SCAN_COUNT, SCORES_AT_ONCE
from argyll_engine.store.keys import Keys
from argyll_engine.store.redis import RedisEventStore
from tests.contract.commits import a_commit, an_index, commit_one, load_one, some_events
from tests.contract.conftest import UNACKED_INDEX_KEY, UNACKED_KEY, Backend, redis_backend
from tests.contract.redis_server import RedisServer

PATIENCE_SECONDS = 3


def _deliver(client: Redis) -> None:
    client.hset(UNACKED_KEY, "tag", "message")
    client.zadd(UNACKED_INDEX_KEY, {"tag": 1})


def _unacknowledged(client: Redis) -> tuple[object, object]:
    return client.hexists(UNACKED_KEY, "tag"), client.zcard(UNACKED_INDEX_KEY)


def _fails_in_time(backend: Backend) -> None:
    started = time.monotonic()
    with pytest.raises(StoreUnavailableError):
        backend.store.load([LoadRequest(stream_id=flow_stream("wf"))])
    assert time.monotonic() - started < PATIENCE_SECONDS


def test_commit_acknowledges_its_delivery(client: Redis) -> None:
    """The message that caused a commit is acknowledged with it."""
    _deliver(client)
    commit_one(redis_backend(client).store, a_commit(delivery_tags=("tag",)))
    assert (False, 0) == _unacknowledged(client)


def test_refused_commit_acknowledges_nothing(client: Redis) -> None:
    """The message stays with the broker until its decision is recorded."""
    _deliver(client)
    backend = redis_backend(client)
    assert isinstance(commit_one(backend.store, a_commit(expected=1, delivery_tags=("tag",))), SequenceConflict)
    assert (True, 1) == _unacknowledged(client)


def test_delivery_of_another_broker_is_left_to_it(client: Redis) -> None:
    """A store that was not told the broker's keys acknowledges nothing."""
    _deliver(client)
    store = RedisEventStore(client, "test:foreign", store_name="flow")
    assert Committed(next_sequence=1) == commit_one(store, a_commit(delivery_tags=("tag",)))
    assert (True, 1) == _unacknowledged(client)


def test_all_keys_of_a_commit_share_a_hash_tag(client: Redis) -> None:
    """Whatever a commit leaves behind, but for the broker's queues, lies under the store's tag."""
    prefix = "test:tag"
    store = RedisEventStore(client, prefix, store_name="flow")
    child = an_index("wf:step:token", team="children are not labelled")
    store.commit([a_commit(index=an_index("wf", team="a:b"), due_at_ms=5)])
    store.commit([a_commit(child.flow_id, index=child)])
    keys: Any = client.keys("*")
    assert len(keys) == 8
    assert all(key.startswith(b"{test:tag}:") for key in keys)


def test_forgotten_scripts_are_told_again(client: Redis) -> None:
    """A Redis that lost its scripts, as after a restart, gets them on the way; nothing is applied twice."""
    backend = redis_backend(client)
    assert Committed(next_sequence=1) == commit_one(backend.store, a_commit())
    client.script_flush()
    results = backend.store.commit([a_commit(expected=1), a_commit("other"), a_commit(expected=2)])
    assert [Committed(next_sequence=sequence) for sequence in (2, 1, 3)] == list(results)
    assert some_events(3) == backend.store.read_log(flow_stream("wf"))


def test_restarted_redis_is_used_again_without_a_fault(own_server: RedisServer) -> None:
    """After a restart the first call succeeds over a connection of before, and the log is there."""
    with connect(own_server.config()) as client:
        backend = redis_backend(client)
        commit_one(backend.store, a_commit())
        own_server.stop()
        own_server.start()
        assert Committed(next_sequence=2) == commit_one(backend.store, a_commit(expected=1))
        assert some_events(2) == backend.store.read_log(flow_stream("wf"))


def test_lost_redis_is_reported_soon_and_used_when_it_is_back(own_server: RedisServer) -> None:
    """Without a Redis every call fails within seconds; with one again they succeed by themselves."""
    with connect(own_server.config()) as client:
        backend = redis_backend(client)
        commit_one(backend.store, a_commit())
        own_server.stop()
        _fails_in_time(backend)
        with pytest.raises(StoreUnavailableError):
            backend.index.all_flows()
        with pytest.raises(StoreUnavailableError):
            backend.leases.due_flows(1, 1)
        own_server.start()
        assert 1 == load_one(backend.store, LoadRequest(stream_id=flow_stream("wf"))).next_sequence


def test_hanging_redis_is_given_up_and_trusted_again(own_server: RedisServer) -> None:
    """A commit without an answer in time may have happened: the next one is then shown its events."""
    with connect(own_server.config(), timeout_seconds=0.3) as client:
        backend = redis_backend(client)
        commit_one(backend.store, a_commit())
        own_server.pause()
        started = time.monotonic()
        try:
            with pytest.raises(StoreUnavailableError):
                commit_one(backend.store, a_commit(expected=1))
        finally:
            own_server.resume()
        assert time.monotonic() - started < 3 * 0.3
        again = commit_one(backend.store, a_commit(expected=1))
        assert again == SequenceConflict(next_sequence=2, missed=some_events(1, 1))


def test_address_without_a_redis_is_reported_soon() -> None:
    """A port where nobody listens gives a store error, not a socket error."""
    with connect(RedisConfig(addr="127.0.0.1:1")) as client:
        _fails_in_time(redis_backend(client))


def test_full_redis_refuses_whole_commits(client: Redis) -> None:
    """A Redis without memory left is an outage, and the commit leaves no part of itself."""
    backend = redis_backend(client)
    commit_one(backend.store, a_commit(index=an_index("wf"), due_at_ms=7))
    client.config_set("maxmemory", "1")
    try:
        with pytest.raises(StoreUnavailableError):
            commit_one(backend.store, a_commit(expected=1, due_at_ms=0, index=an_index("wf", "failed")))
    finally:
        client.config_set("maxmemory", "0")
    assert some_events(1) == backend.store.read_log(flow_stream("wf"))
    assert (FlowID("wf"),) == backend.leases.due_flows(7, 1)


def test_replica_that_takes_no_writes_is_an_outage(client: Redis) -> None:
    """A Redis that became a replica, as in a failover, is reported as unavailable."""
    backend = redis_backend(client)
    client.replicaof("127.0.0.1", 1)
    try:
        with pytest.raises(StoreUnavailableError):
            commit_one(backend.store, a_commit())
    finally:
        client.replicaof("no", "one")


def test_many_flows_are_found_in_several_steps(client: Redis) -> None:
    """Filters find every flow once, however many reads that takes."""
    backend = redis_backend(client)
    count = SCAN_COUNT + SCORES_AT_ONCE + 1
    names = [f"f{number:05}" for number in range(count)]
    backend.store.commit([a_commit(name, index=an_index(name, team="red")) for name in names])
    for query in (FlowQuery(labels={"team": "red"}), FlowQuery(id_prefix="f"), FlowQuery()):
        page = backend.index.query(query)
        assert ([item.id for item in page.items], page.total) == (names, count)


def test_key_of_another_type_is_a_broken_promise(client: Redis) -> None:
    """What Redis refuses as wrong is no outage: repeating it would not help."""
    store = RedisEventStore(client, "test:broken", store_name="flow")
    client.set(Keys("test:broken").events(flow_stream("wf")), "no list")
    with pytest.raises(BrokenError):
        store.commit([a_commit(), a_commit("other")])
    assert some_events(1) == store.read_log(flow_stream("other"))
    with pytest.raises(BrokenError):
        store.read_log(flow_stream("wf"))


def test_queue_entry_is_taken_first_in_first_out(client: Redis) -> None:
    """The broker takes messages from the right end of its list, so the oldest is there."""
    entries = tuple(QueueEntry(key="queue", payload=payload) for payload in (b"first", b"second"))
    commit_one(redis_backend(client).store, a_commit(entries=entries))
    assert (b"first", b"second") == (client.rpop("queue"), client.rpop("queue"))
