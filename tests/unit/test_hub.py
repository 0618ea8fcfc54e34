# SPDX-License-Identifier: Apache-2.0
"""Watchers get every event of what they watch, once and in order, or word that they cannot."""

from collections.abc import Iterator, Sequence
from queue import Empty, Queue

import pytest

from argyll_engine.errors import StoreUnavailableError
from argyll_engine.feed_port import ERASED_SEQUENCE, FeedEnd, FeedPosition, LogRange, Reading
from argyll_engine.hub import Delivery, Hub, Run, is_named, paths_above
from argyll_engine.model.ids import CATALOG_STREAM, StreamID, flow_stream
from argyll_engine.ports import Commit, Snapshot
from argyll_engine.store.memory import MemoryBackend, MemoryEventStore, MemoryFeed

ALL: StreamID = ()
WF = flow_stream("wf")
KINDS = frozenset({"catalog", "cluster", "flow"})
PATIENCE_MS = 5
SOON_SECONDS = 5.0


class FaultyFeed(MemoryFeed):
    """A memory feed that fails when told to, and can be made to forget that it has all notes."""

    def __init__(self, backend: MemoryBackend) -> None:
        super().__init__(backend)
        self.is_away = False
        self.seems_trimmed = False
        self.ranges_read = 0

    def end(self, streams: Sequence[StreamID]) -> FeedEnd:
        """As it is, or away."""
        self._fail_if_told()
        return super().end(streams)

    def read(self, after: FeedPosition, patience_ms: int) -> Reading:
        """As it is, away, or without the notes, as if they were trimmed."""
        self._fail_if_told()
        reading = super().read(after, patience_ms)
        if self.seems_trimmed and reading.notes:
            self.seems_trimmed = False
            return Reading(notes=reading.notes[-1:], is_whole=False)
        return reading

    def events(self, ranges: Sequence[LogRange]) -> Sequence[tuple[bytes, ...] | None]:
        """As they are, or away."""
        self._fail_if_told()
        self.ranges_read += len(ranges)
        return super().events(ranges)

    def _fail_if_told(self) -> None:
        if self.is_away:
            raise StoreUnavailableError("flow", "told to be away")


class Desk:
    """A hub on a memory store, and what it delivered."""

    def __init__(self) -> None:
        self.backend = MemoryBackend()
        self.store = MemoryEventStore(self.backend)
        self.feed = FaultyFeed(self.backend)
        self.hub = Hub([(self.feed, KINDS)], patience_ms=PATIENCE_MS)
        self.deliveries: Queue[Delivery] = Queue()
        self.hub.listen(self.deliveries.put)

    def commit(self, stream_id: StreamID, count: int = 1, *types: str, last_type: str = "") -> None:
        """So many events more, of these types; the note brings the last one if it is told of which type that is."""
        first = self.backend.logs[stream_id].next_sequence if stream_id in self.backend.logs else 0
        events = tuple(b"%d" % number for number in range(first, first + count))
        commit = Commit(
            stream_id=stream_id,
            expected_sequence=first,
            events=events,
            event_types=frozenset(types),
            last_type=last_type,
        )
        self.store.commit([commit])

    def next(self) -> Delivery:
        """The next delivery."""
        return self.deliveries.get(timeout=SOON_SECONDS)

    def runs(self, count: int) -> list[Run]:
        """So many runs of events."""
        found: list[Run] = []
        while len(found) < count:
            found += self.next().runs
        return found

    def settle(self) -> None:
        """Wait until the hub has seen all notes there are: it has nobody to tell, so only time shows it."""
        with pytest.raises(Empty):
            self.deliveries.get(timeout=20 * PATIENCE_MS / 1_000)

    def collect(self, count: int) -> list[tuple[str, int]]:
        """So many events, as (id, sequence); their content must be what was committed."""
        found: list[tuple[str, int]] = []
        while len(found) < count:
            for run in self.next().runs:
                numbers = range(run.first_sequence, run.first_sequence + len(run.events))
                assert [b"%d" % number for number in numbers] == list(run.events)
                found += [(run.stream_id[-1], number) for number in numbers]
        return found


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A hub that ends with the test."""
    desk = Desk()
    yield desk
    desk.hub.stop()


def of(name: str, *sequences: int) -> list[tuple[str, int]]:
    """Events as `collect` gives them."""
    return [(name, number) for number in sequences]


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


# ---- notes that bring an event ---------------------------------------------------------------


@pytest.mark.parametrize("path", [WF, ("flow",)])
def test_no_log_is_read_for_an_event_that_a_note_brings(desk: Desk, path: StreamID) -> None:
    """Where nobody wants more: what comes before it was left out, and what comes after follows it."""
    desk.hub.attach([path], frozenset({"end"}))
    desk.commit(WF, 2, "start")
    desk.commit(WF, 3, "work", "end", last_type="end")
    (first,) = desk.runs(1)
    desk.commit(WF, 1, "end", last_type="end")
    (second,) = desk.runs(1)
    assert (0 if path == WF else 2, 4, (b"4",)) == (first.after, first.first_sequence, first.events)
    assert (5, 5, (b"5",)) == (second.after, second.first_sequence, second.events)
    assert 0 == desk.feed.ranges_read


@pytest.mark.parametrize("wanted", [frozenset({"work", "end"}), frozenset({"work"}), frozenset[str]()])
def test_a_log_is_read_where_more_is_wanted_than_a_note_brings(desk: Desk, wanted: frozenset[str]) -> None:
    """If only by one of two watches; the other one gets no less than it wants."""
    desk.hub.attach([("flow",)], frozenset({"end"}))
    desk.hub.attach([WF], wanted)
    desk.commit(WF, 3, "work", "end", last_type="end")
    assert of("wf", 0, 1, 2) == desk.collect(3)


def test_a_log_is_read_for_two_notes_of_one_reading(desk: Desk) -> None:
    """Once for both, in their order."""
    desk.hub.attach([WF], frozenset({"end"}))
    with desk.backend.lock:
        desk.commit(WF, 2, "end", "more", last_type="more")
        desk.commit(WF, 1, "end", last_type="end")
    assert of("wf", 0, 1, 2) == desk.collect(3)
    assert 1 == desk.feed.ranges_read


def test_a_log_is_read_for_what_no_note_has_told_of(desk: Desk) -> None:
    """The note before was lost: nobody knows what it would have said."""
    desk.hub.attach([WF], frozenset({"end"}))
    with desk.backend.lock:
        desk.commit(WF, 2, "end", last_type="end")
        desk.backend.feed.clear()
        desk.commit(WF, 1, "end", last_type="end")
    assert of("wf", 0, 1, 2) == desk.collect(3)


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


def test_an_erased_stream_is_told_to_those_who_named_it(desk: Desk) -> None:
    """Whatever comes under its id from now on is another one; who watches all streams goes on."""
    desk.commit(WF, 2)
    desk.hub.attach([WF, ALL])
    with desk.backend.lock:
        del desk.backend.logs[WF]
        desk.backend.note(WF, ERASED_SEQUENCE, ERASED_SEQUENCE + 1)
        desk.backend.note(flow_stream("other"), ERASED_SEQUENCE, ERASED_SEQUENCE + 1)
    assert Delivery(runs=(), erased=frozenset({WF})) == desk.next()
    desk.commit(WF)
    assert of("wf", 0) == desk.collect(1)


def end_erase_and_begin_anew(desk: Desk) -> None:
    """Two flows of one id, one after the other, of which one reading tells."""
    with desk.backend.lock:
        desk.commit(WF, 2, "start")
        desk.commit(WF, 2, "work", "end", last_type="end")
        del desk.backend.logs[WF]
        desk.backend.note(WF, ERASED_SEQUENCE, ERASED_SEQUENCE + 1)
        desk.commit(WF, 1, "work", "end", last_type="end")


def test_two_flows_of_one_id_are_told_apart(desk: Desk) -> None:
    """The end of the first one comes from its note, before the erasure; its log is another's by then."""
    desk.hub.attach([("flow",)], frozenset({"end"}))
    end_erase_and_begin_anew(desk)
    first, second = desk.runs(2)
    assert ((3, (b"3",)), (0, (b"0",))) == (
        (first.first_sequence, first.events),
        (second.first_sequence, second.events),
    )
    assert first.position < second.position


def test_events_whose_log_is_another_flows_are_lost(desk: Desk) -> None:
    """Whoever wants them has to begin anew; what the log has now is not theirs."""
    desk.hub.attach([("flow",)])
    end_erase_and_begin_anew(desk)
    assert Delivery(runs=(), lost=frozenset({WF})) == desk.next()
    assert of("wf", 0) == desk.collect(1)


def test_a_named_stream_begins_anew_after_its_erasure(desk: Desk) -> None:
    """For whoever named it again: sequences count from the new beginning."""
    desk.hub.attach([WF], frozenset({"end"}))
    end_erase_and_begin_anew(desk)
    (old,) = desk.runs(1)
    assert ((0, 3), frozenset({WF})) == ((old.after, old.first_sequence), desk.next().erased)
    (new,) = desk.runs(1)
    assert (0, 0) == (new.after, new.first_sequence)


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
