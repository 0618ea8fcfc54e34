# SPDX-License-Identifier: Apache-2.0
"""What every event store promises, memory and Redis alike."""

from threading import Barrier, Thread

from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import CATALOG_STREAM, FlowID, Token, flow_stream
from argyll_engine.model.listing import FlowStanding
from argyll_engine.ports import (
    Claim,
    Commit,
    Committed,
    EventStore,
    LoadRequest,
    QueueEntry,
    SequenceConflict,
    Snapshot,
    Stream,
)
from tests.contract.commits import a_commit, an_index, commit_one, load_one, some_events
from tests.contract.conftest import Backend

WF = flow_stream("wf")
FLOW, TOKEN, NOW_MS = FlowID("wf"), Token("tok"), 1_000
CLAIM = Claim(token=TOKEN, worker_id="w1")


def _catalog_commit(expected: int, count: int) -> Commit:
    return Commit(stream_id=CATALOG_STREAM, expected_sequence=expected, events=some_events(count, expected))


def _claimed(backend: Backend) -> bool:
    backend.leases.refresh_worker("w1", NOW_MS + 1)
    return TOKEN in backend.leases.held(FLOW, NOW_MS)


# ---- logs ------------------------------------------------------------------------------------


def test_committed_events_are_loaded_in_order(backend: Backend) -> None:
    """What was committed is loaded, with the sequence that comes next."""
    assert Committed(next_sequence=2) == commit_one(backend.store, a_commit(count=2))
    expected = Stream(stream_id=WF, snapshot=None, first_sequence=0, events=some_events(2), next_sequence=2)
    assert expected == load_one(backend.store, LoadRequest(stream_id=WF))


def test_unknown_stream_is_empty(backend: Backend) -> None:
    """A stream that nobody wrote has no events, and reading it makes none."""
    expected = Stream(stream_id=WF, snapshot=None, first_sequence=0, events=(), next_sequence=0)
    assert expected == load_one(backend.store, LoadRequest(stream_id=WF))
    assert () == backend.store.read_log(WF)


def test_only_newer_events_are_loaded(backend: Backend) -> None:
    """Who knows the first two events gets those after them."""
    commit_one(backend.store, a_commit(count=5))
    stream = load_one(backend.store, LoadRequest(stream_id=WF, known=2))
    assert (2, some_events(3, 2), 5) == (stream.first_sequence, stream.events, stream.next_sequence)


def test_knowing_everything_loads_nothing(backend: Backend) -> None:
    """Who is up to date gets no event."""
    commit_one(backend.store, a_commit(count=5))
    stream = load_one(backend.store, LoadRequest(stream_id=WF, known=5))
    assert (5, (), 5) == (stream.first_sequence, stream.events, stream.next_sequence)


def test_knowing_more_than_there_is_loads_everything(backend: Backend) -> None:
    """Who knows events that do not exist knows another log and gets this one from its start."""
    commit_one(backend.store, a_commit(count=2))
    stream = load_one(backend.store, LoadRequest(stream_id=WF, known=9))
    assert (0, some_events(2), 2) == (stream.first_sequence, stream.events, stream.next_sequence)


def test_loads_answer_in_the_order_asked(backend: Backend) -> None:
    """A batch of loads gives each stream in its place, unknown ones too."""
    backend.store.commit([a_commit("a", count=1), a_commit("b", count=2)])
    requests = [LoadRequest(stream_id=flow_stream(name)) for name in ("b", "none", "a")]
    assert [2, 0, 1] == [stream.next_sequence for stream in backend.store.load(requests)]


def test_a_thousand_events_are_one_commit(backend: Backend) -> None:
    """A commit holds a thousand events, in their order."""
    assert Committed(next_sequence=1_001) == commit_one(backend.store, a_commit(count=1_001))
    assert some_events(1_001) == backend.store.read_log(WF)


def test_no_number_of_parts_is_too_big_for_a_commit(backend: Backend) -> None:
    """A wide fan-out fits into one commit: more than Redis lets a script say in one command."""
    entries = tuple(QueueEntry(key="q", payload=b"%d" % number) for number in range(9_000))
    tokens = tuple(Token(f"t{number}") for number in range(9_000))
    commit = a_commit(count=9_000, entries=entries, released=tokens)
    assert Committed(next_sequence=9_000) == commit_one(backend.store, commit)
    assert some_events(9_000) == backend.store.read_log(WF)
    assert [entry.payload for entry in entries] == backend.messages("q")


def test_empty_batches_do_nothing(backend: Backend) -> None:
    """No commits give no results, no requests give no streams."""
    assert ([], []) == (list(backend.store.commit([])), list(backend.store.load([])))


def test_ids_with_separators_are_streams_of_their_own(backend: Backend) -> None:
    """Ids that differ only in how they are cut or escaped never share a log."""
    names = ("a:b", "a%3Ab", "a", "a:b:c", "a:events")
    backend.store.commit([a_commit(name, count=number) for number, name in enumerate(names, 1)])
    assert [1, 2, 3, 4, 5] == [len(backend.store.read_log(flow_stream(name))) for name in names]


# ---- conflicts -------------------------------------------------------------------------------


def test_second_append_at_a_sequence_is_refused_and_told_what_it_missed(backend: Backend) -> None:
    """A conflict brings exactly the events from the expected sequence on, and changes nothing."""
    commit_one(backend.store, a_commit(count=5))
    expected = SequenceConflict(next_sequence=5, missed=some_events(2, 3))
    assert expected == commit_one(backend.store, a_commit(expected=3))
    assert some_events(5) == backend.store.read_log(WF)


def test_append_beyond_the_end_is_refused(backend: Backend) -> None:
    """Who expects more events than there are has to load again."""
    commit_one(backend.store, a_commit(count=1))
    expected = SequenceConflict(next_sequence=1, missed=())
    assert expected == commit_one(backend.store, a_commit(expected=3))


def test_commit_without_events_checks_the_sequence(backend: Backend) -> None:
    """A commit of messages alone happens only if the decision saw the whole log."""
    entry = QueueEntry(key="q", payload=b"m")
    commit_one(backend.store, a_commit(count=2))
    late = commit_one(backend.store, a_commit(expected=1, count=0, entries=(entry,)))
    assert SequenceConflict(next_sequence=2, missed=some_events(1, 1)) == late
    assert [] == backend.messages("q")
    right = commit_one(backend.store, a_commit(expected=2, count=0, entries=(entry,)))
    assert Committed(next_sequence=2) == right
    assert [b"m"] == backend.messages("q")


def test_members_of_a_batch_do_not_stop_each_other(backend: Backend) -> None:
    """A conflict in the middle of a batch leaves its neighbours alone; one stream may come twice."""
    commit_one(backend.store, a_commit("b", count=1))
    results = backend.store.commit([a_commit("a"), a_commit("b"), a_commit("c"), a_commit("a", 1)])
    expected = [
        Committed(next_sequence=1),
        SequenceConflict(next_sequence=1, missed=some_events(1)),
        Committed(next_sequence=1),
        Committed(next_sequence=2),
    ]
    assert expected == list(results)


def test_conflict_changes_nothing_at_all(backend: Backend) -> None:
    """A refused commit pushes no message, moves no flow, makes and ends no claim and sets no due time."""
    commit_one(backend.store, a_commit(count=2, index=an_index("wf"), due_at_ms=7, claims=(CLAIM,)))
    refused = a_commit(
        expected=1,
        index=an_index("wf", "completed", 2_000, team="a"),
        due_at_ms=0,
        entries=(QueueEntry(key="q", payload=b"m"),),
        claims=(Claim(token=Token("other"), worker_id="w1"),),
        released=(TOKEN,),
        delivery_tags=("tag",),
    )
    assert isinstance(commit_one(backend.store, refused), SequenceConflict)
    assert [] == backend.messages("q")
    assert FlowStanding(status=FlowStatus.ACTIVE) == backend.index.standing(FLOW)
    assert (FLOW,) == backend.leases.due_flows(7, 10)
    assert _claimed(backend)
    assert {TOKEN} == backend.leases.held(FLOW, NOW_MS)


def test_two_threads_lose_no_event(backend: Backend) -> None:
    """Two writers of one stream that repeat what was refused end with one log without gaps."""
    barrier = Barrier(2)

    def write(name: str) -> None:
        barrier.wait()
        _append_each(backend.store, [f"{name}{number}".encode() for number in range(500)])

    threads = [Thread(target=write, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = backend.store.read_log(WF)
    assert 1_000 == len(log)
    for name in (b"a", b"b"):
        expected = [name + str(number).encode() for number in range(500)]
        assert expected == [event for event in log if event.startswith(name)]


def _append_each(store: EventStore, events: list[bytes]) -> None:
    expected = 0
    for event in events:
        commit = Commit(stream_id=WF, expected_sequence=expected, events=(event,))
        while isinstance(result := commit_one(store, commit), SequenceConflict):
            assert result.next_sequence == commit.expected_sequence + len(result.missed)
            commit = Commit(stream_id=WF, expected_sequence=result.next_sequence, events=(event,))
        expected = result.next_sequence


# ---- what goes with a commit -----------------------------------------------------------------


def test_messages_of_a_commit_are_queued_in_order(backend: Backend) -> None:
    """Messages go to their queues, many of them too, and are taken in the order they were given."""
    entries = tuple(QueueEntry(key=f"q{number % 2}", payload=b"%d" % number) for number in range(600))
    commit_one(backend.store, a_commit(entries=entries))
    assert [b"%d" % number for number in range(0, 600, 2)] == backend.messages("q0")
    assert [b"%d" % number for number in range(1, 600, 2)] == backend.messages("q1")


def test_commit_sets_moves_and_ends_the_due_time(backend: Backend) -> None:
    """A due time is set, left alone, moved and removed by commits; children have one too."""
    leases = backend.leases
    commit_one(backend.store, a_commit("wf:s:t", due_at_ms=50))
    assert () == leases.due_flows(49, 10)
    commit_one(backend.store, a_commit("wf:s:t", 1))
    assert ("wf:s:t",) == leases.due_flows(50, 10)
    commit_one(backend.store, a_commit("wf:s:t", 2, due_at_ms=90))
    assert () == leases.due_flows(50, 10)
    commit_one(backend.store, a_commit("wf:s:t", 3, due_at_ms=0))
    assert () == leases.due_flows(1_000, 10)


def test_commit_ends_the_claims_it_names(backend: Backend) -> None:
    """Released claims end with the commit, others stay."""
    backend.leases.refresh_worker("w1", NOW_MS + 1)
    claims = tuple(Claim(token=Token(token), worker_id="w1") for token in ("t1", "t2"))
    commit_one(backend.store, a_commit(index=an_index("wf"), claims=claims))
    assert {"t1", "t2"} == backend.leases.held(FLOW, NOW_MS)
    commit_one(backend.store, a_commit(expected=1, released=(Token("t1"), Token("unknown"))))
    assert {"t2"} == backend.leases.held(FLOW, NOW_MS)


def test_commit_that_deactivates_ends_all_claims(backend: Backend) -> None:
    """Nobody holds anything of a flow that has ended."""
    commit_one(backend.store, a_commit(index=an_index("wf"), claims=(CLAIM,)))
    assert _claimed(backend)
    commit_one(backend.store, a_commit(expected=1, index=an_index("wf", "failed", 2_000)))
    assert not _claimed(backend)


# ---- snapshots -------------------------------------------------------------------------------


def test_snapshot_is_loaded_with_the_events_after_it(backend: Backend) -> None:
    """Who knows nothing gets the snapshot and what came later; who knows something gets events only."""
    commit_one(backend.store, a_commit(count=5))
    snapshot = Snapshot(sequence=3, payload=b"state")
    backend.store.save_snapshot(WF, snapshot)
    fresh = load_one(backend.store, LoadRequest(stream_id=WF))
    expected = Stream(stream_id=WF, snapshot=snapshot, first_sequence=3, events=some_events(2, 3), next_sequence=5)
    assert expected == fresh
    informed = load_one(backend.store, LoadRequest(stream_id=WF, known=1))
    assert (None, 1, some_events(4, 1)) == (informed.snapshot, informed.first_sequence, informed.events)
    assert some_events(5) == backend.store.read_log(WF)


def test_only_a_newer_snapshot_is_kept(backend: Backend) -> None:
    """A snapshot that is older, as old, or of events that never were does not replace the one kept."""
    commit_one(backend.store, a_commit(count=5))
    kept = Snapshot(sequence=3, payload=b"three")
    backend.store.save_snapshot(WF, kept)
    for sequence in (2, 3, 6):
        backend.store.save_snapshot(WF, Snapshot(sequence=sequence, payload=b"other"))
    assert kept == load_one(backend.store, LoadRequest(stream_id=WF)).snapshot
    newer = Snapshot(sequence=5, payload=b"five")
    backend.store.save_snapshot(WF, newer)
    assert newer == load_one(backend.store, LoadRequest(stream_id=WF)).snapshot


def test_snapshot_trims_the_log_of_a_trimmed_store(backend: Backend) -> None:
    """Events that a snapshot covers are gone, sequences go on counting, twice over."""
    store = backend.trimmed_store
    commit_one(store, _catalog_commit(0, 5))
    store.save_snapshot(CATALOG_STREAM, Snapshot(sequence=3, payload=b"three"))
    assert some_events(2, 3) == store.read_log(CATALOG_STREAM)
    store.save_snapshot(CATALOG_STREAM, Snapshot(sequence=4, payload=b"four"))
    assert some_events(1, 4) == store.read_log(CATALOG_STREAM)
    assert Committed(next_sequence=7) == commit_one(store, _catalog_commit(5, 2))
    newest = Snapshot(sequence=7, payload=b"seven")
    store.save_snapshot(CATALOG_STREAM, newest)
    assert () == store.read_log(CATALOG_STREAM)
    assert Committed(next_sequence=8) == commit_one(store, _catalog_commit(7, 1))
    loaded = load_one(store, LoadRequest(stream_id=CATALOG_STREAM))
    expected = Stream(
        stream_id=CATALOG_STREAM,
        snapshot=newest,
        first_sequence=7,
        events=some_events(1, 7),
        next_sequence=8,
    )
    assert expected == loaded


def test_who_fell_behind_a_trimmed_log_gets_the_snapshot(backend: Backend) -> None:
    """Below the trimmed part only the snapshot helps; at its edge the events still do."""
    store = backend.trimmed_store
    commit_one(store, _catalog_commit(0, 5))
    snapshot = Snapshot(sequence=3, payload=b"three")
    store.save_snapshot(CATALOG_STREAM, snapshot)
    behind = load_one(store, LoadRequest(stream_id=CATALOG_STREAM, known=2))
    assert (snapshot, 3, some_events(2, 3)) == (behind.snapshot, behind.first_sequence, behind.events)
    at_edge = load_one(store, LoadRequest(stream_id=CATALOG_STREAM, known=3))
    assert (None, 3, some_events(2, 3)) == (at_edge.snapshot, at_edge.first_sequence, at_edge.events)


def test_x28_conflict_below_a_trimmed_log_brings_no_events(backend: Backend) -> None:
    """A writer that fell behind the trimmed part is told to load again; one at its edge gets the events."""
    store = backend.trimmed_store
    commit_one(store, _catalog_commit(0, 5))
    store.save_snapshot(CATALOG_STREAM, Snapshot(sequence=3, payload=b"three"))
    behind = commit_one(store, _catalog_commit(2, 1))
    assert SequenceConflict(next_sequence=5, missed=()) == behind
    at_edge = commit_one(store, _catalog_commit(3, 1))
    assert SequenceConflict(next_sequence=5, missed=some_events(2, 3)) == at_edge


# ---- logs that lost their end and grew again -------------------------------------------------


def test_a_commit_onto_another_log_is_refused(backend: Backend) -> None:
    """Of two logs of one length the mark tells which one the decision saw; the caller is to read it all again."""
    commit_one(backend.store, a_commit(count=2))
    assert SequenceConflict(next_sequence=2, missed=()) == commit_one(
        backend.store, a_commit(expected=2, mark=b'{"sequence":7')
    )
    assert SequenceConflict(next_sequence=2, missed=()) == commit_one(
        backend.store, a_commit(expected=1, mark=b'{"sequence":7')
    )
    assert Committed(next_sequence=3) == commit_one(backend.store, a_commit(expected=2, mark=b'{"sequence":1'))


def test_a_lost_race_with_the_right_mark_brings_what_was_missed(backend: Backend) -> None:
    """The mark is that of the event before the expected one."""
    commit_one(backend.store, a_commit(count=3))
    result = commit_one(backend.store, a_commit(expected=2, mark=b'{"sequence":1'))
    assert SequenceConflict(next_sequence=3, missed=some_events(1, 2)) == result


def test_who_knows_another_log_gets_all_of_this_one(backend: Backend) -> None:
    """The caller's part is void, however long the log is."""
    commit_one(backend.store, a_commit(count=3))
    other = load_one(backend.store, LoadRequest(stream_id=WF, known=2, mark=b'{"sequence":9'))
    same = load_one(backend.store, LoadRequest(stream_id=WF, known=2, mark=b'{"sequence":1'))
    assert (0, some_events(3)) == (other.first_sequence, other.events)
    assert (2, some_events(1, 2)) == (same.first_sequence, same.events)
