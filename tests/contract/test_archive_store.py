# SPDX-License-Identifier: Apache-2.0
"""What both stores keep of archiving: leases, digests in the place of logs, restoring, erasing."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs
from msgspec.structs import replace
from redis import Redis

from argyll_engine.model.digest import EndedFlow, FlowDigest, KeptFlow, ObjectPlace, RestoredFlow, SeenFlow
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID, flow_stream
from argyll_engine.model.listing import FlowQuery, FlowStanding
from argyll_engine.ports import LoadRequest, SequenceConflict
from argyll_engine.store.archive import RedisArchiveStore
from tests.contract.commits import a_commit, an_index, commit_one, load_one, some_events
from tests.contract.conftest import Backend, redis_backend

A, B, C = map(FlowID, "abc")
CHILD = FlowID("a:step:t1")
EVENTS = 3
LEASE_MS = 60_000
LABELS: Mapping[str, str] = {"team": "red"}
PLACE = ObjectPlace(target="s3://bucket", key="archived/v1/x")


def _at(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1_000, UTC)


def _ended(backend: Backend, flow_id: str, at_ms: int = 5_000, status: str = "completed", **labels: str) -> None:
    """A flow with its events, deactivated then."""
    commit_one(backend.store, a_commit(flow_id, index=an_index(flow_id, at_ms=1_000, **labels), due_at_ms=9))
    index = an_index(flow_id, status, at_ms)
    commit_one(backend.store, a_commit(flow_id, expected=1, count=EVENTS - 1, index=index))


def _digest(flow_id: str, at_ms: int = 5_000, status: str = "completed", **others: Any) -> FlowDigest:
    whole = FlowDigest(
        flow_id=FlowID(flow_id),
        status=FlowStatus(status),
        created_at=_at(1_000),
        completed_at=_at(4_000),
        deactivated_at=_at(at_ms),
        labels={"team": "red"},
        error="",
        event_count=EVENTS,
        goals_sha256="0" * 64,
        init_sha256="1" * 64,
        object_key="archived/v1/x",
        object_bytes=321,
    )
    return replace(whole, **others)


def _archived(backend: Backend, *flow_ids: FlowID) -> None:
    """Flows in the state that a finished archiver leaves."""
    backend.jobs.hold("me", flow_ids, LEASE_MS)
    assert all(backend.jobs.replace("me", [_digest(flow_id) for flow_id in flow_ids]))


def _seen(backend: Backend, *flow_ids: str, **labels: str) -> list[SeenFlow]:
    """Flows as somebody sees them now, live or archived."""
    flows = []
    for flow_id, kept in zip(flow_ids, backend.archive.kept([FlowID(each) for each in flow_ids]), strict=True):
        events = backend.store.read_log(flow_stream(flow_id))
        digest = kept.digest or _digest(flow_id, event_count=len(events), labels=labels)
        mark = events[-1] if events else b""
        flows.append(SeenFlow(digest=digest, is_archived=kept.digest is not None, mark=mark, objects=kept.objects))
    return flows


# ---- candidates and leases -------------------------------------------------------------------


def test_candidates_are_live_ended_root_flows_oldest_first(backend: Backend) -> None:
    """Whatever their status; strictly before a time."""
    for flow_id, at_ms, status in (("c", 7_000, "failed"), ("a", 5_000, "completed"), ("b", 6_000, "failed")):
        _ended(backend, flow_id, at_ms, status)
    _ended(backend, CHILD)
    commit_one(backend.store, a_commit("active", index=an_index("active")))
    found = backend.archive.candidates(_at(7_000), 10)
    assert [EndedFlow(flow_id=A, deactivated_at=_at(5_000)), EndedFlow(flow_id=B, deactivated_at=_at(6_000))] == list(
        found
    )
    assert [A, B, C] == [each.flow_id for each in backend.archive.candidates(None, 10)]
    assert [A] == [each.flow_id for each in backend.archive.candidates(None, 1)]


def test_a_reserved_flow_is_nobody_elses(backend: Backend) -> None:
    """Each owner gets the oldest that are left."""
    for flow_id, at_ms, status in (("c", 7_000, "failed"), ("a", 5_000, "completed"), ("b", 6_000, "failed")):
        _ended(backend, flow_id, at_ms, status)
    assert (A, B) == tuple(backend.jobs.reserve("me", None, 2, LEASE_MS))
    assert (C,) == tuple(backend.jobs.reserve("you", None, 2, LEASE_MS))
    assert ((), 3) == (tuple(backend.jobs.reserve("me", None, 2, LEASE_MS)), backend.jobs.unfinished())


def test_only_flows_that_are_old_enough_are_reserved(backend: Backend) -> None:
    """Strictly before the time."""
    _ended(backend, "a", 5_000)
    assert ((), (A,)) == (
        tuple(backend.jobs.reserve("me", _at(5_000), 2, LEASE_MS)),
        tuple(backend.jobs.reserve("me", _at(5_001), 2, LEASE_MS)),
    )


def test_many_leased_flows_do_not_hide_the_free_ones(backend: Backend) -> None:
    """However many are at work."""
    for number in range(300):
        _ended(backend, f"f{number:03}", 5_000 + number)
    backend.jobs.reserve("me", None, 299, LEASE_MS)
    assert ("f299",) == tuple(backend.jobs.reserve("you", None, 10, LEASE_MS))


def test_a_lease_that_is_over_is_taken_over(backend: Backend) -> None:
    """Its owner has lost it then."""
    _ended(backend, "a")
    backend.jobs.reserve("dead", None, 1, 0)
    assert (A,) == tuple(backend.jobs.take_over("me", 10, LEASE_MS))
    assert () == tuple(backend.jobs.take_over("you", 10, LEASE_MS))
    assert (False, True) == (
        *backend.jobs.replace("dead", [_digest("a")]),
        *backend.jobs.replace("me", [_digest("a")]),
    )


def test_a_lease_is_ended_by_its_owner_only(backend: Backend) -> None:
    """Somebody else's word changes nothing."""
    _ended(backend, "a")
    backend.jobs.reserve("me", None, 1, LEASE_MS)
    backend.jobs.release("you", [A])
    backend.jobs.rest("you", [A], 0)
    assert () == tuple(backend.jobs.reserve("you", None, 1, LEASE_MS))
    backend.jobs.release("me", [A])
    assert ((A,), 1) == (tuple(backend.jobs.reserve("you", None, 1, LEASE_MS)), backend.jobs.unfinished())


def test_a_resting_flow_is_an_unfinished_job_afterwards(backend: Backend) -> None:
    """Nobody has it, and nobody takes it before its time."""
    _ended(backend, "a")
    backend.jobs.reserve("me", None, 1, LEASE_MS)
    backend.jobs.rest("me", [A], LEASE_MS)
    assert ((), ()) == (
        tuple(backend.jobs.reserve("me", None, 1, LEASE_MS)),
        tuple(backend.jobs.take_over("me", 1, LEASE_MS)),
    )
    assert () == tuple(backend.jobs.hold("me", [A], LEASE_MS))


def test_holding_takes_what_is_free_and_prolongs_what_is_ours(backend: Backend) -> None:
    """Children are no candidates, but they can be held."""
    backend.jobs.hold("you", [B], LEASE_MS)
    backend.jobs.hold("me", [C], LEASE_MS)
    assert (CHILD, C) == tuple(backend.jobs.hold("me", [CHILD, B, C], LEASE_MS))


# ---- digests in the place of logs ------------------------------------------------------------


def test_a_replaced_flow_is_a_digest_and_stays_in_lists(backend: Backend) -> None:
    """Its log is gone; its status, its place and its labels answer on."""
    _ended(backend, "a", team="red")
    _ended(backend, "b", 6_000)
    before = backend.index.query(FlowQuery(labels={"team": "red"}))
    _archived(backend, A)
    assert ((), EVENTS) == (backend.store.read_log(flow_stream(A)), load_one_sequence(backend, A))
    assert (_digest("a"), None) == tuple(backend.archive.digests([A, B]))
    assert (FlowStanding(status=FlowStatus.COMPLETED, is_archived=True), before) == (
        backend.index.standing(A),
        backend.index.query(FlowQuery(labels={"team": "red"})),
    )
    assert ([A], [B]) == (
        [each.flow_id for each in backend.archive.archived(None, 10)],
        [each.flow_id for each in backend.archive.candidates(None, 10)],
    )
    assert 0 == backend.jobs.unfinished()


def load_one_sequence(backend: Backend, flow_id: FlowID) -> int:
    """After the last event that the flow ever had."""
    return load_one(backend.store, LoadRequest(stream_id=flow_stream(flow_id))).next_sequence


def test_a_start_under_an_archived_id_is_a_conflict(backend: Backend) -> None:
    """It begins no second run."""
    _ended(backend, "a")
    _archived(backend, A)
    result = commit_one(backend.store, a_commit("a", index=an_index("a")))
    assert SequenceConflict(next_sequence=EVENTS, missed=()) == result
    assert () == backend.store.read_log(flow_stream(A))


def test_a_log_that_is_not_the_digests_is_left_alone(backend: Backend) -> None:
    """One with more or fewer events, or of a flow that is not deactivated, or is archived already."""
    _ended(backend, "a")
    commit_one(backend.store, a_commit("b", count=EVENTS, index=an_index("b")))
    backend.jobs.hold("me", [A, B, C], LEASE_MS)
    other = _digest("a", event_count=EVENTS + 1)
    assert (False, False, False, True, False) == tuple(
        backend.jobs.replace("me", [other, _digest("b"), _digest("c"), _digest("a"), _digest("a")])
    )
    assert some_events(EVENTS) == backend.store.read_log(flow_stream(B))


def test_nobody_replaces_what_he_has_not_leased(backend: Backend) -> None:
    """Nor what somebody else has."""
    _ended(backend, "a")
    assert (False,) == tuple(backend.jobs.replace("me", [_digest("a")]))
    backend.jobs.hold("you", [A], LEASE_MS)
    assert (False,) == tuple(backend.jobs.replace("me", [_digest("a")]))


def test_replacing_ends_what_recovery_knows(backend: Backend) -> None:
    """An archived flow is never due."""
    _ended(backend, "a")
    _archived(backend, A)
    assert () == backend.leases.due_flows(10**15, 10)


def test_logs_come_as_they_are(backend: Backend) -> None:
    """Nothing for unknown flows."""
    _ended(backend, "a")
    assert (some_events(EVENTS), ()) == tuple(backend.jobs.logs([A, B]))
    assert (EVENTS, 0) == tuple(backend.jobs.event_counts([A, B]))


def test_the_family_of_a_root_flow_is_known(backend: Backend) -> None:
    """At any depth, and when all of it is archived."""
    _ended(backend, "a")
    _ended(backend, CHILD)
    _ended(backend, f"{CHILD}:deeper:t2")
    _ended(backend, "ab")
    expected = ((CHILD, FlowID(f"{CHILD}:deeper:t2")), ())
    assert expected == tuple(backend.archive.family([A, FlowID("ab")]))
    _archived(backend, A, CHILD)
    assert expected == tuple(backend.archive.family([A, FlowID("ab")]))


def test_a_child_is_replaced_as_well(backend: Backend) -> None:
    """It is in no list before and after."""
    _ended(backend, CHILD)
    _archived(backend, CHILD)
    assert (_digest(CHILD),) == tuple(backend.archive.digests([CHILD]))
    assert ((), ()) == (tuple(backend.archive.archived(None, 9)), backend.index.all_flows())


# ---- restoring -------------------------------------------------------------------------------


def _restored(flow_id: str, count: int = EVENTS) -> RestoredFlow:
    return RestoredFlow(digest=_digest(flow_id, event_count=count), events=some_events(count), place=PLACE)


def test_a_restored_flow_is_as_it_was(backend: Backend) -> None:
    """Its events, its place in lists, its status."""
    _ended(backend, "a", team="red")
    _ended(backend, CHILD)
    before = (backend.index.all_flows(), load_one(backend.store, LoadRequest(stream_id=flow_stream(A))))
    _archived(backend, A, CHILD)
    assert backend.archive.restore([_restored("a"), _restored(CHILD)], 0)
    assert before == (backend.index.all_flows(), load_one(backend.store, LoadRequest(stream_id=flow_stream(A))))
    assert some_events(EVENTS) == backend.store.read_log(flow_stream(CHILD))
    assert (None, None) == tuple(backend.archive.digests([A, CHILD]))


def test_restoring_twice_changes_nothing(backend: Backend) -> None:
    """As after an answer that was lost."""
    _ended(backend, "a")
    _archived(backend, A)
    assert (True, True) == (
        backend.archive.restore([_restored("a")], 0),
        backend.archive.restore([_restored("a")], 0),
    )
    assert some_events(EVENTS) == backend.store.read_log(flow_stream(A))


@pytest.mark.parametrize("other", [_restored("b"), _restored("c", EVENTS + 1)], ids=["unknown", "another"])
def test_flows_are_restored_all_or_none(backend: Backend, other: RestoredFlow) -> None:
    """One that does not fit keeps its neighbours archived."""
    _ended(backend, "a")
    _ended(backend, "c")
    _archived(backend, A, C)
    assert not backend.archive.restore([_restored("a"), other], 0)
    assert () == backend.store.read_log(flow_stream(A))


def test_a_restored_flow_rests(backend: Backend) -> None:
    """No archiver takes it before its time."""
    _ended(backend, "a")
    _archived(backend, A)
    backend.archive.restore([_restored("a")], LEASE_MS)
    assert ((), [A]) == (
        tuple(backend.jobs.reserve("me", None, 1, LEASE_MS)),
        [each.flow_id for each in backend.archive.candidates(None, 1)],
    )


def test_a_restored_flow_is_archived_again(backend: Backend) -> None:
    """As often as one likes."""
    _ended(backend, "a")
    _archived(backend, A)
    backend.archive.restore([_restored("a")], 0)
    _archived(backend, A)
    assert (_digest("a"),) == tuple(backend.archive.digests([A]))


def test_a_long_log_is_restored_whole(backend: Backend) -> None:
    """More events than a script takes in one piece."""
    commit_one(backend.store, a_commit("a", count=1_000, index=an_index("a", "completed", 5_000)))
    digest = _digest("a", event_count=1_000)
    backend.jobs.hold("me", [A], LEASE_MS)
    backend.jobs.replace("me", [digest])
    assert backend.archive.restore([RestoredFlow(digest=digest, events=some_events(1_000), place=PLACE)], 0)
    assert some_events(1_000) == backend.store.read_log(flow_stream(A))


# ---- erasing ---------------------------------------------------------------------------------


def test_an_erased_flow_is_as_if_it_had_never_been(backend: Backend) -> None:
    """Live or archived, with its labels and its children; its id may be used again."""
    _ended(backend, "a", team="red")
    _ended(backend, CHILD)
    _ended(backend, "b", team="red")
    _archived(backend, A)
    backend.jobs.hold("me", [B], LEASE_MS)
    assert backend.archive.erase(_seen(backend, A, CHILD, B, **LABELS), {"what": "erased"})
    assert ((), None, None) == (backend.index.all_flows(), backend.index.standing(A), backend.index.standing(CHILD))
    assert ((None,), ((),), 0) == (
        tuple(backend.archive.digests([A])),
        tuple(backend.archive.family([A])),
        backend.jobs.unfinished(),
    )
    assert () == backend.index.query(FlowQuery(labels=LABELS)).items
    assert 0 == load_one_sequence(backend, A)
    _ended(backend, "a")
    assert some_events(EVENTS) == backend.store.read_log(flow_stream(A))


def test_a_running_flow_is_not_erased(backend: Backend) -> None:
    """Its id is in use again; nor is any that was to go with it, and nothing is recorded."""
    _ended(backend, "a", team="red")
    commit_one(backend.store, a_commit("b", index=an_index("b")))
    seen = _seen(backend, A, B, **LABELS)
    commit_one(backend.store, a_commit("b", expected=1))
    assert not backend.archive.erase(seen, {"what": "erased"})
    assert (2, ()) == (len(backend.index.all_flows()), tuple(backend.archive.audit("", 1)))
    assert backend.archive.erase(seen[:1], {"what": "erased"})


def _reused(backend: Backend) -> None:
    """The id is that of another flow, as long as the one before."""
    assert backend.archive.erase(_seen(backend, A), {"what": "erased"})
    commit = structs.replace(a_commit("a", index=an_index("a", "completed")), events=(b"1", b"2", b"3"))
    commit_one(backend.store, commit)


def _gone_and_reused_archived(backend: Backend) -> None:
    _reused(backend)
    backend.jobs.hold("me", [A], LEASE_MS)
    assert all(backend.jobs.replace("me", [_digest("a", at_ms=6_000)]))


def _back(backend: Backend) -> None:
    assert backend.archive.restore([_restored("a")], 0)


@pytest.mark.parametrize(
    ("was_archived", "change"),
    [
        (False, _reused),
        (False, _gone_and_reused_archived),
        (False, lambda backend: _archived(backend, A)),
        (True, _reused),
        (True, _gone_and_reused_archived),
        (True, _back),
    ],
)
def test_only_the_flow_that_was_seen_is_erased(
    backend: Backend, was_archived: bool, change: Callable[[Backend], None]
) -> None:
    """Neither a newer one under its id, nor one that was archived or brought back meanwhile and must be looked at."""
    _ended(backend, "a")
    if was_archived:
        _archived(backend, A)
    seen = _seen(backend, A)
    change(backend)
    there = backend.index.all_flows()
    assert not backend.archive.erase(seen, {"what": "erased"})
    assert (there, True) == (backend.index.all_flows(), backend.archive.erase(_seen(backend, A), {"what": "erased"}))


def test_a_newer_flow_is_not_restored_to_an_older_one(backend: Backend) -> None:
    """Whoever restores names the digest that it has read the events of."""
    _ended(backend, "a")
    _archived(backend, A)
    older = _restored("a")
    _gone_and_reused_archived(backend)
    assert (False, ()) == (backend.archive.restore([older], 0), backend.store.read_log(flow_stream(A)))


def test_a_flow_keeps_the_places_of_its_former_objects(backend: Backend) -> None:
    """Each once, live and archived again, until it is erased."""
    _ended(backend, "a")
    other = ObjectPlace(target="file:///a b", key="v2/x")
    for place in (PLACE, other, PLACE):
        _archived(backend, A)
        assert backend.archive.restore([replace(_restored("a"), place=place)], 0)
    assert (KeptFlow(objects=(PLACE, other)),) == tuple(backend.archive.kept([A]))
    _archived(backend, A)
    assert (KeptFlow(digest=_digest("a"), objects=(PLACE, other)),) == tuple(backend.archive.kept([A]))
    assert backend.archive.erase(_seen(backend, A), {"what": "erased"})
    assert (KeptFlow(),) == tuple(backend.archive.kept([A]))


def test_each_erased_flow_loses_its_own_labels(backend: Backend) -> None:
    """However they are mixed; those of others stay."""
    labels = {A: {"team": "red", "of": "a"}, B: {"of": "b", "team": "red"}, C: {"team": "red"}}
    for flow_id in labels:
        _ended(backend, flow_id, **labels[flow_id])
    seen = [*_seen(backend, A, **labels[A]), *_seen(backend, B, **labels[B])]
    assert backend.archive.erase(seen, {"what": "erased"})
    _ended(backend, "a")
    _ended(backend, "b")
    found = [
        backend.index.query(FlowQuery(labels={name: value})).items for name, value in (("team", "red"), ("of", "a"))
    ]
    assert [[C], []] == [[row.id for row in rows] for rows in found]


def test_erasures_are_recorded(backend: Backend) -> None:
    """In their order, to be read from any place."""
    backend.archive.erase(_seen(backend, A), {"flow_id": "a"})
    backend.archive.erase(_seen(backend, B), {"flow_id": "b", "by": "ü"})
    first, second = backend.archive.audit("", 10)
    assert ({"flow_id": "a"}, {"flow_id": "b", "by": "ü"}) == (first.members, second.members)
    assert ([second], [first]) == (
        list(backend.archive.audit(first.position, 10)),
        list(backend.archive.audit("", 1)),
    )


# ---- a Redis that is full --------------------------------------------------------------------


def test_archiving_works_on_a_full_redis(client: Redis) -> None:
    """Leasing, replacing and erasing make room, so a Redis that refuses everything else takes them."""
    backend = redis_backend(client)
    for flow_id in ("a", "b", "c"):
        _ended(backend, flow_id)
    client.config_set("maxmemory", 1_000)
    try:
        assert (A, B) == tuple(backend.jobs.reserve("me", None, 2, LEASE_MS))
        assert (True,) == tuple(backend.jobs.replace("me", [_digest("a")]))
        backend.jobs.rest("me", [B], 0)
        assert (B,) == tuple(backend.jobs.take_over("you", 1, LEASE_MS))
        assert backend.archive.erase(_seen(backend, C), {"flow_id": "c"})
    finally:
        client.config_set("maxmemory", 0)
    assert ([_digest("a")], [B]) == (
        list(backend.archive.digests([A])),
        [each.flow_id for each in backend.archive.candidates(None, 9)],
    )


def test_memory_is_what_redis_says(client: Redis) -> None:
    """Its limit, or ours where it has none."""
    ours = RedisArchiveStore(client, "test", memory_limit_bytes=7_000_000)
    assert 7_000_000 == ours.memory().limit_bytes
    client.config_set("maxmemory", 99_000_000)
    try:
        use = ours.memory()
    finally:
        client.config_set("maxmemory", 0)
    assert (99_000_000, True) == (use.limit_bytes, 100_000 < use.used_bytes < 99_000_000)


def test_ages_are_told_to_the_millisecond(backend: Backend) -> None:
    """As the index has them."""
    _ended(backend, "a", 1_700_000_000_123)
    (found,) = backend.archive.candidates(None, 1)
    assert timedelta(0) == found.deactivated_at - _at(1_700_000_000_123)


def test_what_waits_is_counted_with_its_oldest(backend: Backend) -> None:
    """Leased or not, before a time."""
    assert (0, None) == backend.jobs.waiting(None)
    _ended(backend, "a", 6_000)
    _ended(backend, "b", 5_000, "failed")
    backend.jobs.reserve("me", None, 1, LEASE_MS)
    assert ((2, _at(5_000)), (1, _at(5_000))) == (backend.jobs.waiting(None), backend.jobs.waiting(_at(6_000)))
