# SPDX-License-Identifier: Apache-2.0
"""What people do to archived flows: restoring and erasing them, and what the audit log says of it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from argyll_engine.engine import Engine
from argyll_engine.errors import (
    ArchiveUnavailableError,
    DamagedArchiveError,
    FlowNotEndedError,
    FlowNotFoundError,
    InvalidRequestError,
)
from argyll_engine.model.digest import KeptFlow
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID, Name
from argyll_engine.model.listing import FlowQuery
from argyll_engine.wiring import assemble_engine
from tests.unit.archiver.archiving import STEP, Archiving
from tests.unit.archiver.reading import REST, an_archived, another_engine

A, B, OUTER = FlowID("a"), FlowID("b"), FlowID("o")
IN = Name("in")


@pytest.fixture
def place() -> Archiving:
    """A workshop with an archiver."""
    return Archiving()


@pytest.fixture
def engine(place: Archiving) -> Engine:
    """The engine of a process that reads the archive and has seen none of its flows live."""
    return another_engine(place)


# ---- restoring -------------------------------------------------------------------------------


def test_a_restored_flow_is_as_it_was(place: Archiving, engine: Engine) -> None:
    """Byte for byte, in its place, live; and asked again it stays so."""
    logs = an_archived(place, "a", "b")
    before = engine.queries.list_flows()
    assert ((A,), ()) == (engine.archive.restore(A), engine.archive.restore(A))
    for reader in (engine, another_engine(place), place.workshop.engine):
        log = reader.queries.flow_log(A)
        assert (logs["a"], False) == (log.events, log.is_archived)
        assert (A, False) == (reader.queries.served_flow(A).state.id, reader.queries.served_flow(A).is_archived)
    assert before == engine.queries.list_flows()
    assert [B] == [row.id for row in engine.queries.query(FlowQuery(archived=True)).items]


def test_a_restored_flow_is_left_alone_for_a_while(place: Archiving, engine: Engine) -> None:
    """No archiver takes it before the rest is over; then it goes again, to the same object."""
    logs = an_archived(place, "a")
    objects = dict(place.sink.objects)
    engine.archive.restore(A)
    place.pass_time(REST.total_seconds() - 1)
    assert 0 == place.archiver.sweep() + place.archiver.finish()
    place.pass_time(2)
    assert 1 == place.archiver.sweep() + place.archiver.finish()
    assert (logs["a"], objects) == (place.archived_log("a"), place.sink.objects)


def test_a_flow_comes_back_with_its_children(place: Archiving, engine: Engine) -> None:
    """Whichever of them is named."""
    child = place.end_with_child("o")
    for named in (OUTER, child):
        place.pass_time(REST.total_seconds() + 1)
        assert 2 == place.archiver.sweep() + place.archiver.finish()
        assert {OUTER, child} == set(engine.archive.restore(named))
        assert not engine.queries.flow_log(child).is_archived


def test_restoring_is_all_or_nothing(place: Archiving, engine: Engine) -> None:
    """A damaged child keeps its parent in the archive."""
    child = place.end_with_child("o")
    place.archiver.sweep()
    key = next(key for key in place.sink.objects if child in key)
    place.sink.objects[key] = place.sink.objects[key][:-5]
    with pytest.raises(DamagedArchiveError):
        engine.archive.restore(OUTER)
    assert engine.queries.flow_status(OUTER).is_archived


def test_only_flows_that_are_there_are_restored(engine: Engine) -> None:
    """Not a word about others."""
    with pytest.raises(FlowNotFoundError):
        engine.archive.restore(FlowID("nobody"))


def test_a_child_that_never_was_is_not_restored(place: Archiving, engine: Engine) -> None:
    """Though its root is archived; that stays where it is."""
    an_archived(place, "a")
    with pytest.raises(FlowNotFoundError):
        engine.archive.restore(FlowID("a:never:was"))
    assert engine.queries.flow_status(A).is_archived


@pytest.mark.parametrize("ask", ["restore", "flow", "flow_log"])
def test_a_flow_that_is_erased_while_it_is_read_was_never_there(place: Archiving, engine: Engine, ask: str) -> None:
    """Its object is gone when its digest has been read: that is no damage."""
    an_archived(place, "a")
    get = place.sink.get

    def erase_before(key: str) -> bytes | None:
        place.sink.get = get  # type: ignore[method-assign]
        another_engine(place).archive.erase(A)
        return get(key)

    place.sink.get = erase_before  # type: ignore[method-assign]
    asked = {"restore": engine.archive.restore, "flow": engine.queries.flow, "flow_log": engine.queries.flow_log}
    with pytest.raises(FlowNotFoundError):
        asked[ask](A)


# ---- erasing ---------------------------------------------------------------------------------


@pytest.fixture(params=["live", "archived", "restored"])
def ended(request: pytest.FixtureRequest, place: Archiving, engine: Engine) -> Iterator[str]:
    """A flow `a` that has ended, wherever it is."""
    place.end("a")
    if request.param != "live":
        place.archiver.sweep()
    if request.param == "restored":
        engine.archive.restore(A)
    yield request.param


def test_nothing_is_left_of_an_erased_flow(ended: str, place: Archiving, engine: Engine) -> None:
    """Neither log nor digest nor object nor row; not even in what processes remember."""
    knowing = another_engine(place)
    knowing.queries.flow(A)
    assert (A,) == engine.archive.erase(A)
    assert (0, ()) == (len(place.sink.objects), engine.queries.list_flows())
    for reader in (engine, knowing, place.workshop.engine):
        for read in (reader.queries.flow, reader.queries.flow_log, reader.queries.flow_status):
            with pytest.raises(FlowNotFoundError):
                read(A)
    with pytest.raises(FlowNotFoundError):
        engine.archive.erase(A)


def test_an_erased_id_may_be_used_again(ended: str, place: Archiving, engine: Engine) -> None:
    """By a flow of the same length: no process takes it for the one that it knew."""
    knowing = another_engine(place)
    old = knowing.queries.flow(A)
    engine.archive.erase(A)
    knowing.start_flow(A, (STEP,), {IN: ("new",)}, {})
    place.workshop.deliver_all()
    for reader in (engine, knowing, place.workshop.engine):
        new = reader.queries.flow(A)
        assert (FlowStatus.COMPLETED, ("new",)) == (new.status, new.init[IN])
        assert not set(old.executions[STEP].work_items) & set(new.executions[STEP].work_items)


def test_erasing_one_flow_leaves_what_processes_have_of_others(place: Archiving, engine: Engine) -> None:
    """Nothing of those is read again, neither from the store nor from the archive."""
    an_archived(place, "a")
    place.end("b")
    knowing = another_engine(place)
    for flow_id in (A, B):
        knowing.queries.flow(flow_id)
    place.end("c")
    engine.archive.erase(FlowID("c"))
    del place.sink.got_keys[:]
    assert (A, B) == (knowing.queries.flow(A).id, knowing.queries.flow(B).id)
    assert [] == place.sink.got_keys


def test_former_objects_are_erased_wherever_objects_go_now(place: Archiving, engine: Engine) -> None:
    """A flow that was restored, and archived again under another prefix."""
    an_archived(place, "a")
    engine.archive.restore(A)
    place.config = replace(place.config, prefix="q/")
    place.pass_time(REST.total_seconds() + 1)
    archiver = place.another_archiver()
    assert 1 == archiver.sweep() + archiver.finish()
    now = another_engine(place, "q/")
    assert 2 == len(place.sink.objects)
    assert (A,) == now.archive.restore(A)
    assert ((A,), {}) == (now.archive.erase(A), place.sink.objects)


def test_the_object_of_a_restored_flow_cannot_be_erased_without_an_archive(place: Archiving, engine: Engine) -> None:
    """Rather nothing is erased than half of it."""
    an_archived(place, "a")
    engine.archive.restore(A)
    without = assemble_engine(place.workshop.config, place.workshop.parts_of_another_process())
    with pytest.raises(ArchiveUnavailableError, match="no archive is configured"):
        without.archive.erase(A)
    assert ((A,), {}) == (engine.archive.erase(A), place.sink.objects)


def test_a_flow_that_is_archived_while_it_is_erased_is_erased_all_the_same(place: Archiving, engine: Engine) -> None:
    """What was seen is no longer so; it is looked at again."""
    place.end("a")

    def archive_once(key: str) -> None:
        place.sink.before_delete = lambda key: None
        assert 1 == place.archiver.sweep()

    place.sink.before_delete = archive_once
    assert ((A,), {}) == (engine.archive.erase(A), place.sink.objects)
    assert not engine.queries.list_flows()


def test_a_flow_that_is_archived_while_it_is_looked_for_is_erased(
    place: Archiving, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole: nobody is told that it is not there, and no child is left behind."""
    child = place.end_with_child("o")
    store = engine.archive._store
    kept = store.kept

    def archive_after(flow_ids: Sequence[FlowID]) -> Sequence[KeptFlow]:
        found = kept(flow_ids)
        monkeypatch.setattr(store, "kept", kept)
        assert 2 == place.archiver.sweep()
        return found

    monkeypatch.setattr(store, "kept", archive_after)
    assert ({OUTER, child}, {}) == (set(engine.archive.erase(OUTER)), place.sink.objects)


@pytest.mark.parametrize(("is_running", "error"), [(True, FlowNotEndedError), (False, FlowNotFoundError)])
def test_a_newer_flow_of_the_id_is_not_hit(
    place: Archiving, engine: Engine, is_running: bool, error: type[Exception]
) -> None:
    """The one that was meant is gone by then, and the newer one runs, or has ended as well."""
    an_archived(place, "a")

    def use_again(key: str) -> None:
        place.sink.before_delete = lambda key: None
        another_engine(place).archive.erase(A)
        place.workshop.engine.start_flow(A, (STEP,), {}, {})
        if not is_running:
            place.workshop.deliver_all()

    place.sink.before_delete = use_again
    with pytest.raises(error):
        engine.archive.erase(A)
    assert place.log("a")


def test_the_audit_log_says_what_was_erased(place: Archiving, engine: Engine) -> None:
    """When, how much and why; nothing of what was in it."""
    place.workshop.engine.start_flow(A, (STEP,), {IN: ("secret",)}, {"name": "secret"})
    place.workshop.deliver_all()
    place.archiver.sweep()
    engine.archive.erase(A, "asked for")
    (record,) = engine.archive.audit("", 10)
    assert {"action": "erased", "flow_ids": "a", "flows": "1", "objects": "1", "reason": "asked for"}.items() <= (
        record.members.items()
    )
    assert "secret" not in str(record.members)
    assert ((record,), ()) == (tuple(engine.archive.audit("", 1)), tuple(engine.archive.audit(record.position, 1)))


def test_children_are_erased_with_their_root_only(place: Archiving, engine: Engine) -> None:
    """A root without its children would be half a flow."""
    child = place.end_with_child("o")
    place.archiver.sweep()
    with pytest.raises(InvalidRequestError, match="with its root: o"):
        engine.archive.erase(child)
    assert {OUTER, child} == set(engine.archive.erase(OUTER))
    assert not place.sink.objects


def test_a_flow_that_goes_on_is_not_erased(place: Archiving, engine: Engine) -> None:
    """Somebody still works on it."""
    place.workshop.engine.start_flow(A, (STEP,), {}, {})
    with pytest.raises(FlowNotEndedError):
        engine.archive.erase(A)
    place.workshop.deliver_all()
    assert (A,) == engine.archive.erase(A)


def test_a_reason_has_its_limits(engine: Engine) -> None:
    """The audit log is no place for content."""
    with pytest.raises(InvalidRequestError, match="longer than"):
        engine.archive.erase(A, "x" * 1_001)


def test_an_archive_that_is_away_keeps_a_flow_from_being_half_erased(place: Archiving, engine: Engine) -> None:
    """The digest stays, so that erasing can be asked for again."""
    an_archived(place, "a")
    place.sink.is_away = True
    with pytest.raises(ArchiveUnavailableError):
        engine.archive.erase(A)
    place.sink.is_away = False
    assert ((), (A,)) == (engine.archive.audit("", 10), engine.archive.erase(A))


def test_a_flow_that_is_erased_while_it_is_archived_leaves_no_object(place: Archiving, engine: Engine) -> None:
    """The archiver finds nothing to replace, and takes back what it wrote; its neighbours go on."""
    place.end("a", "b")

    def erase_once(key: str) -> None:
        if "/a~" in key:
            engine.archive.erase(A)

    place.sink.before_put = erase_once
    assert 1 == place.archiver.sweep()
    assert (1, [B]) == (len(place.sink.objects), [row.id for row in engine.queries.list_flows()])
    assert (0, 0) == (place.archiver.finish(), place.jobs.unfinished())
