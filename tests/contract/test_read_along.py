# SPDX-License-Identifier: Apache-2.0
"""A commit on Redis that carries the next read of a channel on our transport."""

from collections.abc import Iterator
from typing import Any

import pytest
from kombu import Connection, Consumer, Queue
from redis import Redis

from argyll_engine.config import EngineConfig
from argyll_engine.dispatch import RUN_WORK, StreamsDispatcher
from argyll_engine.errors import BrokenError
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID, StreamID, flow_stream
from argyll_engine.ports import Commit, Committed, IndexChange, Message
from argyll_engine.store.keys import Keys
from argyll_engine.store.redis import RedisEventStore, StreamDeliveries
from argyll_engine.tasks.app import make_celery
from argyll_engine.transport.wire import GROUP, split_tag
from argyll_engine.transport.wire import Keys as StreamKeys
from tests.contract.redis_server import RedisServer

FLOW = FlowID("flow-1")
STREAM = flow_stream(FLOW)


class Place:
    """A channel that consumes a queue, and a store whose commits carry its reads."""

    def __init__(self, connection: Connection, client: Redis, config: EngineConfig, app: Any) -> None:
        self.heard: list[Any] = []
        self.prefix = config.flow_redis.prefix
        self.channel: Any = connection.channel()
        self._connection = connection
        self._streams = StreamsDispatcher(app, config.queue_key_prefix)
        self.store = RedisEventStore(
            client,
            config.flow_redis.prefix,
            store_name="flow",
            deliveries=StreamDeliveries(GROUP, split_tag, self.channel.next_read),
        )
        queue = Queue("steps", routing_key="steps")
        consumer = Consumer(self.channel, [queue], on_message=self._hear)
        consumer.consume()

    def _hear(self, message: Any) -> None:
        self.heard.append(message.headers["argsrepr"])
        message.ack()

    def drain(self) -> None:
        """Deliver what there is."""
        try:
            while True:
                self._connection.drain_events(timeout=0.2)
        except TimeoutError:
            return

    def commit(self, *numbers: int, expected: int = 0, stream_id: StreamID = STREAM) -> Commit:
        """A commit that makes a message ready for each number."""
        messages = [Message(task=RUN_WORK, queue="steps", args=("f", "s", "t", number)) for number in numbers]
        return Commit(
            stream_id=stream_id,
            expected_sequence=expected,
            events=(b"{}",),
            index=IndexChange(flow_id=FLOW, status=FlowStatus.ACTIVE, at_ms=0),
            entries=self._streams.seal(messages),
        )


@pytest.fixture
def place(redis_server: RedisServer, client: Redis) -> Iterator[Place]:
    """On the test's Redis, which is empty."""
    config = EngineConfig(flow_redis=redis_server.config())
    app = make_celery(config)
    client.script_flush()  # else a known read would run before an unknown commit, whichever tests came before
    with app.connection_for_read() as connection:
        yield Place(connection, client, config, app)
    app.close()


def test_a_commit_brings_the_messages_that_it_made(place: Place) -> None:
    """They are delivered in their order, each once."""
    assert [Committed(next_sequence=1)] == list(place.store.commit([place.commit(1, 2)]))
    assert 2 == len(place.channel.consumer.ready)
    place.drain()
    assert [repr(("f", "s", "t", number)) for number in (1, 2)] == place.heard


def test_what_is_at_hand_comes_first(place: Place) -> None:
    """While messages wait to be delivered, a commit brings no more."""
    place.store.commit([place.commit(1)])
    assert place.channel.next_read() is None
    place.store.commit([place.commit(2, expected=1)])
    assert 1 == len(place.channel.consumer.ready)
    place.drain()
    assert [repr(("f", "s", "t", number)) for number in (1, 2)] == place.heard


def test_each_queue_comes_first_in_turn(place: Place) -> None:
    """One whose messages never end does not keep those of another waiting."""
    more = Consumer(place.channel, [Queue("beat", routing_key="beat")], on_message=lambda message: message.ack())
    more.consume()
    reads = [place.channel.next_read() for _ in range(4)]
    first, second, *again = [read.keys[0] for read in reads]
    assert (True, [first, second]) == (first != second, again)


@pytest.mark.parametrize("others", [0, 1])
def test_messages_of_a_call_that_failed_are_not_lost(place: Place, client: Redis, others: int) -> None:
    """Redis may have given them to us, whatever became of the commits beside."""
    stream_id = flow_stream(FlowID("other"))
    place.store.commit([place.commit(0)])
    place.drain()
    good = [place.commit(1, stream_id=stream_id)] * others
    client.set(Keys(place.prefix).events(STREAM), "no log")
    with pytest.raises(BrokenError):
        place.store.commit([*good, place.commit(2, expected=1)])
    place.drain()
    assert [repr(("f", "s", "t", number)) for number in (0, *[1] * others)] == place.heard


def test_a_read_that_redis_makes_late_is_not_lost(
    place: Place, client: Redis, monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer
) -> None:
    """Redis runs what it had received before we gave the connection up, after we have asked what we were given."""
    monkeypatch.setattr("argyll_engine.transport.channel.LATE_SECONDS", 0.0)
    place.channel.recover()
    keys = StreamKeys(EngineConfig(flow_redis=redis_server.config()).queue_key_prefix)
    other = RedisEventStore(client, place.prefix, store_name="flow")
    other.commit([place.commit(7)])
    client.xreadgroup(GROUP, place.channel.consumer.name, {keys.stream("steps", 3): ">"})
    place.drain()
    assert [repr(("f", "s", "t", 7))] == place.heard
