# SPDX-License-Identifier: Apache-2.0
"""Which flows go, and when. Source: the contract, ops §2.2."""

from datetime import UTC, datetime, timedelta

import pytest

from argyll_archiver.config import ArchiverConfig
from argyll_archiver.policy import (
    Candidate,
    MemoryFacts,
    choose_by_age,
    choose_under_pressure,
    follows_at_once,
    is_under_pressure,
)
from argyll_engine.model.ids import FlowID

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def _ended(flow_id: str, hours_ago: float) -> Candidate:
    return Candidate(flow_id=FlowID(flow_id), deactivated_at=NOW - timedelta(hours=hours_ago))


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
    assert expected == is_under_pressure(MemoryFacts(used_bytes=used, limit_bytes=limit), config)


def test_under_pressure_the_oldest_go_whatever_their_age() -> None:
    """In the order of their end, one batch."""
    candidates = [_ended("new", 0), _ended("old", 3), _ended("older", 4)]
    assert ("older", "old") == choose_under_pressure(candidates, ArchiverConfig(pressure_batch=2))


def test_by_age_only_those_go_that_are_older_than_allowed() -> None:
    """A flow of exactly the age stays."""
    candidates = [_ended("young", 23), _ended("exact", 24), _ended("old", 24.001), _ended("older", 99)]
    assert ("older", "old") == choose_by_age(candidates, NOW, ArchiverConfig())


@pytest.mark.parametrize("max_age", [0.0, -60.0])
def test_without_an_age_every_ended_flow_goes(max_age: float) -> None:
    """Even one that ended this moment, or by a clock that runs ahead."""
    config = ArchiverConfig(max_age_seconds=max_age)
    assert ("then", "now", "soon") == choose_by_age(
        [_ended("soon", -1), _ended("now", 0), _ended("then", 1)], NOW, config
    )


def test_a_sweep_takes_one_batch() -> None:
    """The oldest first; of the same moment, in the order of ids."""
    candidates = [_ended(name, 48) for name in "dbca"]
    assert ("a", "b", "c") == choose_by_age(candidates, NOW, ArchiverConfig(sweep_batch=3))


@pytest.mark.parametrize(
    ("chosen", "elapsed", "expected"), [(10, 4.9, True), (9, 0.1, False), (10, 5.0, False), (0, 0.0, False)]
)
def test_the_next_batch_follows_while_there_is_more_and_time(chosen: int, elapsed: float, expected: bool) -> None:
    """A batch that was not full was the last."""
    assert expected == follows_at_once(chosen, 10, elapsed, 5.0)
