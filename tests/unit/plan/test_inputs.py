# SPDX-License-Identifier: Apache-2.0
"""What keeps a plan from being started."""

from argyll_engine.model.ids import Name, StepID
from argyll_engine.model.plan import Excluded, ExecutionPlan
from argyll_engine.plan.inputs import blocked_goals, missing_inputs
from tests.definitions import a_step, output, required
from tests.unit.plan.test_build import plan


def test_missing_inputs_in_order() -> None:
    """Required names without a candidate are missing; empty lists and None are no candidates, null is one."""
    names = tuple(Name(name) for name in "abcde")
    needy = ExecutionPlan(goals=(StepID("g"),), required=names)
    init = {Name("a"): (1,), Name("b"): (), Name("c"): None, Name("d"): (None,)}
    assert missing_inputs(needy, init) == ("b", "c", "e")


def test_blocked_goals_in_the_order_of_goals() -> None:
    """Each blocked goal is named once, with its inputs, beside goals that could run."""
    steps = [
        a_step("z", {"flag": required(collect="none")}),
        a_step("a", {"flag": required(collect="none"), "mark": required(collect="none")}),
        a_step("fine"),
    ]
    made = plan(steps, ["z", "fine", "a", "z"], {"flag": [1], "mark": [1]})
    assert blocked_goals(made) == (("z", ("flag",)), ("a", ("flag", "mark")))
    assert tuple(made.steps) == ("fine",)


def test_blocked_provider_is_no_blocked_goal() -> None:
    """Steps that are blocked, but no goals, refuse nothing."""
    steps = [a_step("p", {"flag": required(collect="none"), "d": output()}), a_step("c", {"d": required()})]
    assert blocked_goals(plan(steps, ["c"], {"flag": [1], "d": [1]})) == ()
    blocked = Excluded(blocked={StepID("p"): (Name("flag"),)})
    assert blocked_goals(ExecutionPlan(goals=(StepID("c"),), excluded=blocked)) == ()
