# SPDX-License-Identifier: Apache-2.0
"""Group commit on both backends: threads that share a store see what they would see alone."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from argyll_engine.errors import StoreUnavailableError
from argyll_engine.model.ids import flow_stream
from argyll_engine.ports import Committed, LoadRequest, SequenceConflict
from argyll_engine.store.connect import connect
from argyll_engine.store.grouping import GroupedEventStore
from tests.contract.commits import a_commit, commit_one, load_one, some_events
from tests.contract.conftest import Backend, redis_backend
from tests.contract.redis_server import RedisServer

THREADS = 8
ROUNDS = 25


def test_every_thread_commits_and_reads_its_own(backend: Backend) -> None:
    """Commits of threads in flight together are all there, and each reads what it has written at once."""
    store = GroupedEventStore(backend.store)

    def work(name: str) -> None:
        for number in range(ROUNDS):
            assert Committed(next_sequence=number + 1) == commit_one(store, a_commit(name, number))
            loaded = load_one(store, LoadRequest(stream_id=flow_stream(name), known=number))
            assert (some_events(1, number), number + 1) == (loaded.events, loaded.next_sequence)

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(work, f"flow-{number}") for number in range(THREADS)]:
            done.result()
    logs = [backend.store.read_log(flow_stream(f"flow-{number}")) for number in range(THREADS)]
    assert [some_events(ROUNDS)] * THREADS == logs


def test_one_of_several_writers_wins_each_place(backend: Backend) -> None:
    """Threads that race for one log get one place each; the losers get the events that they have missed."""
    store = GroupedEventStore(backend.store)

    def work() -> int:
        known = lost = 0
        for _ in range(ROUNDS):
            while isinstance(result := commit_one(store, a_commit("wf", known)), SequenceConflict):
                assert some_events(result.next_sequence - known, known) == result.missed
                known, lost = result.next_sequence, lost + 1
            known = result.next_sequence
        return lost

    with ThreadPoolExecutor(THREADS) as pool:
        losses = [done.result() for done in [pool.submit(work) for _ in range(THREADS)]]
    assert some_events(ROUNDS * THREADS) == backend.store.read_log(flow_stream("wf"))
    assert sum(losses) >= 0


def test_a_store_that_is_away_fails_every_thread_and_comes_back(own_server: RedisServer) -> None:
    """While Redis is gone each of the threads gets the error; afterwards the same store serves them again."""
    with connect(own_server.config()) as client:
        store = GroupedEventStore(redis_backend(client).store)
        assert Committed(next_sequence=1) == commit_one(store, a_commit("before"))
        own_server.stop()
        with ThreadPoolExecutor(THREADS) as pool:
            commits = [pool.submit(commit_one, store, a_commit(f"w{number}")) for number in range(THREADS)]
            for commit in commits:
                with pytest.raises(StoreUnavailableError):
                    commit.result()
        own_server.start()
        assert Committed(next_sequence=1) == commit_one(store, a_commit("after"))
