# SPDX-License-Identifier: Apache-2.0
"""Faults between steps: rules 34 and 35 (the contract, http §2.3)."""

from collections.abc import Callable

import pytest

from argyll_engine.model.attribute import AttributeSpec
from argyll_engine.policy.graph import (
    find_type_conflict,
    has_attribute_cycle,
    has_flow_cycle,
)
from tests.definitions import a_catalog, a_flow_step, a_step, const, meta, optional, output, required

# ---- rule 34 ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec",
    [
        required("string"),
        required(),
        required("any"),
        optional("string"),
        const('"x"', "string"),
        meta("flow_id", "string"),
        output("string"),
    ],
)
@pytest.mark.parametrize("known", [required("number"), output("number"), const("1", "number")])
def test_type_conflict(spec: AttributeSpec, known: AttributeSpec) -> None:
    """A name has one type text in the whole catalog, in every role; no type is one of its own."""
    catalog = a_catalog(a_step("a", {"v": known}))
    assert find_type_conflict(catalog, a_step("b", {"v": spec})) == "v"


@pytest.mark.parametrize("spec", [required("number"), optional("number"), const("1", "number"), output("number")])
def test_no_type_conflict(spec: AttributeSpec) -> None:
    """The same type text is fine in every role, and other names do not matter."""
    catalog = a_catalog(a_step("a", {"v": output("number")}), a_step("c", {"w": const("1", "string")}))
    assert find_type_conflict(catalog, a_step("b", {"v": spec, "new": required("string")})) is None


def test_first_conflict_by_name() -> None:
    """The first name in order is reported."""
    catalog = a_catalog(a_step("a", {"v": required("number"), "u": required("number")}))
    assert find_type_conflict(catalog, a_step("b", {"v": required(), "u": required()})) == "u"


@pytest.mark.parametrize("spec", [required("number"), const("1", "number")])
def test_own_older_types_do_not_conflict(spec: AttributeSpec) -> None:
    """A step may change the type of a name that only it has."""
    catalog = a_catalog(a_step("a", {"v": spec}))
    assert find_type_conflict(catalog, a_step("a", {"v": required("string")})) is None
    shared = a_catalog(a_step("a", {"v": spec}), a_step("b", {"v": spec}))
    assert find_type_conflict(shared, a_step("a", {"v": required("string")})) == "v"


# ---- rule 35 ---------------------------------------------------------------------------------


@pytest.mark.parametrize("build", [required, optional])
def test_attribute_ring(build: Callable[[], AttributeSpec]) -> None:
    """Steps that feed each other are a cycle, through required and optional inputs."""
    catalog = a_catalog(a_step("a", {"x": build(), "y": output()}), a_step("b", {"y": build(), "z": output()}))
    assert has_attribute_cycle(catalog, a_step("c", {"z": build(), "x": output()}))
    assert not has_attribute_cycle(catalog, a_step("c", {"z": build(), "w": output()}))
    assert not has_attribute_cycle(catalog, a_step("c", {"x": output()}))


def test_const_makes_no_ring() -> None:
    """A const of the same name reads nothing."""
    catalog = a_catalog(a_step("a", {"x": const("1"), "y": output()}))
    assert not has_attribute_cycle(catalog, a_step("b", {"y": required(), "x": output()}))


def test_old_edges_of_an_update_do_not_count() -> None:
    """What the step read and gave before makes no cycle; what it reads and gives now does."""
    catalog = a_catalog(a_step("a", {"x": required(), "y": output()}), a_step("b", {"y": required(), "z": output()}))
    assert not has_attribute_cycle(catalog, a_step("a", {"z": required(), "w": output()}))
    assert not has_attribute_cycle(catalog, a_step("a", {"y": required(), "x": output()}))
    assert has_attribute_cycle(catalog, a_step("a", {"z": required(), "y": output()}))


def test_flow_ring() -> None:
    """Flow steps that contain each other are a cycle, as is one that contains itself."""
    catalog = a_catalog(a_flow_step("a", ["b"]), a_flow_step("b", ["x", "c"]))
    assert has_flow_cycle(catalog, a_flow_step("c", ["a"]))
    assert has_flow_cycle(catalog, a_flow_step("d", ["d"]))
    assert not has_flow_cycle(catalog, a_flow_step("d", ["a", "gone"]))
    assert not has_flow_cycle(catalog, a_step("c"))


def test_old_goals_of_an_update_do_not_count() -> None:
    """An update may break a ring that its old goals would have closed."""
    catalog = a_catalog(a_flow_step("a", ["b"]), a_flow_step("b", ["c"]))
    assert not has_flow_cycle(catalog, a_flow_step("a", ["c"]))
    assert has_flow_cycle(catalog, a_flow_step("b", ["a"]))


def test_long_chains_need_no_deep_stack() -> None:
    """Rings longer than the stack are found."""
    links = [a_step(f"s{n}", {f"v{n}": required(), f"v{n + 1}": output()}) for n in range(3000)]
    assert has_attribute_cycle(a_catalog(*links), a_step("last", {"v3000": required(), "v0": output()}))
    nested = [a_flow_step(f"f{n}", [f"f{n + 1}"]) for n in range(3000)]
    assert has_flow_cycle(a_catalog(*nested), a_flow_step("f3000", ["f0"]))
