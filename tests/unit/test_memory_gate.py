# SPDX-License-Identifier: Apache-2.0
"""New flows are refused while memory is nearly used up; one reading serves many starts."""

import pytest

from argyll_engine.errors import StoreFullError, StoreUnavailableError
from argyll_engine.memory_gate import READ_EVERY_SECONDS, MemoryGate
from argyll_engine.model.vitals import MemoryUse
from argyll_engine.store.memory import MemoryBackend
from argyll_engine.store.memory_archive import MemoryArchiveStore


class CountingStore(MemoryArchiveStore):
    """Says what it is told, and counts how often; None means that it is away."""

    def __init__(self, used_bytes: int | None, limit_bytes: int = 100) -> None:
        super().__init__(MemoryBackend())
        self.used_bytes, self.limit_bytes, self.readings = used_bytes, limit_bytes, 0

    def memory(self) -> MemoryUse:
        """What it was told."""
        self.readings += 1
        if self.used_bytes is None:
            raise StoreUnavailableError("flow", "gone")
        return MemoryUse(used_bytes=self.used_bytes, limit_bytes=self.limit_bytes)


@pytest.mark.parametrize(("used", "limit"), [(94, 100), (10**12, 0), (None, 100)])
def test_flows_start_while_there_is_room(used: int | None, limit: int) -> None:
    """Or no limit, or nobody who knows."""
    MemoryGate(CountingStore(used, limit)).check()


@pytest.mark.parametrize("used", [95, 100, 130])
def test_flows_are_refused_with_the_reason(used: int) -> None:
    """From 95 percent on."""
    with pytest.raises(StoreFullError, match=f"{used} % of its memory"):
        MemoryGate(CountingStore(used)).check()


def test_a_reading_serves_for_a_while() -> None:
    """Whether there is room or not; then it is read anew."""
    store, seconds = CountingStore(10), [0.0]
    gate = MemoryGate(store, lambda: seconds[0])
    for _ in range(5):
        gate.check()
    store.used_bytes = 99
    gate.check()
    assert 1 == store.readings
    seconds[0] += READ_EVERY_SECONDS
    for _ in range(3):
        with pytest.raises(StoreFullError):
            gate.check()
    assert 2 == store.readings
    store.used_bytes = 10
    seconds[0] += READ_EVERY_SECONDS
    gate.check()
