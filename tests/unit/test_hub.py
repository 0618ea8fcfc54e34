# SPDX-License-Identifier: Apache-2.0
"""Watchers get every event of what they watch, once and in order, or word that they cannot."""

from collections.abc import Iterator
from queue import Empty, Queue

import pytest

from argyll_engine.errors import StoreUnavailableError
from argyll_engine.feed_port import FeedPosition, Reading
from argyll_engine.hub import Delivery, Hub, is_named, paths_above
from argyll_engine.model.ids import CATALOG_STREAM, StreamID, flow_stream
from argyll_engine.ports import Commit, Snapshot
from argyll_engine.store.memory import MemoryBackend, MemoryEventStore
from tests.hub_desk import ALL, PATIENCE_MS, SOON_SECONDS, WF, Desk, FaultyFeed, of


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A hub that ends with the test."""
    desk = Desk()
    yield desk
    desk.hub.stop()


# ---- what is delivered -----------------------------------------------------------------------


@pytest.mark.parametrize("path", [WF, ("flow",), ALL])
def test_a_watch_covers_what_is_below_its_path(desk: Desk, path: StreamID) -> None:
    """One stream, a kind of streams, or everything."""
    desk.hub.attach([path])
    desk.commit(WF, 2)
    desk.commit(WF)
    assert of("wf", 0, 1, 2) == desk.collect(3)


def test_what_nobody_watches_is_not_delivered(desk: Desk) -> None:
    """Other streams pass by."""
    desk.hub.attach([WF])
    desk.commit(flow_stream("other"), 3)
    desk.commit(CATALOG_STREAM)
    desk.commit(WF)
    assert of("wf", 0) == desk.collect(1)


def test_streams_are_delivered_in_commit_order(desk: Desk) -> None:
    """However many commits one reading finds."""
    desk.hub.attach([("flow",)])
    for name in "abab":
        desk.commit(flow_stream(name))
    assert [*of("a", 0), *of("b", 0), *of("a", 1), *of("b", 1)] == desk.collect(4)


def test_a_watch_begins_when_it_is_attached(desk: Desk) -> None:
    """It says where: later events, and only those, belong to it."""
    desk.commit(WF, 4)
    attachment = desk.hub.attach([WF, ("flow",)])
    assert {WF: 4} == attachment.next_sequences
    assert {0: desk.feed.end([]).position} == attachment.after
    desk.commit(WF)
    assert of("wf", 4) == desk.collect(1)


def test_commits_that_nobody_wants_are_left_out(desk: Desk) -> None:
    """Those of unknown types come, and so does every event of a commit that has a wanted one."""
    desk.hub.attach([("flow",)], frozenset({"end"}))
    desk.commit(WF, 1, "start")
    desk.commit(WF, 2, "work", "end")
    desk.commit(WF)
    assert of("wf", 1, 2, 3) == desk.collect(3)


def test_a_named_stream_has_no_gap_for_what_was_left_out(desk: Desk) -> None:
    """Its watchers count events: they are told from where on some were left out, of each gap once."""
    desk.hub.attach([WF], frozenset({"end"}))
    desk.commit(WF, 2, "start")
    desk.commit(WF, 3, "work")
    desk.commit(WF, 1, "end")
    desk.commit(WF, 1, "end")
    assert [(0, 5, 1), (6, 6, 1)] == [(run.after, run.first_sequence, len(run.events)) for run in desk.runs(2)]


def test_what_was_left_out_between_two_wanted_ones(desk: Desk) -> None:
    """All of it may be in one reading: no watch gets it, whether it names the stream or not."""
    for path in (WF, ("flow",)):
        desk.hub.attach([path], frozenset({"end"}))
        with desk.backend.lock:  # so that one reading has all three
            desk.commit(WF, 1, "end")
            desk.commit(WF, 2, "work")
            desk.commit(WF, 1, "end")
        first, second = desk.runs(2)
        assert (first.first_sequence + 3, 1) == (second.first_sequence, len(second.events))
        desk.hub.detach([path], frozenset({"end"}))


def test_a_watch_of_many_gets_nothing_from_before(desk: Desk) -> None:
    """Not even of a stream of which another watch has left events out."""
    desk.hub.attach([WF], frozenset({"end"}))
    desk.commit(WF, 5, "work")
    desk.settle()
    desk.hub.attach([("flow",)])
    desk.commit(WF, 1, "work")
    assert of("wf", 5) == desk.collect(1)


def test_a_log_that_lost_what_was_left_out(desk: Desk) -> None:
    """Nobody needs it any more."""
    desk.hub.attach([WF], frozenset({"end"}))
    desk.commit(WF, 2, "start")
    desk.settle()
    desk.store.save_snapshot(WF, Snapshot(sequence=2, payload=b"s"))
    desk.commit(WF, 1, "end")
    (run,) = desk.runs(1)
    assert (0, 2) == (run.after, run.first_sequence)


def test_what_one_of_two_watches_wants_comes(desk: Desk) -> None:
    """Until that watch is over; the other one stays."""
    desk.hub.attach([("flow",)], frozenset({"end"}))
    desk.hub.attach([WF])
    desk.commit(WF, 1, "start")
    assert of("wf", 0) == desk.collect(1)
    desk.hub.detach([WF])
    desk.commit(WF, 1, "work")
    desk.commit(WF, 1, "end")
    assert of("wf", 2) == desk.collect(1)


def test_a_path_of_no_kind_watches_nothing(desk: Desk) -> None:
    """It is no fault."""
    assert {} == desk.hub.attach([("nope",)]).next_sequences
    desk.hub.detach([("nope",)])


def test_a_detached_watch_is_over(desk: Desk) -> None:
    """One of two watches on the same path leaves the other."""
    desk.hub.attach([WF])
    desk.hub.attach([WF])
    desk.hub.detach([WF])
    desk.commit(WF)
    assert of("wf", 0) == desk.collect(1)
    desk.hub.detach([WF])
    desk.hub.attach([flow_stream("next")])
    desk.commit(WF)
    desk.commit(flow_stream("next"))
    assert of("next", 0) == desk.collect(1)


def test_a_hub_without_watchers_reads_nothing(desk: Desk) -> None:
    """What was committed meanwhile belongs to nobody, and the next watch begins at the end."""
    desk.hub.attach([WF])
    desk.hub.detach([WF])
    desk.commit(WF, 5)
    with pytest.raises(Empty):
        desk.deliveries.get(timeout=5 * PATIENCE_MS / 1_000)
    assert {WF: 5} == desk.hub.attach([WF]).next_sequences
    desk.commit(WF)
    assert of("wf", 5) == desk.collect(1)


def test_a_watch_that_cannot_begin_is_none(desk: Desk) -> None:
    """The fault of the store is the caller's to handle."""
    desk.feed.is_away = True
    with pytest.raises(StoreUnavailableError):
        desk.hub.attach([WF])
    desk.feed.is_away = False
    desk.hub.attach([flow_stream("other")])
    desk.commit(WF)
    desk.commit(flow_stream("other"))
    assert of("other", 0) == desk.collect(1)


# ---- faults ----------------------------------------------------------------------------------


def test_an_outage_costs_no_event(desk: Desk) -> None:
    """Commits that others made while this process was cut off are delivered after it, once."""
    desk.hub.attach([WF])
    desk.commit(WF)
    assert of("wf", 0) == desk.collect(1)
    desk.feed.is_away = True
    desk.commit(WF, 2)
    desk.feed.is_away = False
    desk.commit(WF)
    assert of("wf", 1, 2, 3) == desk.collect(3)


def test_an_outage_between_note_and_log_costs_no_event(desk: Desk) -> None:
    """A reading counts only when its events were handed over."""
    desk.hub.attach([WF])
    read = desk.feed.read

    def read_and_go_away(after: FeedPosition, patience_ms: int) -> Reading:
        reading = read(after, patience_ms)
        desk.feed.is_away, desk.feed.read = bool(reading.notes), read  # type: ignore[method-assign]
        return reading

    desk.feed.read = read_and_go_away  # type: ignore[method-assign]
    desk.commit(WF)
    with pytest.raises(Empty):
        desk.deliveries.get(timeout=5 * PATIENCE_MS / 1_000)
    desk.feed.is_away = False
    assert of("wf", 0) == desk.collect(1)


def test_named_streams_are_read_again_where_the_feed_was_trimmed(desk: Desk) -> None:
    """Nothing is missing; whoever watches more than named streams is told that something may be."""
    desk.hub.attach([WF])
    desk.hub.attach([flow_stream("quiet")])
    with desk.backend.lock:
        desk.feed.seems_trimmed = True
        desk.commit(WF, 3)
        desk.commit(flow_stream("quiet"))
        desk.commit(flow_stream("last"))
    delivery = desk.next()
    assert not delivery.is_whole
    assert {(WF, 0, 3), (flow_stream("quiet"), 0, 1)} == {
        (run.stream_id, run.first_sequence, len(run.events)) for run in delivery.runs
    }
    desk.commit(WF)
    assert of("wf", 3) == desk.collect(1)


def test_a_log_that_no_longer_holds_what_comes_next(desk: Desk) -> None:
    """Its watchers are told to begin anew."""
    desk.hub.attach([WF])
    with desk.backend.lock:
        desk.commit(WF, 3)
        desk.backend.logs[WF].trimmed = 2
        desk.backend.logs[WF].events = [b"2"]
    assert frozenset({WF}) == desk.next().lost


def test_a_log_that_went_back(desk: Desk) -> None:
    """A Redis that lost its last second is noticed when it is back."""
    desk.commit(WF, 3)
    desk.hub.attach([WF])
    desk.feed.is_away = True
    desk.backend.logs[WF].events = [b"0"]
    with pytest.raises(Empty):  # readings that can only fail
        desk.deliveries.get(timeout=5 * PATIENCE_MS / 1_000)
    desk.feed.is_away = False
    assert frozenset({WF}) == desk.next().lost


# ---- paths -----------------------------------------------------------------------------------


def test_paths_above_a_stream() -> None:
    """From the one above all to its own."""
    assert [(), ("flow",), ("flow", "wf")] == list(paths_above(WF))


@pytest.mark.parametrize(
    ("path", "named"),
    [
        (("catalog",), True),
        (("cluster",), True),
        (("flow", "x"), True),
        (("flow",), False),
        ((), False),
        (("flow", "x", "y"), False),
        (("catalog", "x"), False),
    ],
)
def test_named_paths(path: StreamID, named: bool) -> None:
    """A path names one stream or many."""
    assert named == is_named(path)


class TwoShards:
    """A hub on two feeds of flows; flows whose id begins with `b` are on the second."""

    def __init__(self) -> None:
        backends = MemoryBackend(), MemoryBackend()
        self.stores = [MemoryEventStore(backend) for backend in backends]
        self.feeds = [FaultyFeed(backend) for backend in backends]
        self.hub = Hub(
            [(feed, frozenset({"flow"})) for feed in self.feeds],
            patience_ms=PATIENCE_MS,
            may_have=lambda number, stream_id: number == stream_id[1].startswith("b") or stream_id[1] == "either",
        )
        self.deliveries: Queue[Delivery] = Queue()
        self.hub.listen(self.deliveries.put)

    def commit(self, number: int, flow_id: str, expected: int = 0) -> None:
        """One event more on a shard."""
        commit = Commit(stream_id=flow_stream(flow_id), expected_sequence=expected, events=(b"x",))
        self.stores[number].commit([commit])


@pytest.fixture
def two() -> Iterator[TwoShards]:
    """A hub that is stopped at the end."""
    shards = TwoShards()
    yield shards
    shards.hub.stop()


def test_flows_of_several_feeds_are_watched_together(two: TwoShards) -> None:
    """Each delivery says which feed it is from, for positions of two feeds cannot be compared."""
    attachment = two.hub.attach([("flow",)])
    assert {0: (0, 0), 1: (0, 0)} == attachment.after
    two.commit(0, "a")
    two.commit(1, "b")
    runs = [run for _ in range(2) for run in two.deliveries.get(timeout=SOON_SECONDS).runs]
    assert {(0, flow_stream("a")), (1, flow_stream("b"))} == {(run.feed, run.stream_id) for run in runs}


def test_a_named_flow_is_watched_where_it_can_be(two: TwoShards) -> None:
    """The other feed may be away; of a flow that may be in both, the one that has it says how far it is."""
    two.commit(1, "either")
    assert {flow_stream("either"): 1} == two.hub.attach([flow_stream("either")]).next_sequences
    two.feeds[1].is_away = True
    two.commit(0, "a")
    attachment = two.hub.attach([flow_stream("a")])
    assert ({flow_stream("a"): 1}, [0]) == (attachment.next_sequences, list(attachment.after))
    with pytest.raises(StoreUnavailableError):
        two.hub.attach([flow_stream("b")])
    two.hub.detach([flow_stream("a")])
