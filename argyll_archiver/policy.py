# SPDX-License-Identifier: Apache-2.0
"""Which ended flows leave the live store, and when. Pure: what is known comes in, ids come out.

Nothing here asks Redis or a clock, and nothing is archived here. Source: the contract, ops §2.2.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from argyll_archiver.config import ArchiverConfig
from argyll_engine.model.ids import FlowID


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFacts:
    """Memory of the flow store; `limit_bytes` 0 means that it has no limit."""

    used_bytes: int
    limit_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A root flow that is deactivated. Its children go with it."""

    flow_id: FlowID
    deactivated_at: datetime


def is_under_pressure(memory: MemoryFacts, config: ArchiverConfig) -> bool:
    """Whether the store has used its share of the limit; a store without a limit is never under pressure."""
    return memory.limit_bytes > 0 and memory.used_bytes * 100 >= config.memory_percent * memory.limit_bytes


def choose_under_pressure(candidates: Iterable[Candidate], config: ArchiverConfig) -> tuple[FlowID, ...]:
    """The flows that go to make room: the oldest, whatever their age, one batch at most."""
    return _oldest(candidates, config.pressure_batch)


def choose_by_age(candidates: Iterable[Candidate], now: datetime, config: ArchiverConfig) -> tuple[FlowID, ...]:
    """The flows that have been deactivated for longer than the age allows, oldest first, one batch at most."""
    max_age = timedelta(seconds=config.max_age_seconds)
    if config.max_age_seconds <= 0:
        return _oldest(candidates, config.sweep_batch)
    return _oldest((each for each in candidates if now - each.deactivated_at > max_age), config.sweep_batch)


def follows_at_once(chosen_count: int, batch: int, elapsed_seconds: float, interval_seconds: float) -> bool:
    """Whether the next batch begins without waiting: this one was full, and the interval has time left."""
    return chosen_count >= batch and elapsed_seconds < interval_seconds


def _oldest(candidates: Iterable[Candidate], limit: int) -> tuple[FlowID, ...]:
    ordered = sorted(candidates, key=lambda each: (each.deactivated_at, each.flow_id))
    return tuple(each.flow_id for each in ordered[:limit])
