# SPDX-License-Identifier: Apache-2.0
"""A flow counts as written when its object was read back and is the one that was meant."""

import pytest

from argyll_archiver.archive import FlowArchive
from argyll_engine.errors import ArchiveUnavailableError, DamagedArchiveError, FlowNotFoundError
from argyll_engine.model.ids import FlowID
from tests.unit.archiver.flows import F, an_ended_flow, log_of, store_of
from tests.workshop import Workshop


class MemorySink:
    """Objects in memory, which can lose bytes or be away."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.kept_bytes: int | None = None
        self.is_away = False

    def put(self, key: str, body: bytes) -> None:
        """Keeps the first `kept_bytes` of an object."""
        if self.is_away:
            raise ArchiveUnavailableError(key, "gone fishing")
        self.objects[key] = body[: self.kept_bytes]

    def get(self, key: str) -> bytes | None:
        """What is kept."""
        return self.objects.get(key)


def _archive(workshop: Workshop, sink: MemorySink) -> FlowArchive:
    return FlowArchive(store_of(workshop), sink, "archived/")


def test_a_written_flow_is_read_with_the_identical_events() -> None:
    """Under the key that writing has given."""
    workshop, sink = an_ended_flow(), MemorySink()
    archive = _archive(workshop, sink)
    written = archive.write(F)
    found = archive.read(written.key)
    assert found is not None
    assert (log_of(workshop), True) == (found.events, written.key.startswith("archived/v1/"))
    assert written.size_bytes == len(sink.objects[written.key])


def test_writing_again_leaves_one_object_as_it_was() -> None:
    """As after a kill between the write and what follows it."""
    workshop, sink = an_ended_flow(), MemorySink()
    first = _archive(workshop, sink).write(F)
    before = dict(sink.objects)
    assert (first, before) == (_archive(workshop, sink).write(F), sink.objects)


def test_the_live_log_is_left_alone() -> None:
    """Writing deletes nothing."""
    workshop = an_ended_flow()
    before = log_of(workshop)
    _archive(workshop, MemorySink()).write(F)
    assert before == log_of(workshop)


@pytest.mark.parametrize("kept_bytes", [0, 40])
def test_an_object_that_the_store_cut_off_does_not_count(kept_bytes: int) -> None:
    """Though the store said that it has it."""
    sink = MemorySink()
    sink.kept_bytes = kept_bytes
    with pytest.raises(DamagedArchiveError, match="not what was written"):
        _archive(an_ended_flow(), sink).write(F)


def test_a_store_that_is_away_says_so() -> None:
    """The same call may succeed later."""
    sink = MemorySink()
    sink.is_away = True
    with pytest.raises(ArchiveUnavailableError):
        _archive(an_ended_flow(), sink).write(F)


def test_an_unknown_flow_is_not_found() -> None:
    """And nothing is written."""
    sink = MemorySink()
    with pytest.raises(FlowNotFoundError):
        _archive(an_ended_flow(), sink).write(FlowID("g"))
    assert {} == sink.objects


def test_an_unknown_key_reads_as_nothing() -> None:
    """That is no error."""
    assert None is _archive(an_ended_flow(), MemorySink()).read("archived/v1/x")
