# SPDX-License-Identifier: Apache-2.0
"""What a process keeps of flows: as long as they are the ones that it knows, it reads only what is new of them."""

from collections.abc import Sequence

import pytest

from argyll_engine.model.ids import FlowID, flow_stream
from argyll_engine.ports import LoadRequest, Snapshot, Stream
from argyll_engine.wiring import Parts
from tests.unit.archiver.archiving import Archiving
from tests.unit.archiver.reading import another_engine

A = FlowID("a")


@pytest.fixture
def place() -> Archiving:
    """A workshop with an archiver."""
    return Archiving()


class Loads:
    """Notes how many events each load brings."""

    def __init__(self, parts: Parts) -> None:
        self.counts: list[int] = []
        self._store = parts.stores.flows
        self._load = self._store.load
        self._store.load = self.load  # type: ignore[method-assign]  # noted, and done

    def load(self, requests: Sequence[LoadRequest]) -> Sequence[Stream]:
        """As the store does."""
        streams = self._load(requests)
        self.counts += [len(stream.events) for stream in streams]
        return streams


def test_a_new_flow_of_an_old_length_is_read_once(place: Archiving) -> None:
    """Another process has erased the one that was known, and started the id again."""
    (before,) = place.end("a").values()
    parts = place.workshop.parts_of_another_process()
    knowing, loads = parts.flows, Loads(parts)
    (known,) = knowing.load([flow_stream(A)])
    another_engine(place).archive.erase(A)
    (after,) = place.end("a").values()
    assert len(before) == len(after)
    del loads.counts[:]
    found = [knowing.load([flow_stream(A)])[0].state for _ in range(3)]
    assert [len(after), 0, 0] == loads.counts
    assert known.state not in found


def test_a_state_from_a_snapshot_is_told_from_another_of_its_length(place: Archiving) -> None:
    """Though a process that was given the snapshot has seen no event at all."""
    (log,) = place.end("a").values()
    projections = place.workshop.parts.flows
    state = projections.fold(flow_stream(A), log)
    assert state is not None
    payload = projections.aggregate.to_snapshot(state)
    place.workshop.parts.stores.flows.save_snapshot(flow_stream(A), Snapshot(sequence=len(log), payload=payload))
    projections.forget(flow_stream(A))
    (loaded,) = projections.load([flow_stream(A)])
    assert (log[-1][:42], state) == (loaded.mark, loaded.state)
