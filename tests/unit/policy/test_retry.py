# SPDX-License-Identifier: Apache-2.0
"""How long a work item waits for its next attempt, and when there is none. Source: the contract, execution §3.6."""

from datetime import timedelta

import pytest

from argyll_engine.model.step import WorkConfig
from argyll_engine.policy.retry import next_retry_at, retry_delay_ms, work_config
from tests.definitions import a_step
from tests.fakes import START


def config(kind: str, base_ms: int = 1_000, most_ms: int = 10_000, retries: int = 5) -> WorkConfig:
    """Retry settings."""
    return WorkConfig(max_retries=retries, init_backoff_ms=base_ms, max_backoff_ms=most_ms, backoff_type=kind)


@pytest.mark.parametrize(
    ("kind", "delays"),
    [
        ("fixed", [1_000, 1_000, 1_000, 1_000, 1_000]),
        ("linear", [1_000, 2_000, 3_000, 4_000, 5_000]),
        ("exponential", [1_000, 2_000, 4_000, 8_000, 10_000]),
        ("whatever", [1_000, 1_000, 1_000, 1_000, 1_000]),
    ],
)
def test_delays(kind: str, delays: list[int]) -> None:
    """By the number of retries before, up to the cap; an unknown kind is fixed."""
    assert delays == [retry_delay_ms(config(kind), count) for count in range(5)]


@pytest.mark.parametrize("kind", ["linear", "exponential"])
@pytest.mark.parametrize("count", [53, 54, 63, 64, 1_000, 10**6, 10**12])
def test_x19_a_delay_never_overflows(kind: str, count: int) -> None:
    """However many retries there were, the next one waits for the cap."""
    assert 10_000 == retry_delay_ms(config(kind), count)


@pytest.mark.parametrize(("retries", "count", "is_last"), [(2, 1, False), (2, 2, True), (2, 3, True), (-1, 999, False)])
def test_the_number_of_retries(retries: int, count: int, is_last: bool) -> None:
    """As many as the settings say; a negative number is without limit."""
    due = next_retry_at(config("fixed", retries=retries), count, START)
    assert (None if is_last else START + timedelta(seconds=1)) == due


def test_settings_that_a_step_lacks() -> None:
    """Each member that is zero or empty is the default's."""
    filled = work_config(a_step(work_config=WorkConfig(init_backoff_ms=5, parallelism=2)))
    assert (10, 5, 60_000, "exponential", 2) == (
        filled.max_retries,
        filled.init_backoff_ms,
        filled.max_backoff_ms,
        filled.backoff_type,
        filled.parallelism,
    )
