# SPDX-License-Identifier: Apache-2.0
"""Predicates, gates, collection policies and unneeded steps."""

import pytest

from argyll_engine.model.attribute import MappingConfig
from argyll_engine.model.flow import FlowStatus, SkipReason, StepStatus
from tests.definitions import a_step, equals, lua, optional, output, required
from tests.scenario import complete, fail, given


def test_a_false_predicate_skips_the_step():
    """The step is skipped with the inputs it would have had, and a skipped goal settles the flow."""
    flow = given([a_step("a", {"x": required()}, predicate=lua("false"))], ["a"], {"x": (1,)})

    flow.then_named("FlowStarted", "StepSkipped a", "FlowCompleted", "FlowDeactivated")
    skipped = flow.state.executions["a"]
    assert (SkipReason.PREDICATE_FALSE, {"x": 1}) == (skipped.error, skipped.inputs)


def test_x7_a_goal_skipped_by_its_predicate_waits_for_the_other_goals():
    """It is settled, whatever still runs: the flow completes with the outputs of the others."""
    steps = [a_step("a", predicate=lua("false")), a_step("b", {"x": output()})]

    flow = given(steps, ["a", "b"])
    flow.then_named("FlowStarted", "StepSkipped a", "StepStarted b")

    flow.when(complete("b", {"x": 1})).then_named(
        "WorkSucceeded b", "AttributeSet b", "StepCompleted b", "FlowCompleted", "FlowDeactivated"
    )


@pytest.mark.parametrize(
    ("predicate", "names"),
    [
        ("false", ["StepSkipped b", "FlowCompleted", "FlowDeactivated"]),
        ("raise boom", ["StepFailed b", "FlowFailed", "FlowDeactivated"]),
    ],
)
def test_x8_a_flow_ends_once(predicate, names):
    """A predicate that settles the last goal within another step's completion leads to one terminal event."""
    steps = [a_step("a", {"x": output()}), a_step("b", {"x": required()}, predicate=lua(predicate))]

    flow = given(steps, ["b"]).when(complete("a", {"x": 1}))

    flow.then_named("WorkSucceeded a", "AttributeSet a", "StepCompleted a", *names)


def test_x9_what_a_skip_has_settled_is_not_started():
    """A start whose first step is skipped fails that step's consumer and starts nothing after the flow has ended."""
    steps = [
        a_step("a", {"x": output()}, predicate=lua("false")),
        a_step("b", {"x": required()}),
        a_step("c", {"x": optional(default="1")}),
        a_step("d"),
    ]

    flow = given(steps, ["b", "c", "d"])

    flow.then_named("FlowStarted", "StepSkipped a", "StepFailed b", "FlowFailed", "FlowDeactivated")
    assert {StepStatus.PENDING} == {flow.state.executions[step_id].status for step_id in "cd"}
    assert () == flow.effects


def test_x9_a_skip_readies_what_is_ready_already():
    """A step that a skip makes ready in the commit of the start is started once."""
    steps = [a_step("a", {"x": output()}, predicate=lua("false")), a_step("b", {"x": optional()}), a_step("c")]

    given(steps, ["b", "c"]).then_named("FlowStarted", "StepSkipped a", "StepStarted b", "StepStarted c")


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


def test_x26_a_failing_gate_fails_the_step():
    """The error names the gate and the cause."""
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


def two_providers(collect):
    """A goal `c` that collects what `a` and `b` give."""
    return [a_step("a", {"x": output()}), a_step("b", {"x": output()}), a_step("c", {"x": required(collect=collect)})]


@pytest.mark.parametrize("outcome", [complete("a", {}), fail("a")])
@pytest.mark.parametrize("earlier", [[], [complete("b", {"x": 2})]])
def test_x5_all_dies_with_a_provider_that_gives_nothing(earlier, outcome):
    """A silent or failed provider ends it at once, whatever another one has given."""
    flow = given(two_providers("all"), ["c"]).when(*earlier, outcome)

    assert (StepStatus.FAILED, ("x",)) == (flow.state.executions["c"].status, flow.state.executions["c"].unsatisfied)
    assert FlowStatus.FAILED == flow.state.status


def test_x5_all_dies_with_a_provider_that_is_skipped():
    """A predicate of a provider said no."""
    steps = [a_step("a", {"x": output()}, predicate=lua("false")), *two_providers("all")[1:]]

    assert FlowStatus.FAILED == given(steps, ["c"]).state.status


def test_x6_none_dies_with_a_value():
    """What must stay empty is not."""
    flow = given(two_providers("none"), ["c"]).when(complete("a", {"x": 1}))

    assert (StepStatus.FAILED, FlowStatus.FAILED) == (flow.state.executions["c"].status, flow.state.status)


def test_x6_none_is_met_when_every_provider_was_skipped():
    """A skipped provider brings nothing either."""
    steps = [a_step("a", {"x": output()}, predicate=lua("false")), a_step("b", {"x": required(collect="none")})]

    assert StepStatus.ACTIVE == given(steps, ["b"]).state.executions["b"].status


def test_x6_none_without_a_provider_is_met():
    """And does not count as a goal that cannot complete when another step ends."""
    steps = [a_step("a", {"x": required(collect="none")}), a_step("b")]

    flow = given(steps, ["a", "b"]).when(complete("b"))

    assert (StepStatus.ACTIVE, FlowStatus.ACTIVE) == (flow.state.executions["a"].status, flow.state.status)


def test_x32_a_gate_that_opens_before_an_input_that_cannot_come():
    """The step is not left pending: it fails as unreachable, then the flow does."""
    steps = [a_step("k", {"kind": output()}), a_step("g", {"kind": required(match=equals("post")), "q": required()})]

    flow = given(steps, ["g"]).when(complete("k", {"kind": "post"}))

    flow.then_named(
        "WorkSucceeded k", "AttributeSet k", "StepCompleted k", "StepFailed g", "FlowFailed", "FlowDeactivated"
    )
    failed = flow.state.executions["g"]
    assert ("required input no longer available", ("q",)) == (failed.error, failed.unsatisfied)


def test_x6_none_is_met_when_every_provider_failed():
    """A failed provider brings nothing, which is what `none` waits for."""
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
