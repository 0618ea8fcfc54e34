# SPDX-License-Identifier: Apache-2.0
"""Which flows go, and when. Source: the contract, ops §2.2."""

from datetime import UTC, datetime, timedelta

import pytest

from argyll_archiver.config import ArchiverConfig
from argyll_archiver.policy import follows_at_once, is_under_pressure, old_enough_before
from argyll_engine.model.vitals import MemoryUse

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("used", "limit", "percent", "expected"),
    [
        (79, 100, 80.0, False),
        (80, 100, 80.0, True),
        (100, 100, 100.5, False),
        (1, 100, 0.0, True),
        (0, 100, -1.0, True),
        (10**12, 0, 80.0, False),
        (10**12, 0, 0.0, False),
    ],
)
def test_pressure_is_a_share_of_the_limit(used: int, limit: int, percent: float, expected: bool) -> None:
    """The threshold itself counts; without a limit there is no share."""
    config = ArchiverConfig(memory_percent=percent)
    assert expected == is_under_pressure(MemoryUse(used_bytes=used, limit_bytes=limit), config)


def test_flows_are_old_enough_by_their_age() -> None:
    """Counted from their deactivation."""
    assert NOW - timedelta(hours=24) == old_enough_before(NOW, ArchiverConfig())


@pytest.mark.parametrize("max_age", [0.0, -60.0])
def test_without_an_age_every_ended_flow_is_old_enough(max_age: float) -> None:
    """Even one that ended this moment, or by a clock that runs ahead."""
    assert None is old_enough_before(NOW, ArchiverConfig(max_age_seconds=max_age))


@pytest.mark.parametrize(
    ("chosen", "elapsed", "expected"), [(10, 4.9, True), (9, 0.1, False), (10, 5.0, False), (0, 0.0, False)]
)
def test_the_next_batch_follows_while_there_is_more_and_time(chosen: int, elapsed: float, expected: bool) -> None:
    """A batch that was not full was the last."""
    assert expected == follows_at_once(chosen, 10, elapsed, 5.0)
