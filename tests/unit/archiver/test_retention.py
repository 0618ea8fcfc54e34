# SPDX-License-Identifier: Apache-2.0
"""Archived flows past their retention go, one process at a time, and only where that is wanted."""

import logging
from datetime import timedelta

import pytest

from argyll_archiver import retention as retention_module
from argyll_archiver.retention import LEASE, Retention
from argyll_engine.archive_changes import ArchiveAccess, ArchiveChanges
from argyll_engine.errors import ArchiveUnavailableError, DamagedArchiveError
from argyll_engine.log import fields_of
from argyll_engine.model.ids import FlowID, flow_stream
from tests.unit.archiver.archiving import STEP, Archiving
from tests.unit.archiver.reading import PlainArchive

RETENTION_SECONDS = 3_600.0
LEASE_SECONDS = 60.0
NAMED = [f"flow-{number}" for number in range(40)]


@pytest.fixture
def place() -> Archiving:
    """A workshop with an archiver."""
    return Archiving()


def retention_of(place: Archiving, seconds: float = RETENTION_SECONDS) -> Retention:
    """What lets flows go there."""
    parts, clock = place.workshop.parts_of_another_process(), place.workshop.clock
    access = ArchiveAccess(archive=PlainArchive(place.sink, "p/"), rest=timedelta(hours=1))
    changes = ArchiveChanges(store=place.store, access=access, flows=parts.flows, clock=clock)
    return Retention(
        changes=changes,
        leases=place.workshop.leases,
        clock=clock,
        retention_seconds=seconds,
        lease_seconds=LEASE_SECONDS,
    )


def test_what_is_past_its_time_goes(place: Archiving) -> None:
    """Object, digest and row, with children; the rest stays."""
    place.end("old")
    child = place.end_with_child("parent")
    place.archiver.sweep()
    place.pass_time(RETENTION_SECONDS)
    place.end("new")
    place.archiver.sweep()
    retention = retention_of(place)
    assert (("old", "parent"), 2, ()) == (tuple(retention.due(9)), retention.sweep(), tuple(retention.due(9)))
    assert (["new"], 1) == ([row.id for row in place.workshop.parts.stores.index.all_flows()], len(place.sink.objects))
    assert (None, None) == tuple(place.store.digests([FlowID("old"), child]))


def test_live_flows_never_expire(place: Archiving) -> None:
    """However old; they were never archived, or were brought back."""
    place.end("live", "back")
    place.archiver.archive("back")
    retention = retention_of(place)
    retention._changes.restore(FlowID("back"))
    place.pass_time(10 * RETENTION_SECONDS)
    assert ((), 0, 2) == (tuple(retention.due(9)), retention.sweep(), len(place.workshop.backend.flows))


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_without_a_retention_everything_stays(place: Archiving, seconds: float) -> None:
    """That is the default."""
    place.end("a")
    place.archiver.sweep()
    place.pass_time(10 * RETENTION_SECONDS)
    retention = retention_of(place, seconds)
    assert (False, (), 0) == (retention.is_on, tuple(retention.due(9)), retention.sweep())


def test_one_process_at_a_time(place: Archiving) -> None:
    """The others do nothing, and one that was lost is no obstacle for long."""
    place.end("a")
    place.archiver.sweep()
    place.pass_time(2 * RETENTION_SECONDS)
    place.workshop.leases.acquire_lease(LEASE, "lost", int(LEASE_SECONDS * 1_000))
    assert 0 == retention_of(place).sweep()
    place.pass_time(LEASE_SECONDS + 1)
    assert 1 == retention_of(place).sweep()


def test_a_flow_that_cannot_go_does_not_keep_the_others(place: Archiving, caplog: pytest.LogCaptureFixture) -> None:
    """It is tried again with the next sweep, and each failure is a line."""
    place.end("a", "b")
    place.archiver.sweep()
    place.pass_time(2 * RETENTION_SECONDS)
    place.sink.is_away = True
    assert (0, 2) == (retention_of(place).sweep(), sum("archive job failed" in line.message for line in caplog.records))
    place.sink.is_away = False
    assert 2 == retention_of(place).sweep()


def test_old_flows_that_cannot_go_do_not_end_a_sweep(place: Archiving, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batch after batch goes behind them."""
    monkeypatch.setattr(retention_module, "BATCH", 2)
    place.end(*"abcdef")
    place.archiver.sweep()
    place.pass_time(2 * RETENTION_SECONDS)
    retention = retention_of(place)

    def keep_one(key: str) -> None:
        if "/a~" in key:
            raise ArchiveUnavailableError(key, "it is locked")

    place.sink.before_delete = keep_one
    assert (5, ("a",)) == (retention.sweep(), tuple(retention.due(9)))


def test_a_flow_whose_id_is_in_use_again_does_not_expire(place: Archiving) -> None:
    """Somebody has erased the one before while its batch was at work."""
    place.end("a")
    place.archiver.sweep()
    place.pass_time(2 * RETENTION_SECONDS)
    retention = retention_of(place)

    def use_again(key: str) -> None:
        place.sink.before_delete = lambda key: None
        retention._changes.erase(FlowID("a"))
        place.workshop.engine.start_flow(FlowID("a"), (STEP,), {}, {})

    place.sink.before_delete = use_again
    assert (0, True) == (retention.sweep(), bool(place.log("a")))


def test_the_audit_log_tells_what_expired(place: Archiving) -> None:
    """One record a batch, apart from what people have erased; of any number of flows it is as long."""
    place.end(*NAMED)
    place.archiver.sweep()
    place.pass_time(2 * RETENTION_SECONDS)
    retention_of(place).sweep()
    (record,) = place.store.audit("", 9)
    assert ("expired", "40", "40") == tuple(record.members[name] for name in ("action", "flows", "objects"))
    assert not [name for name in NAMED if name in str(record.members)]


def test_the_ids_of_expired_flows_are_in_the_log_for_who_wants_them(
    place: Archiving, caplog: pytest.LogCaptureFixture
) -> None:
    """At the level of detail, children too; the line that is always there has numbers."""
    child = place.end_with_child("parent")
    place.archiver.sweep()
    place.pass_time(2 * RETENTION_SECONDS)
    with caplog.at_level(logging.DEBUG):
        retention_of(place).sweep()
    told = {line.getMessage(): (line.levelno, fields_of(line)) for line in caplog.records}
    level, fields = told["flows_expired"]
    assert (logging.INFO, "2", False) == (level, fields["flows"], "parent" in str(fields))
    assert (logging.DEBUG, {"flow_ids": f"parent {child}"}) == told["expired_flow_ids"]


def test_large_batches_go_in_groups(place: Archiving, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each family whole, and Redis is held up for none for long."""
    monkeypatch.setattr(retention_module, "AT_ONCE", 3)
    place.end("a", "b")
    place.end_with_child("parent")
    place.end("c")
    place.archiver.sweep()
    place.pass_time(2 * RETENTION_SECONDS)
    assert 4 == retention_of(place).sweep()
    assert ["2", "3"] == [record.members["flows"] for record in place.store.audit("", 9)]


def test_only_the_flow_that_was_found_expires(place: Archiving) -> None:
    """Not a younger one that has its id by then, though that is archived as well."""
    place.end("a")
    place.archiver.sweep()
    place.pass_time(2 * RETENTION_SECONDS)
    retention = retention_of(place)
    due = retention.due(9)
    retention._changes.erase(FlowID("a"))
    place.end("a")
    place.archiver.sweep()
    assert 0 == retention._expire(due, place.workshop.clock.now())
    assert place.archived_log("a")


def test_a_flow_that_comes_back_while_it_expires_stays(place: Archiving) -> None:
    """And does not keep the others of its batch."""
    place.end("a", "b")
    place.archiver.sweep()
    place.pass_time(2 * RETENTION_SECONDS)
    retention = retention_of(place)

    def bring_back(key: str) -> None:
        if "/a~" in key:
            place.sink.before_delete = lambda key: None
            retention._changes.restore(FlowID("a"))

    place.sink.before_delete = bring_back
    assert (1, True, None) == (retention.sweep(), bool(place.log("a")), place.archived_log("b"))


def test_a_flow_that_comes_back_costs_few_records(place: Archiving) -> None:
    """Those beside it still go many at a time."""
    place.end(*NAMED)
    place.archiver.sweep()
    place.pass_time(2 * RETENTION_SECONDS)
    retention = retention_of(place)

    def bring_back(key: str) -> None:
        if f"/{NAMED[0]}~" in key:
            place.sink.before_delete = lambda key: None
            retention._changes.restore(FlowID(NAMED[0]))

    place.sink.before_delete = bring_back
    assert len(NAMED) - 1 == retention.sweep()
    flows = [int(record.members["flows"]) for record in place.store.audit("", 99)]
    assert (len(NAMED) - 1, True) == (sum(flows), len(flows) <= 6)


def test_a_sweep_that_is_stopped_leaves_the_rest_for_the_next(
    place: Archiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has begun ends, and nothing else begins: a worker that shuts down need not be killed."""
    monkeypatch.setattr(retention_module, "THREADS", 1)
    place.end(*"abcdef")
    place.archiver.sweep()
    place.pass_time(2 * RETENTION_SECONDS)
    retention = retention_of(place)
    place.sink.before_delete = lambda key: retention.stop()
    assert (1, 5) == (retention.sweep(), len(retention.due(9)))
    assert 5 == retention_of(place).sweep()


def test_a_target_that_is_slow_is_asked_for_all(place: Archiving, monkeypatch: pytest.MonkeyPatch) -> None:
    """In batches that end with their lease, each with a lease of its own, as long as something goes."""
    monkeypatch.setattr(retention_module, "THREADS", 1)
    place.end(*"abcde")
    place.archiver.sweep()
    place.pass_time(2 * RETENTION_SECONDS)
    place.sink.before_delete = lambda key: place.pass_time(LEASE_SECONDS * 0.6)
    assert (5, [2, 2, 1]) == (
        retention_of(place).sweep(),
        [int(record.members["flows"]) for record in place.store.audit("", 9)],
    )


def test_a_target_that_hangs_does_not_hold_a_sweep(place: Archiving, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with its lease, for another process may begin then; what waits is for the next one."""
    monkeypatch.setattr(retention_module, "THREADS", 1)
    place.end(*"abc")
    place.archiver.sweep()
    place.pass_time(2 * RETENTION_SECONDS)
    asked: list[str] = []

    def hang(key: str) -> None:
        asked.append(key)
        place.pass_time(LEASE_SECONDS + 1)
        raise ArchiveUnavailableError(key, "no answer")

    place.sink.before_delete = hang
    assert (0, 1) == (retention_of(place).sweep(), len(asked))
    place.sink.before_delete = lambda key: None
    assert 3 == retention_of(place).sweep()


def test_a_child_that_cannot_be_read_keeps_only_its_own_family(place: Archiving) -> None:
    """Its log is of another version, say; the others go, and nobody's sweep ends there."""
    place.end("other")
    child = place.end_with_child("parent")
    place.archiver.sweep()
    retention = retention_of(place)
    del place.workshop.backend.digests[flow_stream(child)]  # live again, as far as anybody sees
    place.workshop.backend.logs[flow_stream(child)].events[:] = [b"{}"]
    place.pass_time(2 * RETENTION_SECONDS)
    assert (1, ("parent",)) == (retention_of(place).sweep(), tuple(retention.due(9)))


def test_no_fault_of_one_object_keeps_the_others(place: Archiving) -> None:
    """Whatever of ours the archive raises for it."""
    place.end(*"abc")
    place.archiver.sweep()
    place.pass_time(2 * RETENTION_SECONDS)

    def refuse_one(key: str) -> None:
        if "/b~" in key:
            raise DamagedArchiveError(key, "it is not what was written")

    place.sink.before_delete = refuse_one
    retention = retention_of(place)
    assert (2, ("b",)) == (retention.sweep(), tuple(retention.due(9)))
