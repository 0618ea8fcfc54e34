# SPDX-License-Identifier: Apache-2.0
"""Archived and erased flows as the event store and the flow index answer for them, memory and Redis alike."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from redis import Redis

from argyll_engine.codec import digest_from_text
from argyll_engine.feed_port import ERASED_SEQUENCE, LogRange
from argyll_engine.model.digest import FlowDigest, ObjectPlace, RestoredFlow, SeenFlow
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID, flow_stream
from argyll_engine.model.listing import FlowPage, FlowQuery, FlowStanding, Sort
from argyll_engine.ports import Committed, LoadRequest, SequenceConflict, Snapshot
from tests.contract.commits import a_commit, an_index, commit_one, load_one
from tests.contract.conftest import FEED_LENGTH, Backend, redis_backend

FLOW = FlowID("wf")
STREAM = flow_stream(FLOW)
EVENTS = 3
AT = datetime(2026, 1, 31, tzinfo=UTC)
LEASE_MS = 60_000


def a_digest(flow_id: str, status: str = "completed", event_count: int = EVENTS) -> FlowDigest:
    """Of a flow with so many events."""
    return FlowDigest(
        flow_id=FlowID(flow_id),
        status=FlowStatus(status),
        created_at=AT,
        completed_at=AT,
        deactivated_at=AT,
        labels={},
        error="",
        event_count=event_count,
        goals_sha256="0" * 64,
        init_sha256="1" * 64,
        object_key=f"v1/{flow_id}",
        object_bytes=9,
    )


def end(backend: Backend, flow_id: str, at_ms: int = 5_000, status: str = "completed", **labels: str) -> None:
    """A flow of `EVENTS` events that was deactivated then."""
    commit_one(backend.store, a_commit(flow_id, index=an_index(flow_id, at_ms=1_000, **labels)))
    index = an_index(flow_id, status, at_ms)
    commit_one(backend.store, a_commit(flow_id, expected=1, count=EVENTS - 1, index=index))


def archive(backend: Backend, flow_id: str, status: str = "completed") -> None:
    """Put a digest in the place of a log."""
    backend.jobs.hold("me", [FlowID(flow_id)], LEASE_MS)
    assert [True] == list(backend.jobs.replace("me", [a_digest(flow_id, status)]))


def erase(backend: Backend, flow_id: str) -> None:
    """A live flow, for good."""
    events = backend.store.read_log(flow_stream(flow_id))
    seen = SeenFlow(digest=a_digest(flow_id, event_count=len(events)), is_archived=False, mark=events[-1])
    assert backend.archive.erase([seen], {"what": "erased"})


# ---- logs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "mark", "first"),
    [
        (0, b"", 0),
        (2, b'{"sequence":1}', 0),
        (EVENTS, b'{"sequence":2}', EVENTS),
        (EVENTS, b'{"sequence":x}', 0),
        (EVENTS, b"", 0),
        (EVENTS + 1, b"", 0),
    ],
)
def test_a_load_of_an_archived_flow_gives_its_digest(backend: Backend, known: int, mark: bytes, first: int) -> None:
    """And no events. Who has all of them and names the last may keep them: any others are those of another flow."""
    end(backend, FLOW)
    archive(backend, FLOW)
    stream = load_one(backend.store, LoadRequest(stream_id=STREAM, known=known, mark=mark))
    assert ((), None, first, EVENTS) == (stream.events, stream.snapshot, stream.first_sequence, stream.next_sequence)
    assert stream.digest is not None
    assert a_digest(FLOW) == digest_from_text(stream.digest)


def test_a_live_flow_has_no_digest(backend: Backend) -> None:
    """Nor has one that was never started."""
    end(backend, FLOW)
    found = backend.store.load([LoadRequest(stream_id=STREAM), LoadRequest(stream_id=flow_stream("nobody"))])
    assert [None, None] == [stream.digest for stream in found]


@pytest.mark.parametrize("expected", [0, 1, EVENTS])
def test_nothing_is_added_to_an_archived_flow(backend: Backend, expected: int) -> None:
    """Whatever a process still takes its state for."""
    end(backend, FLOW)
    archive(backend, FLOW)
    result = commit_one(backend.store, a_commit(FLOW, expected=expected))
    assert SequenceConflict(next_sequence=EVENTS, missed=()) == result
    assert () == backend.store.read_log(STREAM)


def test_an_archived_flow_keeps_no_snapshot(backend: Backend) -> None:
    """One that comes late does not bring a state back."""
    end(backend, FLOW)
    archive(backend, FLOW)
    backend.store.save_snapshot(STREAM, Snapshot(sequence=EVENTS, payload=b"late"))
    assert load_one(backend.store, LoadRequest(stream_id=STREAM)).snapshot is None


def test_a_flow_that_was_archived_by_a_former_version_is_not_taken_for_a_known_one(client: Redis) -> None:
    """Beside its digest nothing says how its last event began."""
    backend = redis_backend(client)
    end(backend, FLOW)
    archive(backend, FLOW)
    (snapshot,) = client.keys("*snapshot")  # type: ignore[misc]  # sync
    client.hdel(snapshot, "mark")
    request = LoadRequest(stream_id=STREAM, known=EVENTS, mark=b'{"sequence":2}')
    assert 0 == load_one(backend.store, request).first_sequence


def test_a_load_says_how_the_last_event_begins_that_it_does_not_bring(backend: Backend) -> None:
    """That of a log which is all in its snapshot: without it nobody could tell the log from another one."""
    end(backend, FLOW)
    backend.store.save_snapshot(STREAM, Snapshot(sequence=EVENTS, payload=b"x"))
    stream = load_one(backend.store, LoadRequest(stream_id=STREAM))
    assert ((), b'{"sequence":2}') == (stream.events, stream.mark)
    known = LoadRequest(stream_id=STREAM, known=EVENTS, mark=stream.mark)
    assert (EVENTS, ()) == (load_one(backend.store, known).first_sequence, load_one(backend.store, known).events)


def test_erasing_one_flow_changes_nothing_for_another(backend: Backend) -> None:
    """Whoever knows the other one still gets only what is new of it."""
    end(backend, FLOW)
    end(backend, "other")
    request = LoadRequest(stream_id=STREAM, known=EVENTS, mark=b'{"sequence":2}')
    before = load_one(backend.store, request)
    erase(backend, "other")
    assert before == load_one(backend.store, request)
    assert Committed(next_sequence=EVENTS + 1) == commit_one(backend.store, a_commit(FLOW, expected=EVENTS))


def test_the_feed_tells_of_an_erased_flow(backend: Backend) -> None:
    """By a sequence that no event has, so that nobody takes the next flow of the id for the one before."""
    end(backend, FLOW)
    after = backend.feed.end([]).position
    erase(backend, FLOW)
    (note,) = backend.feed.read(after, 1).notes
    assert (STREAM, ERASED_SEQUENCE) == (note.stream_id, note.first_sequence)
    assert [None] == list(backend.feed.events([LogRange(stream_id=STREAM, first_sequence=0, next_sequence=EVENTS)]))


def test_the_feed_does_not_grow_with_erased_flows(client: Redis) -> None:
    """Though nobody commits anything meanwhile, as where old flows expire at night."""
    backend, many = redis_backend(client), FEED_LENGTH + 1_000
    unknown = (a_digest(f"{FLOW}-{number}", event_count=0) for number in range(many))
    assert backend.archive.erase([SeenFlow(digest=each, is_archived=False) for each in unknown], {"what": "erased"})
    (feed,) = client.scan_iter("*:feed")
    assert FEED_LENGTH <= client.xlen(feed) < many - 500


# ---- lists -----------------------------------------------------------------------------------


def mixed(backend: Backend) -> None:
    """Live and archived flows that share timestamps, and a child."""
    for number, (at_ms, status) in enumerate(((20, "completed"), (10, "failed"), (20, "failed"), (30, "completed"))):
        end(backend, f"f{number}", at_ms, status, all="yes")
        end(backend, f"g{number}", at_ms, status, all="yes")
        archive(backend, f"g{number}", status)
    end(backend, "g0:step:token")
    archive(backend, "g0:step:token")
    commit_one(backend.store, a_commit("f9", index=an_index("f9", at_ms=25, all="yes")))


def pages(backend: Backend, query: FlowQuery) -> Iterator[FlowPage]:
    """The pages of a query."""
    page = backend.index.query(query)
    yield page
    while page.next_cursor is not None:
        page = backend.index.query(replace(query, cursor=page.next_cursor))
        yield page


IN_ORDER = ["f1", "g1", "f0", "f2", "g0", "g2", "f3", "g3"]
"""By time, those of one time by id."""


@pytest.mark.parametrize("filters", [{}, {"labels": {"all": "yes"}}])
@pytest.mark.parametrize("limit", [0, 1, 2, 3, 100])
@pytest.mark.parametrize("archived", [None, True, False])
def test_pages_hold_live_and_archived_flows_in_one_order(
    backend: Backend, archived: bool | None, limit: int, filters: dict[str, dict[str, str]]
) -> None:
    """Or one kind of them; the total is theirs, and no flow is missed or told twice."""
    mixed(backend)
    wanted = [each for each in ["f9", *IN_ORDER] if archived in (None, each.startswith("g"))]
    query = FlowQuery(limit=limit, archived=archived, **filters)  # type: ignore[arg-type]  # labels alone
    found = list(pages(backend, query))
    assert wanted == [item.id for page in found for item in page.items]
    assert {len(wanted)} == {page.total for page in found}


@pytest.mark.parametrize("prefix", ["", "g"])
def test_other_filters_hold_for_archived_flows_too(backend: Backend, prefix: str) -> None:
    """Statuses, labels and beginnings of ids."""
    mixed(backend)
    query = FlowQuery(statuses=(FlowStatus.FAILED,), id_prefix=prefix, archived=True, sort=Sort.RECENT_DESC)
    assert ["g2", "g1"] == [item.id for item in backend.index.query(query).items]


def test_standing_says_where_a_flow_is(backend: Backend) -> None:
    """Children too."""
    mixed(backend)
    standings = [backend.index.standing(FlowID(each)) for each in ("f0", "g2", "g0:step:token", "nobody")]
    completed, failed = FlowStatus.COMPLETED, FlowStatus.FAILED
    assert [
        FlowStanding(status=completed),
        FlowStanding(status=failed, is_archived=True),
        FlowStanding(status=completed, is_archived=True),
        None,
    ] == standings


def test_a_restored_flow_is_where_it_was_in_lists(backend: Backend) -> None:
    """Live again, of the same time."""
    end(backend, FLOW, 77)
    before = backend.index.query(FlowQuery())
    events = backend.store.read_log(STREAM)
    archive(backend, FLOW)
    assert before == backend.index.query(FlowQuery())
    assert backend.archive.restore(
        [RestoredFlow(digest=a_digest(FLOW), events=events, place=ObjectPlace(target="", key=""))], LEASE_MS
    )
    assert before == backend.index.query(FlowQuery(archived=False))
