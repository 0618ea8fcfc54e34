# SPDX-License-Identifier: Apache-2.0
"""Commits that rest on a stream of another store on the same Redis: they are refused once that has gone on."""

from collections.abc import Iterator

import pytest
from redis import Redis

from argyll_engine.config import EngineConfig
from argyll_engine.engine import Engine
from argyll_engine.errors import FlowNotFoundError, StepNotFoundError
from argyll_engine.model.ids import CATALOG_STREAM, FlowID, StepID, flow_stream
from argyll_engine.ports import Commit, Committed, LoadRequest, Outdated, QueueEntry, Snapshot, Version
from argyll_engine.projections import mark_of
from argyll_engine.store.redis import RedisEventStore
from argyll_engine.wiring import build_engine
from tests.contract.commits import a_commit, an_index, commit_one, load_one, some_events
from tests.contract.redis_server import RedisServer
from tests.definitions import a_script_step, output, required

ENGINE = "test:engine"
FLOWS = "test:flow"


@pytest.fixture
def engine_store(client: Redis) -> RedisEventStore:
    """The store that has the catalog, with three events in it."""
    store = RedisEventStore(client, ENGINE, store_name="engine", trimmed=True)
    commit_one(store, catalog_commit(0, 3))
    return store


@pytest.fixture
def flows(client: Redis) -> RedisEventStore:
    """The store whose commits may rest on the catalog."""
    return RedisEventStore(client, FLOWS, store_name="flow", other_prefix=ENGINE)


def catalog_commit(expected: int, count: int) -> Commit:
    """So many events of the catalog."""
    return Commit(stream_id=CATALOG_STREAM, expected_sequence=expected, events=some_events(count, expected))


def version(sequence: int, mark: bytes = b"") -> Version:
    """A version of the catalog."""
    return Version(stream_id=CATALOG_STREAM, next_sequence=sequence, mark=mark)


@pytest.mark.parametrize("mark", [b"", mark_of(some_events(3))])
def test_a_commit_goes_through_while_the_other_stream_stands(
    engine_store: RedisEventStore, flows: RedisEventStore, mark: bytes
) -> None:
    """Whether it is known how the last event begins or not."""
    assert Committed(next_sequence=1) == commit_one(flows, a_commit(rests_on=version(3, mark)))


def test_nothing_happens_once_the_other_stream_has_gone_on(
    engine_store: RedisEventStore, flows: RedisEventStore, client: Redis
) -> None:
    """No event, no row, no message; not even the news of a conflict, for the question was another."""
    commit_one(engine_store, catalog_commit(3, 1))
    before = set(client.keys("*"))
    entry = QueueEntry(key="steps", payload=b"message")
    late = a_commit(rests_on=version(3), index=an_index("wf", team="a"), due_at_ms=5, entries=(entry,))
    assert Outdated() == commit_one(flows, late)
    assert Outdated() == commit_one(flows, a_commit(expected=7, rests_on=version(3)))
    assert before == set(client.keys("*"))


@pytest.mark.parametrize("seen", [version(2), version(4), version(3, b'{"sequence":9}'), version(0)])
def test_another_stream_than_was_seen_is_noticed(
    engine_store: RedisEventStore, flows: RedisEventStore, seen: Version
) -> None:
    """Shorter, longer, or of the same length with another end, as after a loss of data."""
    assert Outdated() == commit_one(flows, a_commit(rests_on=seen))


def test_a_snapshot_of_the_other_stream_changes_nothing(engine_store: RedisEventStore, flows: RedisEventStore) -> None:
    """It counts the events that it covers; of those none is left to compare."""
    mark = mark_of(some_events(3))
    engine_store.save_snapshot(CATALOG_STREAM, Snapshot(sequence=3, payload=b"{}"))
    assert Committed(next_sequence=1) == commit_one(flows, a_commit("a", rests_on=version(3, mark)))
    commit_one(engine_store, catalog_commit(3, 1))
    assert Outdated() == commit_one(flows, a_commit("b", rests_on=version(3, mark)))
    assert Committed(next_sequence=1) == commit_one(flows, a_commit("b", rests_on=version(4)))


def test_a_stream_that_is_not_there_has_no_events(client: Redis, flows: RedisEventStore) -> None:
    """A start before the first step was registered rests on that."""
    assert Committed(next_sequence=1) == commit_one(flows, a_commit(rests_on=version(0)))
    assert Outdated() == commit_one(flows, a_commit("b", rests_on=version(1)))


def test_members_of_a_batch_are_refused_by_themselves(engine_store: RedisEventStore, flows: RedisEventStore) -> None:
    """What does not rest on the other stream goes through beside what does."""
    commits = [a_commit("a", rests_on=version(2)), a_commit("b"), a_commit("c", rests_on=version(3))]
    done = Committed(next_sequence=1)
    assert [Outdated(), done, done] == list(flows.commit(commits))
    assert 0 == load_one(flows, LoadRequest(stream_id=flow_stream(FlowID("a")))).next_sequence


# ---- two processes, one catalog ----------------------------------------------------------------

ADD = StepID("add")


@pytest.fixture
def config(redis_server: RedisServer, client: Redis) -> EngineConfig:
    """Both stores on the test's Redis, which is empty."""
    return EngineConfig(engine_redis=redis_server.config(ENGINE), flow_redis=redis_server.config(FLOWS))


@pytest.fixture
def engines(config: EngineConfig) -> Iterator[tuple[Engine, Engine]]:
    """Two API processes as far as the engine goes; both have started a flow of the step's first definition."""
    one, other = build_engine(config), build_engine(config)
    one.register_step(a_script_step(ADD, {"x": required(), "y": output()}))
    start(one, "warm-1")
    start(other, "warm-2")
    yield one, other


def start(engine: Engine, flow_id: str, goal: StepID = ADD) -> None:
    """Start a flow."""
    engine.start_flow(FlowID(flow_id), (goal,), {"x": (1,)}, {})


def test_a_start_sees_what_another_process_has_registered(engines: tuple[Engine, Engine]) -> None:
    """As soon as the other was answered: a new step, a new definition, and that a step is gone."""
    one, other = engines
    one.register_step(a_script_step("new", {"x": required(), "z": output()}))
    start(other, "f-new", StepID("new"))
    changed = a_script_step(ADD, {"x": required(), "sum": output()})
    one.update_step(changed)
    start(other, "f-changed")
    assert {"x", "sum"} == set(other.queries.flow(FlowID("f-changed")).plan.steps[ADD].attributes)
    one.unregister_step(ADD)
    with pytest.raises(StepNotFoundError):
        start(other, "f-gone")
    with pytest.raises(FlowNotFoundError):
        other.queries.flow(FlowID("f-gone"))


def test_a_refusal_rests_on_the_catalog_as_of_now(engines: tuple[Engine, Engine]) -> None:
    """A batch of which one start needs the other process's new step is not refused by the old catalog."""
    one, other = engines
    with pytest.raises(StepNotFoundError):
        start(other, "early", StepID("late"))
    one.register_step(a_script_step("late", {"x": required(), "z": output()}))
    start(other, "early", StepID("late"))
    start(other, "early", StepID("late"))  # the same start again changes nothing


def test_a_start_is_one_round_trip(engines: tuple[Engine, Engine], client: Redis) -> None:
    """The catalog is not asked for beside it."""
    _, other = engines
    before = int(client.info("stats")["total_reads_processed"])
    idle = int(client.info("stats")["total_reads_processed"]) - before
    start(other, "counted")
    assert 1 == int(client.info("stats")["total_reads_processed"]) - before - 2 * idle


def test_stores_on_different_servers_ask_the_catalog_first(
    redis_server: RedisServer, own_server: RedisServer, client: Redis
) -> None:
    """No commit can look at a Redis that it is not on; what another process registers is seen all the same."""
    config = EngineConfig(engine_redis=own_server.config(ENGINE), flow_redis=redis_server.config(FLOWS))
    assert not config.is_one_redis
    one, other = build_engine(config), build_engine(config)
    one.register_step(a_script_step(ADD, {"x": required(), "y": output()}))
    start(other, "a")
    one.unregister_step(ADD)
    with pytest.raises(StepNotFoundError):
        start(other, "b")
