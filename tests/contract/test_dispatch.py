# SPDX-License-Identifier: Apache-2.0
"""Messages on a real broker: what we seal is what Celery would have sent, and a Celery worker runs it."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from celery import Celery
from msgspec.structs import replace
from redis import Redis

from argyll_engine.config import EngineConfig, RedisConfig
from argyll_engine.dispatch import RUN_WORK, CeleryDispatcher, SharedRedisDispatcher
from argyll_engine.errors import StoreUnavailableError
from argyll_engine.model.effects import RunWork
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID, StepID, Token, flow_stream
from argyll_engine.ports import Commit, Dispatcher, IndexChange, Message, QueueEntry
from argyll_engine.store.redis import RedisEventStore
from argyll_engine.tasks.app import make_celery, queue_key_prefix
from tests.contract.redis_server import RedisServer
from tests.contract.worker import NotingWorker

NOW = datetime(2026, 7, 15, 10, 0, tzinfo=UTC)
LONGEST_WAIT_SECONDS = 60.0
RUN = Message(task=RUN_WORK, queue="work", args=("flow-1", "step-1", "token-1", 2))
LATER = replace(RUN, queue="steps", eta=NOW + timedelta(seconds=30))


@pytest.fixture
def config(redis_server: RedisServer, client: Redis) -> EngineConfig:
    """Flow store and Celery's stock broker on the test's Redis, which is empty."""
    flow_redis = redis_server.config()
    return EngineConfig(flow_redis=flow_redis, broker_url=flow_redis.broker_url())


@pytest.fixture
def app(config: EngineConfig) -> Iterator[Celery]:
    """The Celery app of the configuration."""
    app = make_celery(config)
    yield app
    app.close()


@pytest.fixture
def shared(app: Celery, config: EngineConfig) -> SharedRedisDispatcher:
    """The dispatcher whose messages a commit puts into the queues."""
    return SharedRedisDispatcher(app, LONGEST_WAIT_SECONDS, queue_key_prefix(config))


@pytest.fixture(params=["shared", "celery"])
def dispatcher(request: pytest.FixtureRequest, app: Celery, shared: SharedRedisDispatcher) -> Dispatcher:
    """Each dispatcher in turn."""
    return shared if request.param == "shared" else CeleryDispatcher(app, LONGEST_WAIT_SECONDS)


def read(payload: bytes) -> tuple[Any, list[str], list[str]]:
    """A message with its ids taken out, those that name the task, and those of its delivery.

    The address for replies is left out too: Celery always writes one, and without a result backend nobody replies.
    """
    message = json.loads(payload)
    headers, properties = message["headers"], message["properties"]
    message["body"] = json.loads(base64.b64decode(message["body"]))
    task_ids = [headers.pop("id"), headers.pop("root_id"), properties.pop("correlation_id")]
    properties.pop("reply_to")
    return message, task_ids, [properties.pop("delivery_tag")]


@pytest.mark.parametrize("message", [RUN, LATER], ids=["now", "later"])
def test_sealed_message_equals_a_sent_one(
    app: Celery, shared: SharedRedisDispatcher, client: Redis, message: Message
) -> None:
    """But for random ids, a sealed message has the queue and every field of what Celery writes for the same call."""
    CeleryDispatcher(app, LONGEST_WAIT_SECONDS).publish([message])
    (entry,) = shared.seal([message])
    written = client.lindex(entry.key, 0)
    assert isinstance(written, bytes), f"Celery wrote nothing to {entry.key}"
    (expected, sent_ids, _), (actual, sealed_ids, tags) = read(written), read(entry.payload)
    assert expected == actual
    assert (1, 1) == (len(set(sent_ids)), len(set(sealed_ids)))
    assert [4, 4] == [UUID(text).version for text in (sealed_ids[0], tags[0])]


def test_sealed_messages_have_ids_of_their_own(shared: SharedRedisDispatcher) -> None:
    """No two messages share a task id or a delivery tag, or the broker would take one for the other."""
    read_ones = [read(entry.payload) for entry in shared.seal([RUN] * 20)]
    assert (20, 20) == (len({ids[0] for _, ids, _ in read_ones}), len({tags[0] for _, _, tags in read_ones}))


def test_a_worker_runs_what_a_commit_put_into_the_queue(
    app: Celery, shared: SharedRedisDispatcher, config: EngineConfig, client: Redis
) -> None:
    """Messages that a commit wrote arrive at a real worker's task, in order, and are acknowledged."""
    worker = NotingWorker(app, 3)
    messages = [replace(RUN, args=("flow-1", "step-1", "token-1", attempt)) for attempt in range(3)]
    commit(client, config, shared.seal(messages))
    received = worker.run()
    prefix = queue_key_prefix(config)
    left = client.llen(prefix + "work"), client.hlen(prefix + "unacked"), client.zcard(prefix + "unacked_index")
    assert ([("flow-1", "step-1", "token-1", attempt) for attempt in range(3)], (0, 0, 0)) == (received, left)


def commit(client: Redis, config: EngineConfig, entries: tuple[QueueEntry, ...]) -> None:
    """Commits nothing but messages."""
    index = IndexChange(flow_id=FlowID("flow-1"), status=FlowStatus.ACTIVE, at_ms=0)
    store = RedisEventStore(client, config.flow_redis.prefix, store_name="flow")
    store.commit(
        [Commit(stream_id=flow_stream(FlowID("flow-1")), expected_sequence=0, events=(), index=index, entries=entries)]
    )


@pytest.mark.parametrize(("step_type", "queue"), [("script", "steps"), ("sync", "work"), ("async", "work")])
def test_effects_become_messages_of_ids(dispatcher: Dispatcher, step_type: str, queue: str) -> None:
    """Running a work item is one message with its ids and attempt, in the queue of its step's type."""
    (message,) = dispatcher.render([effect(step_type)], NOW)
    assert Message(task=RUN_WORK, queue=queue, args=("flow-1", "step-1", "token-1", 2)) == message


@pytest.mark.parametrize(("wait_seconds", "hop_seconds"), [(0, 0), (59, 59), (60, 60), (61, 60), (86_400, 60)])
def test_long_waits_go_in_hops(dispatcher: Dispatcher, wait_seconds: int, hop_seconds: int) -> None:
    """A message is due at its time, or after the longest wait if that comes first."""
    (message,) = dispatcher.render([replace(effect("sync"), at=NOW + timedelta(seconds=wait_seconds))], NOW)
    assert NOW + timedelta(seconds=hop_seconds) == message.eta


def test_other_brokers_are_no_part_of_a_commit(app: Celery) -> None:
    """Where the broker is elsewhere nothing is sealed, so that everything is published."""
    assert () == CeleryDispatcher(app, LONGEST_WAIT_SECONDS).seal([RUN])


def test_an_absent_broker_is_an_outage(tmp_path: Path) -> None:
    """Publishing to a broker that does not answer is refused as a store that is away, within a few seconds."""
    app = make_celery(EngineConfig(flow_redis=RedisConfig(addr=f"unix://{tmp_path}/none.sock")))
    with pytest.raises(StoreUnavailableError, match="broker"):
        CeleryDispatcher(app, LONGEST_WAIT_SECONDS).publish([RUN])
    app.close()


def effect(step_type: str) -> RunWork:
    """Attempt 2 of a work item."""
    return RunWork(
        flow_id=FlowID("flow-1"), step_id=StepID("step-1"), token=Token("token-1"), attempt=2, step_type=step_type
    )
