# SPDX-License-Identifier: Apache-2.0
"""Flows are written, verified, and only then deleted; a child goes with its root or after it."""

from typing import Any

import pytest

from argyll_archiver import batches
from argyll_archiver.meter import FAILURE
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID
from tests.unit.archiver.archiving import LEASE_SECONDS, STEP, Archiving
from tests.unit.archiver.reading import another_engine

A = FlowID("a")


def test_an_archived_flow_has_the_identical_events() -> None:
    """They are gone from the store, and its status is as it was."""
    archiving = Archiving()
    logs = archiving.end("a", "b")
    assert 2 == archiving.archiver.sweep()
    assert logs == {flow_id: archiving.archived_log(flow_id) for flow_id in logs}
    assert ((), (), FlowStatus.COMPLETED) == (
        archiving.log("a"),
        archiving.log("b"),
        archiving.workshop.engine.queries.flow_status(A).status,
    )
    assert 0 == archiving.jobs.unfinished()


def test_nothing_is_deleted_before_its_object_is_verified() -> None:
    """One that reads back differently stays live, and rests before it is tried again."""
    archiving = Archiving()
    logs = archiving.end("a")
    archiving.sink.kept_bytes = 10
    assert (0, logs["a"]) == (archiving.archiver.sweep(), archiving.log("a"))
    archiving.sink.kept_bytes = None
    assert 0 == archiving.archiver.sweep()
    archiving.pass_time(LEASE_SECONDS)
    assert (1, logs["a"]) == (archiving.archiver.finish(), archiving.archived_log("a"))


def test_objects_are_there_before_logs_go() -> None:
    """Whoever looks at the moment of a write finds the log."""
    archiving = Archiving()
    logs = archiving.end("a", "b")
    seen: list[Any] = []
    archiving.sink.before_put = lambda key: seen.append((archiving.log("a"), archiving.log("b")))
    archiving.archiver.sweep()
    assert [(logs["a"], logs["b"])] * 2 == seen


def test_a_target_that_is_away_leaves_flows_where_they_are(caplog: pytest.LogCaptureFixture) -> None:
    """They are tried again with the next batch; each failure has its line."""
    archiving = Archiving()
    logs = archiving.end("a", "b")
    archiving.sink.is_away = True
    assert 0 == archiving.archiver.sweep()
    assert (logs, 2) == (
        {flow_id: archiving.log(flow_id) for flow_id in logs},
        [record.getMessage() for record in caplog.records].count(FAILURE),
    )
    archiving.sink.is_away = False
    assert 2 == archiving.archiver.sweep()


def test_a_flow_that_cannot_be_archived_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """Neither now nor by standing first in the line."""
    archiving = Archiving(sweep_batch=1)
    archiving.end("a", "b", "c")
    log = archiving.workshop.backend.logs["flow", "a"]
    log.events[1] = b'{"what": "is this"}'
    assert (2, 0) == (archiving.archiver.sweep(), archiving.archiver.sweep())
    assert (None, True, True) == (
        archiving.archived_log("a"),
        archiving.archived_log("b") is not None,
        archiving.archived_log("c") is not None,
    )
    assert 1 == [record.getMessage() for record in caplog.records].count(FAILURE)


def test_children_go_with_their_root() -> None:
    """With their own objects."""
    archiving = Archiving()
    child = archiving.end_with_child("a")
    logs = {each: archiving.log(each) for each in ("a", child)}
    assert 2 == archiving.archiver.sweep()
    assert logs == {each: archiving.archived_log(each) for each in logs}


def test_a_child_stays_while_its_root_cannot_go() -> None:
    """It is nobody's job then."""
    archiving = Archiving()
    child = archiving.end_with_child("a")
    archiving.sink.refused = "/a~"
    assert 0 == archiving.archiver.sweep()
    assert (True, 0) == (bool(archiving.log(child)), archiving.jobs.unfinished())


def test_a_child_that_could_not_go_with_its_root_follows() -> None:
    """As an unfinished job."""
    archiving = Archiving()
    child = archiving.end_with_child("a")
    archiving.sink.refused = "/a:outer"
    assert (1, ()) == (archiving.archiver.sweep(), archiving.log("a"))
    assert 0 == archiving.archiver.finish()
    archiving.sink.refused = ""
    assert (1, ()) == (archiving.archiver.finish(), archiving.log(child))


def test_a_child_that_goes_on_follows_when_it_has_ended() -> None:
    """Its root is archived at its time all the same."""
    archiving = Archiving()
    child = archiving.end_with_child("a")
    log = archiving.workshop.backend.logs["flow", child]
    whole = log.events
    log.events = whole[:-1]
    assert (1, True) == (archiving.archiver.sweep(), bool(archiving.log(child)))
    log.events = whole
    assert 0 == archiving.archiver.finish()
    archiving.pass_time(LEASE_SECONDS)
    assert (1, tuple(whole)) == (archiving.archiver.finish(), archiving.archived_log(child))


def test_a_child_is_no_job_before_its_root_is_archived() -> None:
    """What a lost archiver left of it is forgotten; it goes with its root."""
    archiving = Archiving()
    child = archiving.end_with_child("a")
    archiving.jobs.hold("lost", [child], 0)
    assert (0, 0) == (archiving.archiver.finish(), archiving.jobs.unfinished())
    assert 2 == archiving.archiver.sweep()


def test_a_flow_that_somebody_else_archives_is_left_to_him() -> None:
    """It is free again when his lease is over."""
    archiving = Archiving()
    archiving.end("a")
    archiving.jobs.hold("somebody", [A], 60_000)
    assert 0 == archiving.archiver.sweep()
    archiving.pass_time(60)
    assert 1 == archiving.archiver.finish()


def test_a_root_does_not_go_while_somebody_else_has_its_child() -> None:
    """He may drop the child, as its root was live when he looked; so both are there for whoever comes next."""
    archiving = Archiving()
    child = archiving.end_with_child("a")
    archiving.jobs.hold("somebody", [child], 60_000)
    assert 0 == archiving.archiver.sweep()
    archiving.jobs.release("somebody", [child])
    archiving.pass_time(LEASE_SECONDS)
    assert (2, 0) == (archiving.archiver.finish(), archiving.jobs.unfinished())
    assert [True, True] == [archiving.archived_log(each) is not None for each in ("a", child)]


def test_a_job_whose_flow_is_gone_is_forgotten() -> None:
    """Such as that of a flow that was erased meanwhile."""
    archiving = Archiving()
    archiving.jobs.hold("lost", [A], 0)
    assert (0, 0) == (archiving.archiver.finish(), archiving.jobs.unfinished())


def test_large_batches_go_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that memory holds some logs at a time; nothing is left out."""
    monkeypatch.setattr(batches, "GROUP_FLOWS", 2)
    archiving = Archiving()
    archiving.end(*"abcde")
    assert (5, 5) == (archiving.archiver.sweep(), len(archiving.sink.objects))


def test_a_long_log_is_a_group_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long."""
    monkeypatch.setattr(batches, "GROUP_EVENTS", 1)
    archiving = Archiving()
    archiving.end("a", "b")
    assert 2 == archiving.archiver.sweep()


def test_a_target_that_takes_nothing_is_not_asked_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a batch; the next one asks again."""
    monkeypatch.setattr(batches, "GROUP_FLOWS", 4)
    archiving = Archiving()
    archiving.end(*"abcdefghijklmnop")
    archiving.sink.is_away = True
    tried: list[str] = []
    archiving.sink.before_put = tried.append
    archiving.archiver.sweep()
    assert (batches.STOP_AFTER, 0) == (len(tried), archiving.jobs.unfinished())


def test_one_flow_is_archived_when_it_is_asked_for() -> None:
    """Whatever its age; one that is not there, or has not ended, is not."""
    archiving = Archiving(max_age_seconds=86_400.0)
    archiving.end("a")
    archiving.workshop.engine.start_flow(
        FlowID("b"), (archiving.workshop.engine.queries.catalog().steps["s"].id,), {}, {}
    )
    assert (True, False, False) == tuple(map(archiving.archiver.archive, map(FlowID, "abc")))
    assert 0 == archiving.jobs.unfinished()


def test_a_root_that_is_not_deactivated_after_all_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    """The index takes it for ended, its log does not: it rests, and is not taken again and again."""
    archiving = Archiving(sweep_batch=1)
    archiving.end("a", "b")
    log = archiving.workshop.backend.logs["flow", "a"]
    del log.events[-1]
    assert (1, 0) == (archiving.archiver.sweep(), archiving.archiver.sweep())
    assert [FAILURE] == [record.getMessage() for record in caplog.records if record.getMessage() == FAILURE]
    assert 1 == archiving.jobs.unfinished()


def test_a_running_flow_that_is_asked_for_is_a_failure_and_no_job(caplog: pytest.LogCaptureFixture) -> None:
    """It may be asked for again when it has ended."""
    archiving = Archiving()
    archiving.workshop.engine.start_flow(FlowID("a"), (STEP,), {}, {})
    assert not archiving.archiver.archive(FlowID("a"))
    assert ([FAILURE], 0) == (
        [record.getMessage() for record in caplog.records if record.getMessage() == FAILURE],
        archiving.jobs.unfinished(),
    )


@pytest.mark.parametrize("newer", ["running", "ended", "archived"])
def test_a_late_write_of_an_erased_flow_does_not_meet_the_next_of_its_id(newer: str) -> None:
    """An archiver that hung has lost its lease, and the id is in use again on the same day: its object goes."""
    archiving = Archiving()
    archiving.end("a")
    another = archiving.another_archiver()

    def hang(key: str) -> None:
        archiving.sink.before_put = lambda key: None
        archiving.pass_time(LEASE_SECONDS + 1)
        another_engine(archiving).archive.erase(A)
        archiving.workshop.engine.start_flow(A, (STEP,), {}, {})
        if newer != "running":
            archiving.workshop.deliver_all()
        if newer == "archived":
            assert another.archive(A)

    archiving.sink.before_put = hang
    assert 0 == archiving.archiver.sweep()
    archiving.workshop.deliver_all()
    assert (newer == "archived", newer == "archived") == (
        bool(archiving.sink.objects),
        bool(archiving.archived_log("a")),
    )
    archiving.pass_time(LEASE_SECONDS + 1)
    another.sweep()
    assert (1, True) == (len(archiving.sink.objects), bool(archiving.archived_log("a")))
