# SPDX-License-Identifier: Apache-2.0
"""Flows of several shards as one event store: each is in one place, is found there, and waits for nobody else's."""

from collections.abc import Sequence

import pytest

from argyll_engine.errors import StoreUnavailableError
from argyll_engine.feed_port import FeedEnd, FeedPosition, LogRange, Reading
from argyll_engine.model.ids import FlowID, StepID, StreamID, Token, child_flow_id, flow_stream
from argyll_engine.ports import Commit, Committed, SequenceConflict, Snapshot
from argyll_engine.store.sharded.events import ShardFeed
from argyll_engine.store.sharded.shards import Shards
from tests.unit.store.sharded.world import World


def test_each_flow_is_on_its_home_alone() -> None:
    """And comes from there."""
    world = World("abc")
    for name in "abc":
        (flow_id,) = world.flows_of(name)
        assert Committed(next_sequence=1) == world.commit(flow_id)
        assert ([name], (b"new",)) == (world.having(flow_id), world.load(flow_id).events)


def test_children_are_with_their_root() -> None:
    """So that one commit, one worker and one queue serve the whole family."""
    world = World("abc")
    (root,) = world.flows_of("b")
    child = child_flow_id(root, StepID("s"), Token("t"))
    world.commit(child_flow_id(child, StepID("s"), Token("u")))
    assert ["b"] == world.having(child_flow_id(child, StepID("s"), Token("u")))


def test_the_answers_of_a_batch_are_in_its_order() -> None:
    """Whichever shards they come from."""
    world = World("abc")
    flows = [
        (name, flow_id) for number in range(3) for name in "bca" for flow_id in world.flows_of(name, 3)[number:][:1]
    ]
    for count, (name, flow_id) in enumerate(flows, 1):
        world.put(name, flow_id, count)
    commits = [Commit(stream_id=flow_stream(flow_id), expected_sequence=0, events=(b"x",)) for _, flow_id in flows]
    assert [*range(1, 10)] == [result.next_sequence for result in world.store.commit(commits)]


def test_without_a_further_shard_nobody_else_is_asked() -> None:
    """A start, a load and a commit are each one call of one shard."""
    world = World("ab", "ab")
    (flow_id,) = world.flows_of("b")
    world.commit(flow_id)
    world.load(flow_id)
    world.commit(flow_id, 1)
    assert [("b", "commit"), ("b", "load"), ("b", "commit")] == world.calls


def test_a_flow_stays_where_it_was_when_a_shard_is_added() -> None:
    """It is found, goes on there, and a start under its id meets it."""
    world = World("abc", "ab")
    flow_id = world.moved_flow("a", "ab")
    world.put("a", flow_id, 2)
    assert ((b"0", b"1"), (b"0", b"1")) == (world.load(flow_id).events, world.store.read_log(flow_stream(flow_id)))
    assert SequenceConflict(next_sequence=2, missed=(b"0", b"1")) == world.commit(flow_id)
    assert (Committed(next_sequence=3), ["a"]) == (world.commit(flow_id, 2), world.having(flow_id))


def test_a_flow_that_is_nowhere_begins_at_its_new_home() -> None:
    """Though it could have been elsewhere."""
    world = World("abc", "ab")
    flow_id = world.moved_flow("a", "ab")
    assert (0, Committed(next_sequence=1)) == (world.load(flow_id).next_sequence, world.commit(flow_id))
    assert ["c"] == world.having(flow_id)


def test_where_a_flow_was_found_is_remembered() -> None:
    """The second look and what follows go there at once."""
    world = World("abc", "ab")
    flow_id = world.moved_flow("a", "ab")
    world.put("a", flow_id)
    world.load(flow_id)
    before = len(world.calls)
    world.load(flow_id)
    world.commit(flow_id, 1)
    world.store.save_snapshot(flow_stream(flow_id), Snapshot(sequence=1, payload=b"{}"))
    assert ["a", "a", "a"] == world.asked(before)


def test_an_id_that_is_free_again_begins_at_its_new_home() -> None:
    """What a process remembers of an erased flow leads nobody astray."""
    world = World("abc", "ab")
    flow_id = world.moved_flow("a", "ab")
    world.put("a", flow_id)
    world.load(flow_id)
    del world.backends["a"].logs[flow_stream(flow_id)]
    assert (Committed(next_sequence=1), ["c"]) == (world.commit(flow_id), world.having(flow_id))
    assert 1 == world.load(flow_id).next_sequence


def test_children_that_begin_are_where_their_root_has_stayed() -> None:
    """Not where the root would be placed today."""
    world = World("abc", "ab")
    flow_id = world.moved_flow("a", "ab")
    world.put("a", flow_id)
    child = child_flow_id(flow_id, StepID("s"), Token("t"))
    world.commit(child)
    assert (["a"], (b"new",)) == (world.having(child), world.load(child).events)


def test_the_flows_of_a_shard_that_is_away_wait_and_the_others_go_on() -> None:
    """With the name of the shard, and without asking it each time."""
    world = World("ab", "ab")
    (here,), (away,) = world.flows_of("a"), world.flows_of("b")
    world.away.add("b")
    for _ in range(3):
        with pytest.raises(StoreUnavailableError, match="b"):
            world.commit(away)
    assert Committed(next_sequence=1) == world.commit(here)
    assert 1 == [*world.asked()].count("b")


def test_a_flow_that_may_be_on_a_shard_that_is_away_is_not_taken_for_unknown() -> None:
    """Nor started again elsewhere; the others are."""
    world = World("abc", "ab")
    doubtful = world.moved_flow("a", "ab")
    sure = next(flow_id for flow_id in world.flows_of("b", 100) if len(world.shards.places(flow_id)) == 1)
    world.away.add("a")
    for verb in (world.commit, world.load):
        with pytest.raises(StoreUnavailableError):
            verb(doubtful)
    assert ([], Committed(next_sequence=1)) == (world.having(doubtful), world.commit(sure))


def test_a_moved_flow_that_was_found_needs_no_other_shard() -> None:
    """Its home may be away."""
    world = World("abc", "ab")
    flow_id = world.moved_flow("a", "ab")
    world.put("a", flow_id)
    world.load(flow_id)
    world.away.add("c")
    assert 1 == world.load(flow_id).next_sequence


def test_layouts_are_asked_for_until_they_are_known() -> None:
    """An engine store that is away is asked again by the next."""
    answers = [StoreUnavailableError("engine", "away"), {frozenset("ab")}]

    def learn() -> set[frozenset[str]]:
        answer = answers.pop(0)
        if isinstance(answer, StoreUnavailableError):
            raise answer
        return answer

    world = World("ab")
    shards = Shards(world.members, learn)
    with pytest.raises(StoreUnavailableError):
        shards.places(FlowID("f"))
    assert [1, 1] == [len(shards.places(FlowID("f"))) for _ in range(2)]


class _SilentFeed:
    """That of a shard which hangs."""

    def __init__(self) -> None:
        self.calls = 0

    def end(self, streams: Sequence[StreamID]) -> FeedEnd:
        """Fails, and counts how often."""
        self.calls += 1
        raise StoreUnavailableError("b", "timed out")

    def read(self, after: FeedPosition, patience_ms: int) -> Reading:
        """There are no notes."""
        return Reading(notes=())

    def events(self, ranges: Sequence[LogRange]) -> Sequence[tuple[bytes, ...] | None]:
        """There are no events."""
        return [None for _ in ranges]


def test_who_subscribes_to_a_shard_that_hangs_is_told_at_once() -> None:
    """Once one has found out: else each would hold a thread that those of other shards need."""
    world, silent = World("ab"), _SilentFeed()
    world.away.add("b")
    feed = ShardFeed(world.shards, 1, silent)
    for _ in range(3):
        with pytest.raises(StoreUnavailableError):
            feed.end([])
    assert 1 == silent.calls
    world.away.clear()
