# SPDX-License-Identifier: Apache-2.0
"""Starting a flow, and starting it again."""

import pytest

from argyll_engine.errors import FlowExistsError
from argyll_engine.model.attribute import MappingConfig
from argyll_engine.model.events import FlowStarted, StepStarted
from argyll_engine.model.flow import FlowStatus, StepStatus
from tests.definitions import a_script_step, a_step, const, optional, output, required
from tests.fakes import token_of
from tests.scenario import FLOW, given, plan_of, start, to_run


def test_a_start_runs_the_first_step():
    """One commit records the start, the step and its work item, and asks for the invocation."""
    step = a_script_step("a", {"x": required(), "y": output()})
    init = {"x": (1,)}

    flow = given([step], ["a"], init)

    flow.then(
        FlowStarted(flow_id=FLOW, plan=plan_of([step], ["a"], init), init=init),
        StepStarted(flow_id=FLOW, step_id="a", inputs={"x": 1}, work_items={token_of("a"): {}}),
    )
    assert (to_run("a", step_type="script"),) == flow.effects


def test_independent_steps_start_together():
    """Every ready step starts in the commit of the start, in plan order."""
    flow = given([a_step("b"), a_step("a")], ["b", "a"])

    flow.then_named("FlowStarted", "StepStarted a", "StepStarted b")
    assert (to_run("a"), to_run("b")) == flow.effects


def test_a_step_waits_for_its_input():
    """A consumer stays pending until its provider has delivered."""
    flow = given([a_step("a", {"x": output()}), a_step("b", {"x": required()})], ["b"])

    flow.then_named("FlowStarted", "StepStarted a")
    assert StepStatus.PENDING == flow.state.executions["b"].status


@pytest.mark.parametrize(
    ("init", "inputs"),
    [
        ({}, {"k": "v", "d": 7}),  # the default of an optional, nothing for one without
        ({"d": (1,)}, {"k": "v", "d": 1}),
        ({"o": (None,)}, {"k": "v", "d": 7, "o": None}),  # null is a value
        ({"o": (2, 3)}, {"k": "v", "d": 7, "o": 2}),  # the first of several
        ({"k": ("other",)}, {"k": "v", "d": 7}),  # a const cannot be overridden
    ],
)
def test_optional_and_const_inputs(init, inputs):
    """Optional inputs fall back to their default or stay away; const inputs are what they are."""
    step = a_step("a", {"k": const('"v"'), "d": optional(default="7"), "o": optional()})

    flow = given([step], ["a"], init)

    assert inputs == flow.state.executions["a"].inputs


def test_inputs_by_inner_name():
    """The step sees the inner name of a renamed input."""
    step = a_step("a", {"x": required(mapping=MappingConfig(name="inner"))})

    flow = given([step], ["a"], {"x": (1,)})

    assert {"inner": 1} == flow.state.executions["a"].inputs


def test_x1_an_empty_plan_completes_at_once():
    """Goals that the initial values satisfy leave nothing to run."""
    flow = given([a_step("a", {"x": output()})], ["a"], {"x": (1,)})

    flow.then_named("FlowStarted", "FlowCompleted", "FlowDeactivated")
    assert FlowStatus.COMPLETED == flow.state.status


def test_the_same_start_again_changes_nothing():
    """Goals and initial values are compared, plan and labels are not."""
    steps = [a_step("a", {"x": required()})]
    flow = given(steps, ["a"], {"x": (1, {"n": 1.0})})

    changed = [a_step("a", {"x": required(), "y": output()})]
    again = start(plan_of(changed, ["a"], {"x": (1,)}), {"x": (1.0, {"n": 1})}, labels={"team": "red"})

    flow.when(again).then()


def test_the_same_start_of_an_ended_flow_changes_nothing():
    """A repeat does not run a finished flow again."""
    flow = given([a_step("a", {"x": output()})], ["a"], {"x": (1,)})

    flow.when(start(plan_of([a_step("a", {"x": output()})], ["a"], {"x": (1,)}), {"x": (1,)})).then()


@pytest.mark.parametrize(
    ("goals", "init"),
    [
        (["a"], {"x": (2,)}),
        (["a"], {"x": (1, 1)}),
        (["a"], {"x": (True,)}),  # a boolean is no number
        (["a"], {"x": (1,), "y": None}),  # null is not the same as absent
        (["a", "a"], {"x": (1,)}),
        (["b"], {"x": (1,)}),
    ],
)
def test_a_different_start_is_refused(goals, init):
    """Another goal or another initial value under the same id is a conflict."""
    steps = [a_step("a", {"x": required()}), a_step("b")]
    flow = given(steps, ["a"], {"x": (1,)})

    with pytest.raises(FlowExistsError, match="flow exists with different plan or init: f"):
        flow.when(start(plan_of(steps, goals, init), init))
