# SPDX-License-Identifier: Apache-2.0
"""Plans of flow steps inside the plan (the contract, execution §1.5)."""

import pytest

from argyll_engine.errors import PlanError, StepNotFoundError
from argyll_engine.model.attribute import AttributeSpec, ConstConfig, MappingConfig
from argyll_engine.model.ids import StepID
from argyll_engine.model.plan import ExecutionPlan
from argyll_engine.plan.children import placeholder_init
from tests.definitions import a_flow_step, a_step, const, meta, optional, output, required
from tests.unit.plan.test_build import CHAIN, plan


def child(made: ExecutionPlan, step_id: str) -> ExecutionPlan:
    """The plan of a flow step in a plan."""
    return made.children[StepID(step_id)]


def test_child_plan_is_attached() -> None:
    """A planned flow step carries the plan of its goals; other plans have no children."""
    outer = a_flow_step("outer", ["b"], {"seed": required(), "result": output()})
    made = plan([*CHAIN, outer], ["outer"], {"seed": [1]})
    assert tuple(made.children) == ("outer",)
    assert child(made, "outer").goals == ("b",)
    assert tuple(child(made, "outer").steps) == ("a", "b")
    assert child(made, "outer").required == ()
    assert child(made, "outer").children == {}


def test_excluded_flow_step_has_no_child_plan() -> None:
    """A flow step that is not planned is not expanded, even if its goals are unknown."""
    outer = a_flow_step("outer", ["gone"], {"value": output()})
    made = plan([outer, CHAIN[1]], ["b"], {"value": [1]})
    assert (made.children, made.excluded.satisfied) == ({}, {"outer": ("value",)})


@pytest.mark.parametrize(
    ("attributes", "names"),
    [
        ({"x": required()}, ["x"]),
        ({"x": required(mapping=MappingConfig(name="inner"))}, ["inner"]),
        ({"x": const("1")}, ["x"]),
        ({"x": meta("flow_id")}, ["x"]),
        ({"x": optional(default="1")}, ["x"]),
        ({"x": optional(default="1", mapping=MappingConfig(name="inner"))}, ["inner"]),
        ({"x": optional()}, []),
        ({"x": optional(default="")}, []),
        ({"x": output()}, []),
    ],
)
def test_placeholders(attributes: dict[str, AttributeSpec], names: list[str]) -> None:
    """What a child can count on: required, const and meta inputs, and optional ones with a default."""
    assert placeholder_init(a_flow_step("f", ["g"], attributes)) == dict.fromkeys(names, (True,))


def test_placeholder_of_a_false_const() -> None:
    """The placeholder is true, whatever the value will be."""
    spec = AttributeSpec(role="const", const=ConstConfig(value="false"))
    assert placeholder_init(a_flow_step("f", ["g"], {"x": spec})) == {"x": (True,)}


def test_child_may_require_more() -> None:
    """A child plan keeps what it lacks in its own `required`; the parent's stays empty."""
    made = plan([*CHAIN, a_flow_step("bare", ["b"])], ["bare"])
    assert (made.required, child(made, "bare").required) == ((), ("value",))


def test_child_plan_uses_the_mode_of_its_parent() -> None:
    """A preview previews the children too."""
    made = plan([*CHAIN, a_flow_step("bare", ["b"])], ["bare"], preview=True)
    assert child(made, "bare").required == ("seed",)


def test_nested_children() -> None:
    """Plans nest with the flow steps."""
    steps = [*CHAIN, a_flow_step("mid", ["b"], {"seed": required()}), a_flow_step("top", ["mid"], {"seed": required()})]
    made = plan(steps, ["top"], {"seed": [1]})
    assert tuple(child(child(made, "top"), "mid").steps) == ("a", "b")


def test_two_steps_may_share_a_child() -> None:
    """A flow step that occurs twice, side by side, is no cycle."""
    steps = [a_step("leaf"), a_flow_step("mid", ["leaf"]), a_flow_step("l", ["mid"]), a_flow_step("r", ["mid"])]
    made = plan(steps, ["l", "r", "mid"])
    assert tuple(made.children) == ("l", "mid", "r")
    assert child(child(made, "l"), "mid") == child(child(made, "r"), "mid") == child(made, "mid")


def test_many_paths_to_the_same_children_are_planned_once() -> None:
    """Forty levels of two flow steps each, which have 2^40 paths through them, are planned at once."""
    steps = [a_step("leaf")]
    for level in range(40):
        below = ["leaf"] if not level else [f"l{level - 1}", f"r{level - 1}"]
        steps += [a_flow_step(f"l{level}", below), a_flow_step(f"r{level}", below)]
    made = plan(steps, ["l39"])
    for level in range(39, 0, -1):
        made = child(made, f"l{level}")
    assert child(made, "l0").goals == ("leaf",)


def test_unknown_child_goal_lists_the_goals_of_the_root() -> None:
    """A flow step with an unknown goal is refused with what was asked for."""
    with pytest.raises(StepNotFoundError) as caught:
        plan([a_flow_step("outer", ["gone"]), a_step("x")], ["x", "outer"])
    assert str(caught.value) == "step not found: [x outer]"


@pytest.mark.parametrize("goals", [["f"], ["x", "g"]])
def test_flow_step_inside_itself(goals: list[str]) -> None:
    """A flow step reached inside its own expansion is refused by name."""
    # The ring closes through an attribute, which the check at registration does not follow.
    steps = [
        a_step("x"),
        a_flow_step("f", ["g"], {"v": output()}),
        a_flow_step("g", ["h"]),
        a_step("h", {"v": optional()}),
    ]
    with pytest.raises(PlanError, match=f"^circular dependency detected: step {goals[-1]}$"):
        plan(steps, goals)


def test_deep_nesting_needs_no_deep_stack() -> None:
    """Flow steps nested deeper than the stack are planned whole."""
    steps = [a_flow_step(f"f{n}", [f"f{n + 1}"]) for n in range(2000)]
    made = plan([*steps, a_step("f2000")], ["f0"])
    for n in range(2000):
        made = child(made, f"f{n}")
    assert tuple(made.steps) == ("f2000",)
