# SPDX-License-Identifier: Apache-2.0
"""Which ended flows leave the live store, and when. Pure: what is known comes in, an answer comes out.

Nothing here asks Redis or a clock, and nothing is archived here. Source: the contract, ops §2.2.
"""

from datetime import datetime, timedelta
from typing import Final

from argyll_archiver.config import ArchiverConfig
from argyll_engine.model.vitals import MemoryUse

NEAR_POINTS: Final = 30
"""So many points below the threshold memory is near it."""
ROOM_POINTS: Final = 3
"""So many points below the threshold there is room again, for what arrives until somebody looks the next time."""


def is_under_pressure(use: MemoryUse, config: ArchiverConfig) -> bool:
    """Whether the store has used its share of the limit; a store without a limit is never under pressure."""
    return use.limit_bytes > 0 and use.used_bytes * 100 >= config.memory_percent * use.limit_bytes


def has_room(use: MemoryUse, config: ArchiverConfig) -> bool:
    """Whether a relief that has begun may end."""
    return use.used_bytes * 100 < (config.memory_percent - ROOM_POINTS) * use.limit_bytes


def is_near_pressure(use: MemoryUse, config: ArchiverConfig) -> bool:
    """Whether memory may be short before the next check comes: it is looked at more often then."""
    return use.limit_bytes > 0 and use.used_bytes * 100 >= (config.memory_percent - NEAR_POINTS) * use.limit_bytes


def old_enough_before(now: datetime, config: ArchiverConfig) -> datetime | None:
    """The time before which a flow must have been deactivated to be old enough; None where every flow is."""
    if config.max_age_seconds <= 0:
        return None
    return now - timedelta(seconds=config.max_age_seconds)


def follows_at_once(chosen_count: int, batch: int, elapsed_seconds: float, interval_seconds: float) -> bool:
    """Whether the next batch begins without waiting: this one was full, and the interval has time left."""
    return chosen_count >= batch and elapsed_seconds < interval_seconds
