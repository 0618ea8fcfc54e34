# SPDX-License-Identifier: Apache-2.0
"""Group commit: threads that ask a store at the same moment share one call, and nothing else."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Lock

import pytest

from argyll_engine.errors import ArgyllError, BrokenError, StoreUnavailableError
from argyll_engine.model.ids import flow_stream
from argyll_engine.ports import Commit, CommitResult, Committed, LoadRequest, SequenceConflict, Stream
from argyll_engine.store.grouping import MAX_GROUP, GroupedEventStore
from argyll_engine.store.memory import MemoryBackend, MemoryEventStore
from tests.contract.commits import a_commit, some_events

LONG_SECONDS = 30.0
"""Longer than any test: what waits for this does not come by time."""


class SlowStore(MemoryEventStore):
    """Keeps calls on their way until they are let go, and notes what each was given."""

    def __init__(self) -> None:
        super().__init__(MemoryBackend())
        self.calls: list[tuple[str, ...]] = []
        self.entered = Event()
        self.open = Event()
        self.faults: dict[str, ArgyllError] = {}
        self._lock = Lock()

    def commit(self, commits: Sequence[Commit]) -> Sequence[CommitResult]:
        """The results; raises the first fault of a flow in the batch, as if the others had gone through."""
        self._pass([commit.stream_id[-1] for commit in commits])
        results = super().commit(commits)
        for commit in commits:
            if commit.stream_id[-1] in self.faults:
                raise self.faults[commit.stream_id[-1]]
        return results

    def load(self, requests: Sequence[LoadRequest]) -> Sequence[Stream]:
        """The streams."""
        self._pass([request.stream_id[-1] for request in requests])
        return super().load(requests)

    def _pass(self, names: Sequence[str]) -> None:
        with self._lock:
            self.calls.append(tuple(names))
        self.entered.set()
        assert self.open.wait(LONG_SECONDS)


class Crowd:
    """Threads that ask one grouped store; the first is held up in it while the others come."""

    def __init__(self, max_wait_seconds: float = LONG_SECONDS) -> None:
        self.slow = SlowStore()
        self.store = GroupedEventStore(self.slow, max_wait_seconds)
        self.pool = ThreadPoolExecutor(32)

    def commit(self, *flows: str, expected: int = 0) -> Future[Sequence[CommitResult]]:
        """A thread that commits one event to each of these flows."""
        return self.pool.submit(self.store.commit, [a_commit(flow, expected) for flow in flows])

    def load(self, flow: str) -> Future[Sequence[Stream]]:
        """A thread that loads a flow."""
        return self.pool.submit(self.store.load, [LoadRequest(stream_id=flow_stream(flow))])

    def gathered(self, kind: str, count: int) -> None:
        """Come back when so many questions wait."""
        until(lambda: _waiting(self.store, kind) == count)

    def go(self) -> None:
        """Let all calls through."""
        self.slow.open.set()


def _waiting(store: GroupedEventStore, kind: str) -> int:
    groups = (store._commits if kind == "commit" else store._loads)._gathered
    return sum(len(group.questions) for group in groups)


def until(is_true: Callable[[], bool]) -> None:
    """Come back once a condition holds."""
    tick = Event()
    for _ in range(int(LONG_SECONDS * 1_000)):
        if is_true():
            return
        tick.wait(0.001)
    raise AssertionError("it never came true")


@pytest.fixture
def crowd():
    """A crowd, whose threads end with the test."""
    crowd = Crowd()
    yield crowd
    crowd.go()
    crowd.pool.shutdown()


def test_a_single_thread_goes_at_once(crowd: Crowd) -> None:
    """An idle store is asked without a wait, each time, even where groups would wait for ever."""
    crowd.go()
    assert (Committed(next_sequence=1),) == tuple(crowd.store.commit([a_commit("a")]))
    assert (Committed(next_sequence=2),) == tuple(crowd.store.commit([a_commit("a", 1)]))
    assert [("a",), ("a",)] == crowd.slow.calls


def test_who_comes_meanwhile_goes_together(crowd: Crowd) -> None:
    """While one commit is on its way the next ones gather, and go as one call with their results in place."""
    first = crowd.commit("first")
    assert crowd.slow.entered.wait(LONG_SECONDS)
    others = [crowd.commit(f"a{number}", f"b{number}") for number in range(20)]
    crowd.gathered("commit", 40)
    crowd.go()
    assert [Committed(next_sequence=1)] == list(first.result())
    assert [[Committed(next_sequence=1)] * 2] * 20 == [list(other.result()) for other in others]
    assert [1, 40] == [len(call) for call in crowd.slow.calls]


def test_each_gets_its_own_result(crowd: Crowd) -> None:
    """A conflict inside a group is that of the thread which caused it, with what it has missed."""
    first = crowd.commit("taken")
    assert crowd.slow.entered.wait(LONG_SECONDS)
    late, fresh = crowd.commit("taken"), crowd.commit("free")
    crowd.gathered("commit", 2)
    crowd.go()
    assert Committed(next_sequence=1) == first.result()[0]
    assert SequenceConflict(next_sequence=1, missed=some_events(1)) == late.result()[0]
    assert Committed(next_sequence=1) == fresh.result()[0]


def test_a_group_waits_no_longer_than_it_may() -> None:
    """Behind a call that does not end, the next group goes beside it."""
    crowd = Crowd(max_wait_seconds=0.001)
    held_up = crowd.commit("held-up")
    assert crowd.slow.entered.wait(LONG_SECONDS)
    other = crowd.commit("other")
    until(lambda: len(crowd.slow.calls) == 2)
    assert not held_up.done()
    crowd.go()
    assert [Committed(next_sequence=1)] * 2 == [held_up.result()[0], other.result()[0]]
    crowd.pool.shutdown()


def test_a_store_that_is_away_is_away_for_everyone(crowd: Crowd) -> None:
    """Each thread of a group gets the error, after one call, and the store is asked again by whoever comes next."""
    first = crowd.commit("first")
    assert crowd.slow.entered.wait(LONG_SECONDS)
    crowd.slow.faults = {"b": StoreUnavailableError("flow", "gone")}
    others = [crowd.commit("a"), crowd.commit("b"), crowd.commit("c")]
    crowd.gathered("commit", 3)
    crowd.go()
    assert first.result()
    assert ["flow store unavailable: gone"] * 3 == [str(other.exception()) for other in others]
    crowd.slow.faults = {}
    assert [Committed(next_sequence=1)] == list(crowd.store.commit([a_commit("later")]))
    assert [1, 3, 1] == [len(call) for call in crowd.slow.calls]


def test_a_refused_commit_takes_no_neighbour_down(crowd: Crowd) -> None:
    """What the store refuses as wrong is one thread's error; the others hear that they went through."""
    first = crowd.commit("first")
    assert crowd.slow.entered.wait(LONG_SECONDS)
    crowd.slow.faults = {"wrong": BrokenError("no list")}
    fine, wrong = crowd.commit("fine"), crowd.commit("wrong")
    crowd.gathered("commit", 2)
    crowd.go()
    assert first.result()
    assert "no list" == str(wrong.exception())
    assert Committed(next_sequence=1) == fine.result()[0]


def test_the_same_load_is_made_once(crowd: Crowd) -> None:
    """Threads that ask for the same of one stream share its load."""
    first = crowd.load("other")
    assert crowd.slow.entered.wait(LONG_SECONDS)
    loads = [crowd.load("same") for _ in range(5)]
    crowd.gathered("load", 5)
    crowd.go()
    assert first.result()
    assert {flow_stream("same")} == {load.result()[0].stream_id for load in loads}
    assert [("other",), ("same",)] == crowd.slow.calls


def test_loads_do_not_wait_for_commits(crowd: Crowd) -> None:
    """The two gather apart, so that reading is not held up by writing."""
    commit = crowd.commit("a")
    assert crowd.slow.entered.wait(LONG_SECONDS)
    load = crowd.load("b")
    until(lambda: len(crowd.slow.calls) == 2)
    crowd.go()
    assert commit.result()
    assert load.result()


def test_a_group_has_a_size(crowd: Crowd) -> None:
    """Who would make it larger begins another."""
    first = crowd.commit("first")
    assert crowd.slow.entered.wait(LONG_SECONDS)
    one = crowd.commit(*(f"a{number}" for number in range(MAX_GROUP)))
    crowd.gathered("commit", MAX_GROUP)
    two = crowd.commit("b")
    crowd.gathered("commit", MAX_GROUP + 1)
    crowd.go()
    assert all(future.result() for future in (first, one, two))
    assert {1, MAX_GROUP} == {len(call) for call in crowd.slow.calls}


def test_nothing_is_asked_for_nothing(crowd: Crowd) -> None:
    """An empty batch has no results and costs no call."""
    assert [] == list(crowd.store.commit([]))
    assert [] == crowd.slow.calls


def test_many_threads_lose_no_event() -> None:
    """Threads that append to one log and to their own, with races, leave each event in place once."""
    memory = MemoryEventStore(MemoryBackend())
    store = GroupedEventStore(memory)

    def append(name: str) -> None:
        for number in range(50):
            own = store.commit([a_commit(name, number)])
            assert [Committed(next_sequence=number + 1)] == list(own)
            while isinstance(
                result := store.commit([a_commit("shared", len(memory.read_log(SHARED)))])[0], SequenceConflict
            ):
                assert result.missed or result.next_sequence

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(append, f"own-{number}") for number in range(8)]:
            done.result()
    assert some_events(400) == memory.read_log(SHARED)
    assert [some_events(50)] * 8 == [memory.read_log(flow_stream(f"own-{number}")) for number in range(8)]


SHARED = flow_stream("shared")
