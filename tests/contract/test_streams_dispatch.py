# SPDX-License-Identifier: Apache-2.0
"""Messages on our own transport: what a commit writes is what Celery would have sent, and workers run it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import Celery
from msgspec.structs import replace
from redis import Redis

from argyll_engine.config import EngineConfig
from argyll_engine.dispatch import FLOW_LOG, LOG_MAX, RUN_WORK, StreamsDispatcher
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID, flow_stream
from argyll_engine.ports import Commit, Committed, IndexChange, Message, QueueEntry, SequenceConflict
from argyll_engine.store.redis import RedisEventStore, StreamDeliveries
from argyll_engine.tasks.app import make_celery
from argyll_engine.transport.wire import GROUP, Keys, split_tag, tag_of
from tests.contract.redis_server import RedisServer
from tests.contract.worker import NotingWorker

RUN = Message(task=RUN_WORK, queue="work", args=("flow-1", "step-1", "token-1", 2))


@pytest.fixture
def config(redis_server: RedisServer, client: Redis) -> EngineConfig:
    """Flow store and broker on the test's Redis, which is empty."""
    return EngineConfig(flow_redis=redis_server.config())


@pytest.fixture
def app(config: EngineConfig) -> Iterator[Celery]:
    """The Celery app of the configuration."""
    app = make_celery(config)
    yield app
    app.close()


@pytest.fixture
def keys(config: EngineConfig) -> Keys:
    """Of the broker."""
    return Keys(config.queue_key_prefix)


@pytest.fixture
def streams(app: Celery, config: EngineConfig) -> StreamsDispatcher:
    """The dispatcher under test."""
    return StreamsDispatcher(app, config.queue_key_prefix)


def commit(
    client: Redis, config: EngineConfig, entries: tuple[QueueEntry, ...], tag: str = "", expected: int = 0
) -> object:
    """Commits nothing but messages and the end of a delivery."""
    store = RedisEventStore(
        client, config.flow_redis.prefix, store_name="flow", deliveries=StreamDeliveries(GROUP, split_tag)
    )
    index = IndexChange(flow_id=FlowID("flow-1"), status=FlowStatus.ACTIVE, at_ms=0)
    stream_id = flow_stream(FlowID("flow-1"))
    (result,) = store.commit(
        [
            Commit(
                stream_id=stream_id,
                expected_sequence=expected,
                events=(),
                index=index,
                entries=entries,
                delivery_tags=(tag,) if tag else (),
            )
        ]
    )
    return result


def read(payload: bytes) -> Any:
    """A message without its random ids; Celery writes an address for replies that nobody uses."""
    message = json.loads(payload)
    headers, properties = message["headers"], message["properties"]
    for part, name in (
        (headers, "id"),
        (headers, "root_id"),
        (properties, "correlation_id"),
        (properties, "delivery_tag"),
    ):
        assert part.pop(name)
    properties.pop("reply_to")
    return message | {"body": json.loads(message["body"])}


@pytest.mark.parametrize(("goes_first", "priority"), [(True, 0), (False, 3)])
def test_a_committed_message_equals_a_sent_one(
    streams: StreamsDispatcher, config: EngineConfig, client: Redis, keys: Keys, goes_first: bool, priority: int
) -> None:
    """Both lie in the same stream with the same fields; what goes first, in the one that is read first."""
    message = replace(RUN, goes_first=goes_first)
    streams.publish([message])
    assert isinstance(commit(client, config, streams.seal([message])), Committed)
    (_, sent), (_, committed) = client.xrange(keys.stream("work", priority))
    assert list(sent) == list(committed) == [b"m"]
    assert read(sent[b"m"]) == read(committed[b"m"])


def logs_of(entries: tuple[QueueEntry, ...]) -> list[str | None]:
    """What each message brings of its flow."""
    return [json.loads(entry.payload.partition(b"{")[1] + entry.payload.partition(b"{")[2])["headers"].get(FLOW_LOG)
            for entry in entries]  # fmt: skip


def test_the_first_message_brings_the_flow(streams: StreamsDispatcher) -> None:
    """As stored, one event a line; it is otherwise the message that it would be."""
    log = (b'{"data":"a \\"quoted\\" line\\n"}', b'{"sequence":1}')
    brought, plain = streams.seal([RUN, RUN], log)
    assert [b"\n".join(log).decode(), None] == logs_of((brought, plain))
    with_log, without = read(brought.payload), read(plain.payload)
    assert with_log["headers"].pop(FLOW_LOG)
    assert with_log == without


def test_a_log_is_brought_only_where_it_is_short_and_of_use(streams: StreamsDispatcher) -> None:
    """A long one would lie in Redis twice, and by the time of a delayed message it is old."""
    later = replace(RUN, eta=datetime.now(UTC) + timedelta(seconds=60))
    long_one = (b'{"x":"%b"}' % (b"x" * LOG_MAX),)
    assert [None] == logs_of(streams.seal([RUN], long_one))
    assert [None, "{}", None] == logs_of(streams.seal([later, RUN, RUN], (b"{}",)))
    assert [None] == logs_of(streams.seal([RUN]))
    assert () == streams.seal([], (b"{}",))


def test_a_committed_delay_equals_a_sent_one(
    streams: StreamsDispatcher, config: EngineConfig, client: Redis, keys: Keys
) -> None:
    """A message with an ETA waits in the sorted set, in one piece however far it is, and consumers hear of it."""
    eta = datetime.now(UTC).replace(microsecond=0) + timedelta(days=400)
    later = replace(RUN, eta=eta)
    with client.pubsub() as heard:
        heard.subscribe(keys.wake())
        streams.publish([later])
        commit(client, config, streams.seal([replace(later, eta=eta - timedelta(seconds=1)), later]))
        types = [message["type"] for _ in range(4) if (message := heard.get_message(timeout=0.5))]
    assert ["subscribe", "message", "message"] == types
    rows = client.zrange(keys.delayed("work"), 0, -1, withscores=True)
    due_ms = eta.timestamp() * 1000
    assert [due_ms - 1000, due_ms, due_ms] == [score for _, score in rows]
    first, second, third = (read(member.partition(b" ")[2]) for member, _ in rows)
    assert first == second == third


def test_a_commit_acknowledges_the_delivery_that_caused_it(config: EngineConfig, client: Redis, keys: Keys) -> None:
    """The entry is gone with the commit, and stays when the commit loses its race."""
    stream = keys.stream("work")
    client.xgroup_create(stream, GROUP, mkstream=True)
    entry_id = client.xadd(stream, {"m": "x"})
    client.xreadgroup(GROUP, "me", {stream: ">"})
    tag = tag_of(stream, entry_id.decode())
    assert isinstance(commit(client, config, (), tag, expected=7), SequenceConflict)
    assert 1 == client.xlen(stream)
    assert isinstance(commit(client, config, (), tag), Committed)
    assert (0, 0) == (client.xlen(stream), client.xpending(stream, GROUP)["pending"])


def test_a_worker_runs_what_a_commit_put_into_the_queue(
    app: Celery, streams: StreamsDispatcher, config: EngineConfig, client: Redis, keys: Keys
) -> None:
    """Messages that a commit wrote, delayed ones too, arrive at a real worker's task, and are acknowledged."""
    worker = NotingWorker(app, 3)
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    messages = [replace(RUN, args=("f", "s", "t", n), eta=soon if n == 0 else None) for n in range(3)]
    commit(client, config, streams.seal(messages))
    received = worker.run()
    assert [("f", "s", "t", 1), ("f", "s", "t", 2), ("f", "s", "t", 0)] == received
    assert (0, 0) == (client.xlen(keys.stream("work")), client.zcard(keys.delayed("work")))
