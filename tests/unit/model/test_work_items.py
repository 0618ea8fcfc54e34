# SPDX-License-Identifier: Apache-2.0
"""The map of work items: a dictionary in item order, of which a change leaves the map it came from alone."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argyll_engine.model.ids import Token
from argyll_engine.model.work_items import PIECE, WorkItems

SIZES = st.sampled_from((1, 2, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE))


@dataclass(frozen=True)
class Named:
    """An item."""

    name: str
    is_fresh: bool = True


def items_of(size: int) -> dict[Token, Named]:
    """That many items, each named by its place."""
    return {Token(f"t{place}"): Named(f"first {place}") for place in range(size)}


@given(SIZES, st.lists(st.integers(0, 3 * PIECE - 1), max_size=8))
def test_changes_are_those_of_a_dictionary(size: int, places: list[int]) -> None:
    """However often and wherever it changes, it equals a dictionary that changed alike, order included."""
    expected, items = items_of(size), WorkItems(items_of(size))
    for place in places:
        token = Token(f"t{place % size}")
        expected[token] = Named(expected[token].name + "'", not expected[token].is_fresh)
        items = items.with_item(token, expected[token])
    assert (expected, [*expected.items()], size) == (dict(items), [*items.items()], len(items))


@given(SIZES, st.integers(0, 3 * PIECE), st.lists(st.integers(0, 3 * PIECE - 1)))
def test_fresh_items_from_a_place_on(size: int, place: int, started: list[int]) -> None:
    """Those that no change has started, in their order; none behind the end."""
    items = WorkItems(items_of(size))
    for number in started:
        items = items.with_item(Token(f"t{number % size}"), Named("started", is_fresh=False))
    assert [(token, item) for token, item in [*items.items()][place:] if item.is_fresh] == [*items.fresh_items(place)]


def test_a_change_leaves_the_map_it_came_from_alone() -> None:
    """States that were handed out before stay what they were."""
    before = WorkItems(items_of(PIECE + 1))
    after = before.with_item(Token("t3"), Named("changed"))
    assert ("first 3", "changed") == (before[Token("t3")].name, after[Token("t3")].name)


def test_an_unknown_token() -> None:
    """It is not in the map, and nothing can be put there."""
    items = WorkItems(items_of(2))
    assert Token("t2") not in items
    with pytest.raises(KeyError):
        items.with_item(Token("t2"), Named("new"))
