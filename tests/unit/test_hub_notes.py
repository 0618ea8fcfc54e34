# SPDX-License-Identifier: Apache-2.0
"""Notes of the feed that say more than that a log has grown: they bring an event, or tell of an erasure."""

from collections.abc import Iterator

import pytest

from argyll_engine.feed_port import ERASED_SEQUENCE
from argyll_engine.hub import Delivery
from argyll_engine.model.ids import StreamID, flow_stream
from tests.hub_desk import ALL, WF, Desk, of


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A hub that ends with the test."""
    desk = Desk()
    yield desk
    desk.hub.stop()


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


# ---- erasures --------------------------------------------------------------------------------


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
