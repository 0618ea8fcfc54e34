# SPDX-License-Identifier: Apache-2.0
"""Archived flows through the engine: reading, starting again, reporting late, restoring, erasing, expiring."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from argyll_engine.archived_flows import EventCache
from argyll_engine.codec import decode
from argyll_engine.engine import Engine
from argyll_engine.errors import (
    ArchiveUnavailableError,
    DamagedArchiveError,
    ExecutionNotFoundError,
    FlowExistsError,
    WorkItemNotFoundError,
)
from argyll_engine.model.commands import StartFlow
from argyll_engine.model.digest import FlowDigest
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID, Name, StepID, Token
from argyll_engine.model.listing import FlowQuery, FlowStanding
from argyll_engine.model.start import Start
from argyll_engine.wiring import assemble_engine
from tests.unit.archiver.archiving import STEP, Archiving
from tests.unit.archiver.reading import an_archived, another_engine

A, B, OUTER = FlowID("a"), FlowID("b"), FlowID("o")
IN = Name("in")
AT = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture
def place() -> Archiving:
    """A workshop with an archiver."""
    return Archiving()


@pytest.fixture
def engine(place: Archiving) -> Engine:
    """The engine of a process that reads the archive and has seen none of its flows live."""
    return another_engine(place)


# ---- reading ---------------------------------------------------------------------------------


def test_a_flow_is_the_same_through_the_archive(place: Archiving, engine: Engine) -> None:
    """State and log are what they were; only where they come from has changed."""
    place.end("a")
    before = (engine.queries.served_flow(A), engine.queries.flow_log(A), engine.queries.flow_status(A))
    place.archiver.sweep()
    for reader in (engine, another_engine(place)):
        after = (reader.queries.served_flow(A), reader.queries.flow_log(A), reader.queries.flow_status(A))
        assert tuple(structs.replace(each, is_archived=True) for each in before) == after


def test_a_flow_is_read_from_the_archive_once(place: Archiving, engine: Engine) -> None:
    """What was read lately is kept."""
    an_archived(place, "a")
    engine.queries.flow(A)
    place.sink.objects.clear()
    assert FlowStatus.COMPLETED is engine.queries.flow(A).status


def test_what_is_kept_is_bounded_by_number() -> None:
    """The flow that was not used for longest goes first."""
    cache = EventCache(2, 1_000)
    digests = [a_digest(name) for name in "abc"]
    for digest in digests[:2]:
        cache.put(digest, (b"x",))
    cache.get(digests[0])
    cache.put(digests[2], (b"x",))
    assert [(b"x",), None, (b"x",)] == [cache.get(digest) for digest in digests]


def test_what_is_kept_is_bounded_by_size() -> None:
    """And one flow that is larger than all of it is not kept at all."""
    cache = EventCache(10, 10)
    small, other, large = (a_digest(name) for name in "abc")
    cache.put(small, (b"123", b"456"))
    cache.put(large, (b"x" * 11,))
    assert ((b"123", b"456"), None) == (cache.get(small), cache.get(large))
    cache.put(other, (b"12345",))
    assert (None, (b"12345",), 1) == (cache.get(small), cache.get(other), len(cache))


def test_an_archive_that_is_away_concerns_its_flows_only(place: Archiving, engine: Engine) -> None:
    """Lists, statuses and live flows are served as ever."""
    an_archived(place, "a")
    place.workshop.engine.start_flow(B, (STEP,), {}, {})
    place.sink.is_away = True
    for read in (engine.queries.flow, engine.queries.flow_log):
        with pytest.raises(ArchiveUnavailableError):
            read(A)
    assert FlowStanding(status=FlowStatus.COMPLETED, is_archived=True) == engine.queries.flow_status(A)
    assert (B, 2) == (engine.queries.flow(B).id, len(engine.queries.list_flows()))


def test_without_an_archive_the_reason_says_so(place: Archiving) -> None:
    """Flows may have been archived before the setting went."""
    an_archived(place, "a")
    parts = place.workshop.parts_of_another_process()
    engine = assemble_engine(place.workshop.config, parts)
    with pytest.raises(ArchiveUnavailableError, match="no archive is configured"):
        engine.queries.flow(A)
    with pytest.raises(ArchiveUnavailableError, match="no archive is configured"):
        engine.archive.erase(A)


def test_an_object_that_is_gone_or_anothers_is_damage(place: Archiving, engine: Engine) -> None:
    """Nothing is guessed."""
    an_archived(place, "a", "b")
    first, second = place.sink.objects
    place.sink.objects[first] = place.sink.objects[second]
    del place.sink.objects[second]
    for flow_id in (A, B):
        with pytest.raises(DamagedArchiveError):
            engine.queries.flow(flow_id)


def test_lists_have_archived_flows_in_their_place(place: Archiving, engine: Engine) -> None:
    """As rows like any other; a query may ask for one kind."""
    an_archived(place, "a")
    place.end("b")
    asked: list[Any] = [None, True, False]
    found = [[row.id for row in engine.queries.query(FlowQuery(archived=each)).items] for each in asked]
    assert [[A, B], [A], [B]] == found


# ---- starting and reporting ------------------------------------------------------------------


@pytest.mark.parametrize("is_known", [True, False])
def test_a_start_under_an_archived_id_never_runs_again(place: Archiving, is_known: bool) -> None:
    """The same start is accepted, another one refused, whether this process has seen the flow or not."""
    place.workshop.engine.start_flow(A, (STEP,), {IN: (1, "x")}, {})
    place.workshop.deliver_all()
    place.archiver.sweep()
    engine = place.workshop.engine if is_known else another_engine(place)
    engine.start_flow(A, (STEP,), {IN: (1.0, "x")}, {"label": "counts for nothing"})
    for goals, init in (((STEP,), {IN: (2, "x")}), ((STEP,), {}), ((StepID("outer"),), {IN: (1, "x")})):
        with pytest.raises(FlowExistsError):
            engine.start_flow(A, goals, init, {})
    assert not place.workshop.backend.queues


def test_each_of_many_starts_is_answered_alone(place: Archiving, engine: Engine) -> None:
    """Archived and new ones in one batch."""
    an_archived(place, "a", "b")
    starts = [Start(flow_id=each, goals=(STEP,), init={}, labels={}) for each in (A, B, FlowID("new"))]
    starts[1] = replace(starts[1], init={IN: (7,)})
    refused = engine.start_flows(starts)
    assert (None, FlowExistsError, None) == (refused[0], type(refused[1]), refused[2])


def test_a_late_report_to_an_archived_flow_is_ignored(place: Archiving, engine: Engine) -> None:
    """As for one that is deactivated: known work items are accepted, others are not."""
    logs = an_archived(place, "a")
    (token,) = engine.queries.flow(A).executions[STEP].work_items
    engine.complete_work(A, STEP, token, {"out": "late"})
    engine.fail_work(A, STEP, token, "late")
    with pytest.raises(ExecutionNotFoundError):
        engine.fail_work(A, StepID("other"), token, "late")
    with pytest.raises(WorkItemNotFoundError):
        engine.complete_work(A, STEP, Token("other"), {})
    assert logs["a"] == engine.queries.flow_log(A).events


def test_messages_for_an_archived_flow_are_dropped(place: Archiving) -> None:
    """One that comes again long after it was handled does nothing, in any worker."""
    place.workshop.engine.start_flow(A, (STEP,), {}, {})
    (message,) = place.workshop.messages()
    place.workshop.runner.run(*message)
    place.workshop.deliver_all()
    logs = place.log("a")
    place.archiver.sweep()
    for runner in (place.workshop.runner, place.workshop.another_worker("w2")):
        runner.run(*message)
        runner.wake(A, STEP)
    assert (logs, 1) == (place.archived_log("a"), len(place.workshop.client.calls))


def a_digest(name: str) -> FlowDigest:
    """Of a flow that nobody has started."""
    return FlowDigest(
        flow_id=FlowID(name),
        status=FlowStatus.COMPLETED,
        created_at=AT,
        completed_at=AT,
        deactivated_at=AT,
        labels={},
        error="",
        event_count=1,
        goals_sha256="",
        init_sha256="",
    )


def test_every_event_that_is_served_is_whole(place: Archiving, engine: Engine) -> None:
    """Sequences, types and order as they were."""
    logs = an_archived(place, "a")
    served = [decode(event) for event in engine.queries.flow_log(A).events]
    assert list(range(len(logs["a"]))) == [event["sequence"] for event in served]


@pytest.mark.parametrize("then", ["restored", "erased"])
def test_a_start_that_meets_an_archived_flow_which_is_gone_a_moment_later_is_decided_again(
    place: Archiving, engine: Engine, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    """It goes through: as a repeat of the flow that came back, or as the first of its id."""
    an_archived(place, "a")
    look = engine._archived.check_repeat

    def look_late(command: StartFlow) -> bool:
        monkeypatch.setattr(engine._archived, "check_repeat", look)
        change = engine.archive.restore if then == "restored" else engine.archive.erase
        assert (A,) == change(A)
        return look(command)

    monkeypatch.setattr(engine._archived, "check_repeat", look_late)
    engine.start_flow(A, (STEP,), {}, {})
    status = FlowStatus.COMPLETED if then == "restored" else FlowStatus.ACTIVE
    assert FlowStanding(status=status) == engine.queries.flow_status(A)
