# SPDX-License-Identifier: Apache-2.0
"""Whether and when a work item is tried again. Source: the contract, execution §3.6; X19 for the clamp."""

from datetime import datetime, timedelta
from typing import Final

from argyll_engine.model.step import BackoffType, Step, WorkConfig, WorkDefaults

_LARGEST_EXPONENT: Final = 40  # 2**40 ms is 34 years: beyond any cap, and far from overflowing a float


def work_config(step: Step) -> WorkConfig:
    """The retry settings of a planned step; registration has filled in what it did not give."""
    return (step.work_config or WorkConfig()).filled(WorkDefaults())


def retry_delay_ms(config: WorkConfig, retry_count: int) -> int:
    """Milliseconds until the next attempt after `retry_count` retries (0 before the first), capped, no jitter."""
    base = config.init_backoff_ms
    match config.backoff_type:
        case BackoffType.LINEAR:
            delay = base * (retry_count + 1)
        case BackoffType.EXPONENTIAL:
            delay = base * 2 ** min(retry_count, _LARGEST_EXPONENT)
        case _:
            delay = base
    return min(delay, config.max_backoff_ms)


def next_retry_at(config: WorkConfig, retry_count: int, now: datetime) -> datetime | None:
    """When the item is due again; None when its retries are used up."""
    if 0 <= config.max_retries <= retry_count:
        return None
    return now + timedelta(milliseconds=retry_delay_ms(config, retry_count))
