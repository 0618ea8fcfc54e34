# SPDX-License-Identifier: Apache-2.0
"""Edges of the attribute graph."""

from argyll_engine.evolve.edges import add_edges, remove_edges
from argyll_engine.model.ids import Name
from argyll_engine.model.plan import AttributeEdges
from tests.definitions import a_step, const, meta, optional, output, required
from tests.unit.plan.test_build import edges

NOTHING = AttributeEdges()
ALL_ROLES = {"x": required(), "y": optional(), "k": const("1"), "m": meta("flow_id"), "o": output()}


def unused(name: Name) -> bool:
    """No other step has the attribute."""
    return False


def test_edges_of_each_role() -> None:
    """Outputs provide, inputs consume, const and meta names have an entry with two empty sides."""
    graph: dict[Name, AttributeEdges] = {}
    add_edges(graph, a_step("s", ALL_ROLES))
    expected = {"x": edges(consumers="s"), "y": edges(consumers="s"), "k": NOTHING, "m": NOTHING, "o": edges("s")}
    assert graph == expected


def test_ids_are_sorted_and_entered_once() -> None:
    """Whatever the order of entering, sides are in order and without repetition."""
    graph: dict[Name, AttributeEdges] = {}
    for step_id in ("b", "c", "a", "b"):
        add_edges(graph, a_step(step_id, {"d": output()}))
    assert graph == {"d": edges("a b c")}


def test_removing_leaves_the_edges_of_others() -> None:
    """Taking a step out leaves the others in."""
    graph: dict[Name, AttributeEdges] = {}
    add_edges(graph, a_step("a", {"d": output(), "e": output()}))
    add_edges(graph, a_step("b", {"d": required()}))
    remove_edges(graph, a_step("a", {"d": output(), "e": output()}), unused)
    assert graph == {"d": edges(consumers="b")}


def test_removing_everything_leaves_nothing() -> None:
    """Entries of names that nobody has any more go."""
    graph: dict[Name, AttributeEdges] = {}
    step = a_step("s", ALL_ROLES)
    add_edges(graph, step)
    remove_edges(graph, step, unused)
    assert graph == {}


def test_names_that_are_const_elsewhere_stay() -> None:
    """An entry with two empty sides stays while another step has the name."""
    graph: dict[Name, AttributeEdges] = {}
    add_edges(graph, a_step("s", {"k": required(), "x": required()}))
    remove_edges(graph, a_step("s", {"k": required(), "x": required()}), lambda name: name == "k")
    assert graph == {"k": NOTHING}
