# SPDX-License-Identifier: Apache-2.0
"""What every feed promises, memory and Redis alike: notes of all commits, in order, or word that some are missing."""

from threading import Thread

from argyll_engine.feed_port import LogRange, Note, Reading
from argyll_engine.model.ids import CATALOG_STREAM, flow_stream
from argyll_engine.ports import Commit, Snapshot
from tests.contract.commits import a_commit, commit_one, some_events
from tests.contract.conftest import FEED_LENGTH, Backend

START = (0, 0)
NOW, LONG = 1, 10_000
"""Patience of a reader, in milliseconds."""


def _ranges(reading: Reading) -> list[tuple[str, int, int]]:
    return [(note.stream_id[-1], note.first_sequence, note.next_sequence) for note in reading.notes]


def _range(flow_id: str, first: int, after: int) -> LogRange:
    return LogRange(stream_id=flow_stream(flow_id), first_sequence=first, next_sequence=after)


def _commit_many(backend: Backend, count: int) -> None:
    backend.store.commit([a_commit("many", number) for number in range(count)])


# ---- notes -----------------------------------------------------------------------------------


def test_an_empty_feed(backend: Backend) -> None:
    """It ends before the first note, and a reader waits in vain."""
    end = backend.feed.end([flow_stream("wf")])
    assert (START, (0,)) == (end.position, end.next_sequences)
    assert Reading(notes=()) == backend.feed.read(START, NOW)


def test_each_commit_is_noted_in_order(backend: Backend) -> None:
    """With the events it appended, whatever the stream."""
    commit_one(backend.store, a_commit("one", count=2))
    commit_one(backend.store, a_commit("one:step:token", count=1))
    catalog = Commit(stream_id=CATALOG_STREAM, expected_sequence=0, events=some_events(1))
    commit_one(backend.store, catalog)
    commit_one(backend.store, a_commit("one", expected=2, count=3))
    reading = backend.feed.read(START, LONG)
    expected = [flow_stream("one"), flow_stream("one:step:token"), CATALOG_STREAM, flow_stream("one")]
    assert expected == [note.stream_id for note in reading.notes]
    assert [(0, 2), (0, 1), (0, 1), (2, 5)] == [(n.first_sequence, n.next_sequence) for n in reading.notes]
    positions = [note.position for note in reading.notes]
    assert sorted(set(positions)) == positions


def test_a_note_names_the_types_of_its_events(backend: Backend) -> None:
    """Where the commit does; else nobody knows them."""
    commit_one(backend.store, a_commit("one", event_types=frozenset({"step_started", "flow_started"})))
    commit_one(backend.store, a_commit("two"))
    reading = backend.feed.read(START, LONG)
    assert [{"flow_started", "step_started"}, set()] == [note.event_types for note in reading.notes]


def test_a_note_brings_the_last_event(backend: Backend) -> None:
    """Where the commit says of which type that is."""
    commit_one(backend.store, a_commit("one", count=3, last_type="flow_deactivated"))
    commit_one(backend.store, a_commit("two", count=3))
    reading = backend.feed.read(START, LONG)
    expected = [("flow_deactivated", some_events(3)[-1]), ("", b"")]
    assert expected == [(note.last_type, note.last) for note in reading.notes]


def test_a_reader_goes_on_from_where_it_was(backend: Backend) -> None:
    """Only notes after its position are read."""
    commit_one(backend.store, a_commit("one"))
    position = backend.feed.read(START, LONG).notes[-1].position
    assert position == backend.feed.end([]).position
    commit_one(backend.store, a_commit("two"))
    assert [("two", 0, 1)] == _ranges(backend.feed.read(position, LONG))


def test_a_waiting_reader_is_woken(backend: Backend) -> None:
    """By the next commit, long before its patience ends."""
    found: list[Note] = []
    reader = Thread(target=lambda: found.extend(backend.feed.read(START, LONG).notes))
    reader.start()
    commit_one(backend.store, a_commit("late"))
    reader.join(LONG / 2_000)
    assert ["late"] == [note.stream_id[-1] for note in found]


def test_what_appends_nothing_is_not_noted(backend: Backend) -> None:
    """Neither a commit without events nor one that lost its race."""
    commit_one(backend.store, a_commit("wf"))
    commit_one(backend.store, a_commit("wf", expected=1, count=0, due_at_ms=5))
    commit_one(backend.store, a_commit("wf", expected=0))
    assert [("wf", 0, 1)] == _ranges(backend.feed.read(START, LONG))


def test_a_reader_that_lags_is_told_when_notes_are_gone(backend: Backend) -> None:
    """A feed is trimmed by its length, and never without word."""
    _commit_many(backend, 3)
    near = backend.feed.end([]).position
    backend.store.commit([a_commit("many", number) for number in range(3, 5 * FEED_LENGTH)])
    assert not backend.feed.read(near, LONG).is_whole
    newest = backend.feed.end([]).position
    commit_one(backend.store, a_commit("one"))
    assert Reading(notes=backend.feed.read(newest, LONG).notes) == backend.feed.read(newest, LONG)


def test_a_reader_that_keeps_up_reads_every_note(backend: Backend) -> None:
    """In as many readings as it takes."""
    _commit_many(backend, FEED_LENGTH)
    position, seen = START, []
    while notes := backend.feed.read(position, NOW).notes:
        seen += [note.first_sequence for note in notes]
        position = notes[-1].position
    assert list(range(FEED_LENGTH)) == seen


# ---- logs ------------------------------------------------------------------------------------


def test_ranges_are_read_from_the_logs(backend: Backend) -> None:
    """In the order asked for, as stored."""
    commit_one(backend.store, a_commit("one", count=5))
    commit_one(backend.store, a_commit("two", count=2))
    found = backend.feed.events([_range("two", 0, 2), _range("one", 1, 4), _range("one", 5, 5)])
    assert [some_events(2), some_events(3, 1), ()] == list(found)


def test_a_range_that_is_not_there(backend: Backend) -> None:
    """Beyond the end of the log, or trimmed away by a snapshot."""
    backend.trimmed_store.commit([a_commit("wf", count=5)])
    backend.trimmed_store.save_snapshot(flow_stream("wf"), Snapshot(sequence=3, payload=b"{}"))
    wanted = [_range("wf", 4, 6), _range("wf", 2, 4), _range("wf", 3, 5), _range("gone", 0, 1)]
    assert [None, None, some_events(2, 3), None] == list(backend.feed.events(wanted))
    assert (5,) == backend.feed.end([flow_stream("wf")]).next_sequences


def test_a_snapshot_hides_no_event(backend: Backend) -> None:
    """In a store that does not trim, old events are read past a snapshot."""
    commit_one(backend.store, a_commit("wf", count=3))
    backend.store.save_snapshot(flow_stream("wf"), Snapshot(sequence=3, payload=b"{}"))
    assert [some_events(1)] == list(backend.feed.events([_range("wf", 0, 1)]))
