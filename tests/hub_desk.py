# SPDX-License-Identifier: Apache-2.0
"""A hub on a memory store whose feed fails on demand, for tests of what watchers get."""

from collections.abc import Sequence
from queue import Empty, Queue

import pytest

from argyll_engine.errors import StoreUnavailableError
from argyll_engine.feed_port import FeedEnd, FeedPosition, LogRange, Reading
from argyll_engine.hub import Delivery, Hub, Run
from argyll_engine.model.ids import StreamID, flow_stream
from argyll_engine.ports import Commit
from argyll_engine.store.memory import MemoryBackend, MemoryEventStore, MemoryFeed

ALL: StreamID = ()
WF = flow_stream("wf")
KINDS = frozenset({"catalog", "cluster", "flow"})
PATIENCE_MS = 5
SOON_SECONDS = 5.0


class FaultyFeed(MemoryFeed):
    """A memory feed that fails when told to, and can be made to forget that it has all notes."""

    def __init__(self, backend: MemoryBackend) -> None:
        super().__init__(backend)
        self.is_away = False
        self.seems_trimmed = False
        self.ranges_read = 0

    def end(self, streams: Sequence[StreamID]) -> FeedEnd:
        """As it is, or away."""
        self._fail_if_told()
        return super().end(streams)

    def read(self, after: FeedPosition, patience_ms: int) -> Reading:
        """As it is, away, or without the notes, as if they were trimmed."""
        self._fail_if_told()
        reading = super().read(after, patience_ms)
        if self.seems_trimmed and reading.notes:
            self.seems_trimmed = False
            return Reading(notes=reading.notes[-1:], is_whole=False)
        return reading

    def events(self, ranges: Sequence[LogRange]) -> Sequence[tuple[bytes, ...] | None]:
        """As they are, or away."""
        self._fail_if_told()
        self.ranges_read += len(ranges)
        return super().events(ranges)

    def _fail_if_told(self) -> None:
        if self.is_away:
            raise StoreUnavailableError("flow", "told to be away")


class Desk:
    """A hub on a memory store, and what it delivered."""

    def __init__(self) -> None:
        self.backend = MemoryBackend()
        self.store = MemoryEventStore(self.backend)
        self.feed = FaultyFeed(self.backend)
        self.hub = Hub([(self.feed, KINDS)], patience_ms=PATIENCE_MS)
        self.deliveries: Queue[Delivery] = Queue()
        self.hub.listen(self.deliveries.put)

    def commit(self, stream_id: StreamID, count: int = 1, *types: str, last_type: str = "") -> None:
        """So many events more, of these types; the note brings the last one if it is told of which type that is."""
        first = self.backend.logs[stream_id].next_sequence if stream_id in self.backend.logs else 0
        events = tuple(b"%d" % number for number in range(first, first + count))
        commit = Commit(
            stream_id=stream_id,
            expected_sequence=first,
            events=events,
            event_types=frozenset(types),
            last_type=last_type,
        )
        self.store.commit([commit])

    def next(self) -> Delivery:
        """The next delivery."""
        return self.deliveries.get(timeout=SOON_SECONDS)

    def runs(self, count: int) -> list[Run]:
        """So many runs of events."""
        found: list[Run] = []
        while len(found) < count:
            found += self.next().runs
        return found

    def settle(self) -> None:
        """Wait until the hub has seen all notes there are: it has nobody to tell, so only time shows it."""
        with pytest.raises(Empty):
            self.deliveries.get(timeout=20 * PATIENCE_MS / 1_000)

    def collect(self, count: int) -> list[tuple[str, int]]:
        """So many events, as (id, sequence); their content must be what was committed."""
        found: list[tuple[str, int]] = []
        while len(found) < count:
            for run in self.next().runs:
                numbers = range(run.first_sequence, run.first_sequence + len(run.events))
                assert [b"%d" % number for number in numbers] == list(run.events)
                found += [(run.stream_id[-1], number) for number in numbers]
        return found


def of(name: str, *sequences: int) -> list[tuple[str, int]]:
    """Events as `collect` gives them."""
    return [(name, number) for number in sequences]
