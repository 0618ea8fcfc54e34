# SPDX-License-Identifier: Apache-2.0
"""Among which shards flows were placed: what is known, and what is assumed where nothing is."""

import pytest
from redis import Redis

from argyll_engine.errors import StoreUnavailableError
from argyll_engine.policy.placement import Layout
from argyll_engine.store.layouts import RedisLayouts

AB, ABC = frozenset("ab"), frozenset("abc")


@pytest.fixture
def layouts(client: Redis) -> RedisLayouts:
    """On an empty engine store."""
    return RedisLayouts(client, "test:engine")


def _nobody() -> tuple[str, ...]:
    raise AssertionError("nobody had to be asked")


def test_new_shards_have_one_layout(layouts: RedisLayouts) -> None:
    """Where none has a flow yet, there was nothing before."""
    assert {AB} == layouts.join(AB, lambda: ())
    assert {AB} == layouts.join(AB, _nobody)


def test_a_further_shard_leaves_the_layout_before(layouts: RedisLayouts) -> None:
    """Whoever knows one of them is told of both."""
    layouts.join(AB, lambda: ())
    assert [{AB, ABC}, {AB, ABC}] == [layouts.join(ABC, _nobody), layouts.join(AB, _nobody)]


def test_a_shard_with_flows_once_had_all_if_nothing_is_known(layouts: RedisLayouts) -> None:
    """So it is when the second shard is added to the first."""
    expected: set[Layout] = {AB, frozenset("a")}
    assert [expected, expected] == [layouts.join(AB, lambda: ("a",)), layouts.join(AB, _nobody)]


def test_whoever_is_faster_is_believed(layouts: RedisLayouts) -> None:
    """Flows that came after another process had noted the layout are no sign of an earlier one."""

    def another_process() -> tuple[str, ...]:
        layouts.join(AB, lambda: ())
        return ("a", "b")

    assert {AB} == layouts.join(AB, another_process)


def test_nothing_is_noted_while_a_shard_cannot_be_asked(layouts: RedisLayouts) -> None:
    """It may have flows."""

    def away() -> tuple[str, ...]:
        raise StoreUnavailableError("flow-2", "away")

    with pytest.raises(StoreUnavailableError):
        layouts.join(AB, away)
    assert {AB, frozenset("b")} == layouts.join(AB, lambda: ("b",))
