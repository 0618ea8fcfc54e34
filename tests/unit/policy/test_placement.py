# SPDX-License-Identifier: Apache-2.0
"""Where flows are placed: stable, evenly, and hardly moved by a further shard."""

from collections import Counter

import pytest

from argyll_engine.model.ids import CANARY_PREFIX, FlowID, StepID, Token, child_flow_id
from argyll_engine.policy.placement import home_of, placement_key, places_of

FLOWS = [f"flow-{number}" for number in range(3_000)]
NAMES = ("a:6379/0", "b:6379/0", "c:6379/0")


def test_homes_are_the_same_for_ever() -> None:
    """A flow that was placed years ago must be found."""
    assert ["c:6379/0", "b:6379/0", "b:6379/0", "c:6379/0"] == [home_of(flow, NAMES) for flow in ("f", "g", "h", "i")]


def test_the_order_of_the_shards_is_nothing() -> None:
    """Whoever lists them otherwise means the same."""
    assert [home_of(flow, NAMES) for flow in FLOWS] == [home_of(flow, NAMES[::-1]) for flow in FLOWS]


def test_flows_are_spread_evenly() -> None:
    """Each shard has its share, within a few percent."""
    shares = Counter(home_of(flow, NAMES) for flow in FLOWS)
    assert [] == [name for name in NAMES if not 900 < shares[name] < 1_100]


def test_a_further_shard_takes_its_share_and_moves_nothing_else() -> None:
    """One flow in four has another home with a fourth shard, and that is the fourth."""
    before = {flow: home_of(flow, NAMES) for flow in FLOWS}
    after = {flow: home_of(flow, (*NAMES, "d:6379/0")) for flow in FLOWS}
    moved = [flow for flow in FLOWS if before[flow] != after[flow]]
    assert ({"d:6379/0"}, True) == ({after[flow] for flow in moved}, 650 < len(moved) < 850)


def test_children_are_placed_with_their_root() -> None:
    """At any depth; a canary, which has no root, is placed by its own id."""
    child = child_flow_id(FlowID("root"), StepID("s"), Token("t"))
    grandchild = child_flow_id(child, StepID("s"), Token("t"))
    assert ["root"] * 3 == [placement_key(flow_id) for flow_id in (FlowID("root"), child, grandchild)]
    assert f"{CANARY_PREFIX}1" == placement_key(FlowID(f"{CANARY_PREFIX}1"))


@pytest.mark.parametrize("layouts", [(), (NAMES,), (NAMES, NAMES[::-1])])
def test_without_another_layout_a_flow_can_be_at_home_only(layouts: tuple[tuple[str, ...], ...]) -> None:
    """Nobody need be asked then but one."""
    found = {places_of(flow, NAMES, {frozenset(layout) for layout in layouts}) for flow in FLOWS}
    assert {(0,), (1,), (2,)} == found


def test_after_a_shard_was_added_a_flow_may_be_where_its_home_was() -> None:
    """Its home comes first; a flow whose home did not move is there alone."""
    layouts = {frozenset(NAMES[:2]), frozenset(NAMES)}
    expected = set()
    for flow in FLOWS:
        home, former = NAMES.index(home_of(flow, NAMES)), NAMES.index(home_of(flow, NAMES[:2]))
        expected.add((home,) if home == former else (home, former))
        assert places_of(flow, NAMES, layouts) == ((home,) if home == former else (home, former))
    assert {(0,), (1,), (2, 0), (2, 1)} == expected


def test_where_a_shard_was_renamed_a_flow_may_be_anywhere() -> None:
    """What is known of the old name says nothing of the new one."""
    places = {places_of(flow, NAMES, {frozenset(("a:6379/0", "old:6379/0"))}) for flow in FLOWS}
    assert {(0, 1, 2), (1, 0, 2), (2, 0, 1)} == places
