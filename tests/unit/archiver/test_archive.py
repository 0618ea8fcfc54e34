# SPDX-License-Identifier: Apache-2.0
"""A flow counts as written when its object was verified."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from argyll_archiver.archive import FlowArchive
from argyll_engine.errors import ArchiveUnavailableError, DamagedArchiveError, FlowNotFoundError
from argyll_engine.model.ids import FlowID
from tests.unit.archiver.flows import F, an_ended_flow, log_of
from tests.unit.archiver.sinks import MemorySink


def _archive(sink: MemorySink) -> FlowArchive:
    return FlowArchive(sink, "archived/")


def test_a_written_flow_is_read_with_the_identical_events() -> None:
    """Under the key that its digest has, in the size that it has."""
    log, sink = log_of(an_ended_flow()), MemorySink()
    digest = _archive(sink).write(F, log)
    found = _archive(sink).read(digest)
    assert found is not None
    assert (log, True) == (found.events, digest.object_key.startswith("archived/v2/"))
    assert (digest.object_bytes, len(log)) == (len(sink.objects[digest.object_key]), digest.event_count)


def test_writing_again_leaves_one_object_as_it_was() -> None:
    """As after a kill between the write and what follows it."""
    log, sink = log_of(an_ended_flow()), MemorySink()
    first = _archive(sink).write(F, log)
    before = dict(sink.objects)
    assert (first, before) == (_archive(sink).write(F, log), sink.objects)


@pytest.mark.parametrize("kept_bytes", [0, 40])
def test_an_object_that_the_store_cut_off_does_not_count(kept_bytes: int) -> None:
    """Though the store said that it has it."""
    sink = MemorySink()
    sink.kept_bytes = kept_bytes
    with pytest.raises(DamagedArchiveError, match="not what was written"):
        _archive(sink).write(F, log_of(an_ended_flow()))


def test_what_the_store_has_confirmed_is_not_read_back() -> None:
    """Its checksum says as much."""
    sink = MemorySink()
    sink.confirms = True
    _archive(sink).write(F, log_of(an_ended_flow()))
    assert [] == sink.got_keys


def test_a_store_that_is_away_says_so() -> None:
    """The same call may succeed later."""
    sink = MemorySink()
    sink.is_away = True
    with pytest.raises(ArchiveUnavailableError):
        _archive(sink).write(F, log_of(an_ended_flow()))


def test_a_flow_without_events_is_not_found() -> None:
    """And nothing is written."""
    sink = MemorySink()
    with pytest.raises(FlowNotFoundError):
        _archive(sink).write(FlowID("g"), ())
    assert {} == sink.objects


def test_a_deleted_object_reads_as_nothing() -> None:
    """That is no error, nor is deleting it again."""
    sink = MemorySink()
    digest = _archive(sink).write(F, log_of(an_ended_flow()))
    _archive(sink).delete(digest)
    _archive(sink).delete(digest)
    assert None is _archive(sink).read(digest)


def test_an_object_of_another_flow_is_damage() -> None:
    """Whole as it may be, and even if that had the same id before and was as long."""
    sink = MemorySink()
    digest = _archive(sink).write(F, log_of(an_ended_flow()))
    later = replace(digest, created_at=digest.created_at + timedelta(microseconds=1))
    for other in (replace(digest, flow_id=FlowID("g")), replace(digest, event_count=1), later):
        with pytest.raises(DamagedArchiveError, match="of its digest"):
            _archive(sink).read(other)
