# SPDX-License-Identifier: Apache-2.0
"""Predicates, gates, collection policies and unneeded steps."""

import pytest

from argyll_engine.model.attribute import MappingConfig
from argyll_engine.model.flow import FlowStatus, SkipReason, StepStatus
from tests.definitions import a_step, equals, lua, optional, output, required
from tests.scenario import complete, fail, given


def test_a_false_predicate_skips_the_step():
    """The step is skipped with the inputs it would have had, and a skipped goal settles the flow (X7)."""
    flow = given([a_step("a", {"x": required()}, predicate=lua("false"))], ["a"], {"x": (1,)})

    flow.then_named("FlowStarted", "StepSkipped a", "FlowCompleted", "FlowDeactivated")
    skipped = flow.state.executions["a"]
    assert (SkipReason.PREDICATE_FALSE, {"x": 1}) == (skipped.error, skipped.inputs)


def test_a_true_predicate_lets_the_step_start():
    """The predicate sees the inputs."""
    flow = given([a_step("a", {"x": required()}, predicate=lua("yes"))], ["a"], {"x": ("yes",)})

    flow.then_named("FlowStarted", "StepStarted a")


def test_an_empty_predicate_is_none():
    """An empty text counts as absent."""
    given([a_step("a", predicate=lua(""))], ["a"]).then_named("FlowStarted", "StepStarted a")


def test_a_failing_predicate_fails_the_step():
    """The error names the predicate and the cause."""
    flow = given([a_step("a", predicate=lua("raise boom"))], ["a"])

    flow.then_named("FlowStarted", "StepFailed a", "FlowFailed", "FlowDeactivated")
    assert "predicate evaluation failed\nboom" == flow.state.executions["a"].error


def test_a_skipped_provider_fails_its_consumer():
    """What a predicate skipped will not provide."""
    steps = [a_step("a", {"x": output()}, predicate=lua("false")), a_step("b", {"x": required()})]

    flow = given(steps, ["b"])

    flow.then_named("FlowStarted", "StepSkipped a", "StepFailed b", "FlowFailed", "FlowDeactivated")


def test_a_skipped_provider_leaves_an_optional_input_to_its_default():
    """Nothing more can come, so the default is taken at once."""
    steps = [a_step("a", {"x": output()}, predicate=lua("false")), a_step("b", {"x": optional(default="3")})]

    flow = given(steps, ["b"])

    assert {"x": 3} == flow.state.executions["b"].inputs


def test_a_gate_that_matches():
    """The step waits for its gate and then runs with the value that matched."""
    steps = [a_step("a", {"kind": output()}), a_step("b", {"kind": required(match=equals("post"))})]

    flow = given(steps, ["b"]).when(complete("a", {"kind": "post"}))

    assert {"kind": "post"} == flow.state.executions["b"].inputs


def test_a_gate_that_does_not_match_prunes_the_step():
    """The step is skipped with the names of its closed gates; a flow whose goals are all pruned fails."""
    steps = [a_step("a", {"kind": output()}), a_step("b", {"kind": required(match=equals("post")), "x": optional()})]

    flow = given(steps, ["b"], {"x": (1,)}).when(complete("a", {"kind": "mail"}))

    flow.then_named(
        "WorkSucceeded a", "AttributeSet a", "StepCompleted a", "StepSkipped b", "FlowFailed", "FlowDeactivated"
    )
    skipped = flow.state.executions["b"]
    assert (SkipReason.MATCH_FAILED, ("kind",), {"x": 1}) == (skipped.error, skipped.unsatisfied, skipped.inputs)
    assert "flow failed" == flow.state.error


def test_a_pruned_goal_beside_another_goal_is_settled():
    """One goal is left: the flow completes with it."""
    steps = [a_step("b", {"kind": required(match=equals("post"))}), a_step("c")]

    flow = given(steps, ["b", "c"], {"kind": ("mail",)}).when(complete("c"))

    assert FlowStatus.COMPLETED == flow.state.status


def test_a_pruned_step_needs_no_providers():
    """Once the gate is closed, pending work for the step is skipped."""
    steps = [
        a_step("kind", {"kind": output()}),
        a_step("first", {"p": output()}),
        a_step("second", {"p": required(), "q": output()}),
        a_step("goal", {"kind": required(match=equals("post")), "q": required()}),
        a_step("other"),
    ]

    flow = given(steps, ["goal", "other"]).when(complete("kind", {"kind": "mail"}))

    statuses = {step_id: ex.status for step_id, ex in flow.state.executions.items()}
    assert StepStatus.SKIPPED == statuses["second"]
    assert SkipReason.OUTPUTS_UNNEEDED == flow.state.executions["second"].error
    flow.when(complete("first", {"p": 1}), complete("other"))
    assert FlowStatus.COMPLETED == flow.state.status


def test_a_failing_gate_fails_the_step():
    """The error names the gate and the cause (X26)."""
    flow = given([a_step("a", {"kind": required(match=lua("raise boom"))})], ["a"], {"kind": (1,)})

    flow.then_named("FlowStarted", "StepFailed a", "FlowFailed", "FlowDeactivated")
    assert "match evaluation failed\nboom" == flow.state.executions["a"].error


def test_a_sibling_that_comes_too_late_is_skipped():
    """With `first`, a provider that did not start before the value was there is not needed."""
    steps = [
        a_step("fast", {"x": output()}),
        a_step("before", {"b": output()}),
        a_step("slow", {"b": required(), "x": output()}),
        a_step("goal", {"x": required()}),
    ]

    flow = given(steps, ["goal"]).when(complete("fast", {"x": 1}))

    flow.then_named(
        "WorkSucceeded fast",
        "AttributeSet fast",
        "StepCompleted fast",
        "StepSkipped slow",
        "StepStarted goal",
    )


@pytest.mark.parametrize(
    ("collect", "first", "second", "inputs"),
    [
        ("first", {"x": 1}, {"x": 2}, {"x": 1}),
        ("last", {"x": 1}, {"x": 2}, {"x": 2}),
        ("some", {"x": 1}, {"x": 2}, {"x": [1, 2]}),
        ("some", {}, {"x": 2}, {"x": [2]}),  # one value is a list, too
        ("all", {"x": 1}, {"x": 2}, {"x": [1, 2]}),
        ("none", {}, {}, {}),
    ],
)
def test_collection_policies(collect, first, second, inputs):
    """What a consumer of two providers gets."""
    steps = [
        a_step("a", {"x": output()}),
        a_step("b", {"x": output()}),
        a_step("c", {"x": required(collect=collect), "y": output()}),
    ]

    flow = given(steps, ["c", "a", "b"]).when(complete("a", first), complete("b", second))

    assert (StepStatus.ACTIVE, inputs) == (flow.state.executions["c"].status, flow.state.executions["c"].inputs)


@pytest.mark.parametrize(
    ("collect", "outcome"),
    [
        ("all", complete("a", {})),  # silent (X5)
        ("all", fail("a")),
        ("none", complete("a", {"x": 1})),  # a value is there (X6)
    ],
)
def test_dead_inputs(collect, outcome):
    """An input that can no longer be fulfilled fails its step at once."""
    steps = [a_step("a", {"x": output()}), a_step("b", {"x": output()}), a_step("c", {"x": required(collect=collect)})]

    flow = given(steps, ["c"]).when(outcome)

    assert StepStatus.FAILED == flow.state.executions["c"].status
    assert FlowStatus.FAILED == flow.state.status


def test_none_is_met_when_every_provider_failed():
    """A failed provider brings nothing, which is what `none` waits for (X6)."""
    steps = [a_step("a", {"x": output()}), a_step("b", {"x": required(collect="none")})]

    flow = given(steps, ["b"]).when(fail("a"))

    assert StepStatus.ACTIVE == flow.state.executions["b"].status


def test_input_mapping_scripts():
    """A mapping that finds nothing or fails leaves the value as it is."""
    mapped = {
        "hit": required(mapping=MappingConfig(script=lua("n"))),
        "miss": required(mapping=MappingConfig(script=lua("m"))),
        "boom": required(mapping=MappingConfig(script=lua("raise x"))),
    }

    flow = given([a_step("a", mapped)], ["a"], {"hit": ({"n": 1},), "miss": ({"n": 1},), "boom": (3,)})

    assert {"hit": 1, "miss": {"n": 1}, "boom": 3} == flow.state.executions["a"].inputs
