# SPDX-License-Identifier: Apache-2.0
"""A batch of starts is divided by shards: what is wrong with one is the answer to its own flows only."""

from collections.abc import Sequence

import pytest

from argyll_engine.errors import ArgyllError, BrokenError, FlowExistsError, StoreFullError, StoreUnavailableError
from argyll_engine.model.ids import FlowID
from argyll_engine.model.start import Start
from argyll_engine.store.sharded.shards import Shards
from argyll_engine.store.sharded.starts import ShardedStarts
from tests.unit.store.sharded.world import World


def _start(flow_id: FlowID) -> Start:
    return Start(flow_id=flow_id, goals=(), init={}, labels={})


def _room() -> None:
    """There is some."""


def _full() -> None:
    raise StoreFullError(99, 100)


def _mixed(world: World) -> list[FlowID]:
    """Flows of all shards in turn."""
    return [flow_id for group in zip(*(world.flows_of(name, 3) for name in "abc"), strict=True) for flow_id in group]


def test_answers_are_in_the_order_of_the_starts() -> None:
    """And those of one shard are asked for together."""
    world, batches = World("abc"), []

    def start(starts: Sequence[Start]) -> list[ArgyllError | None]:
        batches.append({world.shards.home(each.flow_id) for each in starts})
        return [FlowExistsError(each.flow_id) for each in starts]

    flow_ids = _mixed(world)
    answers = ShardedStarts(world.shards, [_room] * 3).start([_start(flow_id) for flow_id in flow_ids], start)
    assert [str(FlowExistsError(flow_id)) for flow_id in flow_ids] == [str(answer) for answer in answers]
    assert [[0], [1], [2]] == sorted(map(list, batches))


def test_a_shard_that_is_away_or_full_refuses_its_own() -> None:
    """The others are started."""
    world, started = World("abc"), []

    def start(starts: Sequence[Start]) -> list[ArgyllError | None]:
        if world.shards.home(starts[0].flow_id) == 0:
            raise StoreUnavailableError("flow-1", "away")
        started.extend(each.flow_id for each in starts)
        return [None] * len(starts)

    flow_ids = _mixed(world)
    starts = ShardedStarts(world.shards, [_room, _full, _room])
    answers = starts.start([_start(flow_id) for flow_id in flow_ids], start)
    assert [StoreUnavailableError, StoreFullError, type(None)] * 3 == [type(answer) for answer in answers]
    assert world.flows_of("c", 3) == started


def test_what_nobody_foresaw_on_one_shard_is_the_answer_to_its_own() -> None:
    """The others are started, and are told so."""
    world = World("abc")

    def start(starts: Sequence[Start]) -> list[ArgyllError | None]:
        if world.shards.home(starts[0].flow_id) == 1:
            raise KeyError("a defect")
        return [None] * len(starts)

    flow_ids = _mixed(world)
    answers = ShardedStarts(world.shards, [_room] * 3).start([_start(flow_id) for flow_id in flow_ids], start)
    assert [type(None), BrokenError, type(None)] * 3 == [type(answer) for answer in answers]


def test_what_nobody_foresaw_of_all_starts_is_raised() -> None:
    """As where there is one shard."""

    def start(starts: Sequence[Start]) -> list[ArgyllError | None]:
        raise KeyError("a defect")

    world = World("ab")
    with pytest.raises(KeyError):
        ShardedStarts(world.shards, [_room] * 2).start([_start(FlowID("f"))], start)


def test_nothing_to_start_is_no_fault() -> None:
    """There is no answer then."""
    world = World("ab")
    assert [] == ShardedStarts(world.shards, [_room] * 2).start([], lambda starts: [None] * len(starts))


def test_flows_that_may_be_elsewhere_are_started_apart() -> None:
    """Whether they can be started rests on another shard, which may be away."""
    world, batches = World("abc", "ab"), []

    def start(starts: Sequence[Start]) -> list[ArgyllError | None]:
        batches.append({world.shards.places(each.flow_id) for each in starts})
        return [None] * len(starts)

    ShardedStarts(world.shards, [_room] * 3).start([_start(flow_id) for flow_id in world.flows_of("c", 20)], start)
    assert [{(2, 0)}, {(2, 1)}] == sorted(batches, key=str)


def test_starts_that_cannot_be_placed_fail_together() -> None:
    """While the engine store is away, which knows the layouts."""
    world = World("ab")

    def learn() -> set[frozenset[str]]:
        raise StoreUnavailableError("engine", "away")

    with pytest.raises(StoreUnavailableError, match="engine"):
        ShardedStarts(Shards(world.members, learn), [_room] * 2).start([_start(FlowID("f"))], lambda starts: [None])
