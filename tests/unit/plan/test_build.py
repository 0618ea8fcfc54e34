# SPDX-License-Identifier: Apache-2.0
"""What a plan holds, by the consequences that the contract lists (execution §1.1 and §1.3)."""

from typing import Any

import pytest

from argyll_engine.errors import PlanError, StepNotFoundError
from argyll_engine.model.ids import JSONValue, Name, StepID
from argyll_engine.model.plan import AttributeEdges, ExecutionPlan
from argyll_engine.model.step import Step
from argyll_engine.plan.build import build
from tests.definitions import a_catalog, a_step, const, match_text, meta, optional, output, required


def plan(
    steps: list[Step], goals: list[str], init: dict[str, list[JSONValue]] | None = None, *, preview: bool = False
) -> ExecutionPlan:
    """The plan of these goals over these steps."""
    given = {Name(name): tuple(values) for name, values in (init or {}).items()}
    return build(a_catalog(*steps), [StepID(goal) for goal in goals], given, match_text, preview=preview)


def edges(providers: str = "", consumers: str = "") -> AttributeEdges:
    """Edges from ids separated by spaces."""
    return AttributeEdges(
        providers=tuple(StepID(s) for s in providers.split()), consumers=tuple(StepID(s) for s in consumers.split())
    )


CHAIN = [
    a_step("a", {"seed": required(), "value": output()}),
    a_step("b", {"value": required(), "result": output()}),
]


# ---- errors ----------------------------------------------------------------------------------


def test_no_goals() -> None:
    """A plan needs a goal."""
    with pytest.raises(PlanError) as caught:
        plan(CHAIN, [])
    assert str(caught.value) == "at least one goal step is required"


def test_unknown_goal_lists_all_goals() -> None:
    """An unknown goal is refused with every goal that was asked for, in order."""
    with pytest.raises(StepNotFoundError) as caught:
        plan(CHAIN, ["gone", "a", "lost"])
    assert str(caught.value) == "step not found: [gone a lost]"


def test_attribute_ring_does_not_loop() -> None:
    """Steps that feed each other are planned once each and nothing hangs."""
    ring = [a_step("a", {"x": required(), "y": output()}), a_step("b", {"y": required(), "x": output()})]
    made = plan(ring, ["b"], preview=True)
    assert tuple(made.steps) == ("a", "b")


def test_ring_does_not_keep_the_rest_from_order() -> None:
    """Steps outside of a ring come in order; those of the ring follow by id."""
    ring = [
        a_step("m", {"x": required(), "y": output()}),
        a_step("n", {"y": required(), "x": output()}),
        a_step("z", {"w": output()}),
        a_step("a", {"w": required()}),
    ]
    assert tuple(plan(ring, ["n", "a"], preview=True).steps) == ("z", "a", "m", "n")


# ---- which providers -------------------------------------------------------------------------


def test_goals_as_requested() -> None:
    """Goals keep their order and repetitions."""
    assert plan(CHAIN, ["b", "a", "b"], {"seed": [1]}).goals == ("b", "a", "b")


def test_all_satisfiable_providers_are_planned() -> None:
    """Every provider that can run is planned, not just one."""
    steps = [
        a_step("p1", {"pid": required(), "info": output()}),
        a_step("p2", {"info": output()}),
        a_step("c", {"info": required()}),
    ]
    made = plan(steps, ["c"], {"pid": [1]})
    assert tuple(made.steps) == ("p1", "p2", "c")
    assert made.excluded.missing == {}


@pytest.mark.parametrize("preview", [False, True])
def test_unsatisfiable_alternative_is_excluded_as_missing(preview: bool) -> None:
    """A provider that cannot run is left out with the inputs it lacks, where another one can run."""
    steps = [
        a_step("p1", {"pid": required(), "other": required(), "info": output()}),
        a_step("p2", {"info": output()}),
        a_step("c", {"info": required()}),
    ]
    made = plan(steps, ["c"], {"other": [1]}, preview=preview)
    assert tuple(made.steps) == ("p2", "c")
    assert made.excluded.missing == {"p1": ("pid",)}
    assert made.required == ()


@pytest.mark.parametrize(
    ("collect", "expected"),
    [
        ("", ("c",)),
        ("first", ("c",)),
        ("last", ("p", "c")),
        ("some", ("p", "c")),
        ("all", ("p", "c")),
    ],
)
def test_init_prunes_providers_of_first_only(collect: str, expected: tuple[str, ...]) -> None:
    """Only an input that takes the first value makes do with the initial one."""
    steps = [a_step("p", {"d": output()}), a_step("c", {"d": required(collect=collect)})]
    made = plan(steps, ["c"], {"d": [1]})
    assert tuple(made.steps) == expected
    assert made.required == ()


@pytest.mark.parametrize("preview", [False, True])
def test_all_with_a_provider_that_cannot_run(preview: bool) -> None:
    """Input `all` with a partial selection has no provider, and nothing is marked."""
    steps = [
        a_step("p1", {"d": output()}),
        a_step("p2", {"z": required(), "d": output()}),
        a_step("c", {"d": required(collect="all")}),
    ]
    made = plan(steps, ["c"], preview=preview)
    assert (tuple(made.steps), made.required, made.excluded.missing) == (("c",), ("d",), {})
    assert tuple(plan(steps, ["c"], {"z": [1]}, preview=preview).steps) == ("p1", "p2", "c")


def test_all_without_any_able_provider() -> None:
    """Where no provider can run, a start asks for the name and a preview shows the chains."""
    steps = [a_step("p", {"z": required(), "d": output()}), a_step("c", {"d": required(collect="all")})]
    assert plan(steps, ["c"]).required == ("d",)
    assert plan(steps, ["c"], preview=True).required == ("z",)


def test_all_and_first_of_the_same_name() -> None:
    """A name that one consumer may not take from its providers may still be taken by another."""
    steps = [
        a_step("p1", {"d": output()}),
        a_step("p2", {"z": required(), "d": output()}),
        a_step("c", {"d": required(collect="all")}),
        a_step("e", {"d": required()}),
    ]
    made = plan(steps, ["c", "e"])
    assert (tuple(made.steps), made.required) == (("p1", "c", "e"), ("d",))
    assert made.excluded.missing == {"p2": ("z",)}


# ---- satisfied -------------------------------------------------------------------------------


def test_covered_provider_is_reported_only_if_reached() -> None:
    """A provider whose outputs are all given is excluded as satisfied; strangers never appear."""
    steps = [*CHAIN, a_step("stranger", {"seed": output()}), a_step("far", {"q": output()})]
    made = plan(steps, ["b"], {"value": [1], "q": [1]})
    assert tuple(made.steps) == ("b",)
    assert made.excluded.satisfied == {"a": ("value",)}


def test_provider_with_another_output_is_not_reported() -> None:
    """A provider that is pruned but not covered is not mentioned at all."""
    steps = [a_step("p", {"d": output(), "more": output()}), a_step("c", {"d": required()})]
    made = plan(steps, ["c"], {"d": [1]})
    assert (tuple(made.steps), made.excluded.satisfied, made.excluded.missing) == (("c",), {}, {})


@pytest.mark.parametrize(("values", "given"), [([], False), ([None], True), ([1, 2], True)])
def test_what_counts_as_given(values: list[JSONValue], given: bool) -> None:
    """An empty list is nothing, a list with null is a value."""
    made = plan(CHAIN, ["b"], {"value": values})
    assert made.required == (() if given else ("value",))


def test_none_instead_of_candidates_counts_as_not_given() -> None:
    """A name with None in place of a list is not given."""
    made = build(a_catalog(*CHAIN), [StepID("b")], {Name("value"): None}, match_text)
    assert made.required == ("value",)


def test_satisfied_goal_is_left_out() -> None:
    """A goal whose outputs are all given is not planned; one without outputs always is."""
    steps = [a_step("a", {"o": output()}), a_step("b")]
    made = plan(steps, ["a", "b"], {"o": [1]})
    assert tuple(made.steps) == ("b",)
    assert made.excluded.satisfied == {"a": ("o",)}


def test_x1_satisfied_goal_asks_for_nothing() -> None:
    """Neither the providers nor the missing inputs of a goal that will not run are planned for."""
    steps = [a_step("p", {"d": output()}), a_step("g", {"d": required(collect="last"), "x": required(), "r": output()})]
    made = plan(steps, ["g"], {"r": [1]})
    assert (tuple(made.steps), made.required) == ((), ())
    assert made.excluded.satisfied == {"g": ("r",)}


@pytest.mark.parametrize("goals", [["a", "b"], ["b", "a"]])
def test_satisfied_goal_that_another_goal_needs(goals: list[str]) -> None:
    """A goal that init covers runs if another goal collects its values, in whatever order they are named."""
    steps = [a_step("a", {"o": output()}), a_step("b", {"o": required(collect="some")})]
    made = plan(steps, goals, {"o": [1]})
    assert tuple(made.steps) == ("a", "b")
    assert made.excluded.satisfied == {}


@pytest.mark.parametrize("goals", [["c1", "c2"], ["c2", "c1"]])
def test_pruning_for_one_consumer_does_not_hide_from_another(goals: list[str]) -> None:
    """A provider that one consumer can do without is planned for the other one that collects."""
    steps = [
        a_step("p", {"d": output()}),
        a_step("c1", {"d": required()}),
        a_step("c2", {"d": required(collect="some")}),
    ]
    assert tuple(plan(steps, goals, {"d": [1]}).steps) == ("p", "c1", "c2")


@pytest.mark.parametrize("goals", [["c", "p1"], ["p1", "c"]])
def test_x37_goal_that_is_a_rejected_provider(goals: list[str]) -> None:
    """A goal is planned as a goal even where another goal rejects it as a provider."""
    steps = [
        a_step("p1", {"pid": required(), "info": output()}),
        a_step("p2", {"info": output()}),
        a_step("c", {"info": required()}),
    ]
    made = plan(steps, goals)
    assert sorted(made.steps) == ["c", "p1", "p2"]
    assert made.required == ("pid",)
    assert made.excluded.missing == {}


# ---- blocked, none ---------------------------------------------------------------------------


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("flag", [required(collect="none"), optional(collect="none")])
def test_init_value_blocks_none(flag: Any, preview: bool) -> None:
    """A value for an input that must stay empty blocks the step, required or optional."""
    steps = [a_step("s", {"flag": flag, "x": required()})]
    made = plan(steps, ["s"], {"flag": [1]}, preview=preview)
    assert (made.steps, made.required) == ({}, ())
    assert made.excluded.blocked == {"s": ("flag",)}


def test_unblocked_none() -> None:
    """An input that must stay empty asks for nothing."""
    made = plan([a_step("s", {"flag": required(collect="none")})], ["s"])
    assert (tuple(made.steps), made.required) == (("s",), ())


def test_blocked_step_is_no_provider_at_start() -> None:
    """A start asks for the attribute of a blocked provider."""
    steps = [a_step("p", {"flag": required(collect="none"), "d": output()}), a_step("c", {"d": required()})]
    made = plan(steps, ["c"], {"flag": [1]})
    assert (tuple(made.steps), made.required) == (("c",), ("d",))
    assert made.excluded.blocked == {"p": ("flag",)}


def test_blocked_step_in_a_preview() -> None:
    """A preview follows the blocked provider and shows why it will not run."""
    steps = [a_step("p", {"flag": required(collect="none"), "d": output()}), a_step("c", {"d": required()})]
    made = plan(steps, ["c"], {"flag": [1]}, preview=True)
    assert (tuple(made.steps), made.required) == (("c",), ())
    assert made.excluded.blocked == {"p": ("flag",)}


def test_none_without_producer_is_no_provider() -> None:
    """A step with a required `none` that nobody produces is never chosen as provider, but can be a goal."""
    steps = [a_step("p", {"flag": required(collect="none"), "d": output()}), a_step("c", {"d": required()})]
    made = plan(steps, ["c"])
    assert (tuple(made.steps), made.required) == (("c",), ("d",))
    assert made.excluded.missing == {"p": ("flag",)}
    assert tuple(plan(steps, ["p"]).steps) == ("p",)


def test_none_brings_its_producer() -> None:
    """The producers of an input that must stay empty are planned: only then is it known to be empty."""
    steps = [a_step("p", {"flag": output()}), a_step("s", {"flag": required(collect="none")})]
    assert tuple(plan(steps, ["s"]).steps) == ("p", "s")


# ---- required, strict and preview ------------------------------------------------------------


def test_start_asks_for_the_nearest_name() -> None:
    """A start requires the attribute whose only providers cannot run."""
    made = plan(CHAIN, ["b"])
    assert (tuple(made.steps), made.required) == (("b",), ("value",))
    assert made.excluded.missing == {"a": ("seed",)}


def test_preview_asks_for_the_root_name() -> None:
    """A preview shows the chain and requires its beginning."""
    made = plan(CHAIN, ["b"], preview=True)
    assert (tuple(made.steps), made.required) == (("a", "b"), ("seed",))
    assert made.excluded.missing == {}


def test_required_is_sorted_and_without_repetition() -> None:
    """A name that two steps lack is required once; names are in order."""
    steps = [a_step("a", {"y": required(), "x": required()}), a_step("b", {"x": required()})]
    assert plan(steps, ["b", "a"]).required == ("x", "y")


def test_optional_inputs_pull_in_providers_and_require_nothing() -> None:
    """Providers of optional inputs are planned if they can run; the inputs themselves are never required."""
    steps = [
        a_step("p", {"d": output()}),
        a_step("q", {"seed": required(), "e": output()}),
        a_step("c", {"d": optional(), "e": optional(), "g": optional()}),
    ]
    made = plan(steps, ["c"])
    assert (tuple(made.steps), made.required) == (("p", "c"), ())
    assert made.excluded.missing == {"q": ("seed",)}


def test_const_and_meta_take_no_part() -> None:
    """Const and meta names are neither required nor provided."""
    steps = [
        a_step("c", {"k": const('"v"'), "m": meta("flow_id")}),
        a_step("p", {"k": output(), "m": output()}),
    ]
    made = plan(steps, ["c"])
    assert (tuple(made.steps), made.required, made.attributes) == (("c",), (), {})


# ---- attributes, order, copies ---------------------------------------------------------------


def test_edges_of_supplied_names() -> None:
    """Outputs of planned steps are there, inputs where init or a planned step supplies them."""
    made = plan(CHAIN, ["b"], {"seed": [1]})
    assert made.attributes == {
        "seed": edges(consumers="a"),
        "value": edges("a", "b"),
        "result": edges("b"),
    }
    assert list(made.attributes) == ["result", "seed", "value"]


def test_a_name_that_nobody_supplies_has_no_edge() -> None:
    """The absence of a name says that nobody can supply it."""
    steps = [a_step("s", {"x": optional(), "o": output()})]
    assert plan(steps, ["s"]).attributes == {"o": edges("s")}


def test_excluded_providers_have_no_edge() -> None:
    """Only planned steps provide."""
    steps = [*CHAIN, a_step("also", {"value": output(), "lack": required()})]
    assert plan(steps, ["b"], {"seed": [1]}).attributes[Name("value")] == edges("a", "b")


def test_edges_are_sorted() -> None:
    """Providers and consumers are in order of ids."""
    steps = [a_step(step_id, {"d": output()}) for step_id in "zxy"]
    steps += [a_step(step_id, {"d": required()}) for step_id in "cab"]
    assert plan(steps, ["c", "a", "b"]).attributes == {"d": edges("x y z", "a b c")}


def test_providers_come_first_and_ties_by_id() -> None:
    """Steps are in plan order."""
    steps = [
        a_step("a-last", {"x": required(), "y": required()}),
        a_step("m", {"x": output()}),
        a_step("c", {"x": required(), "y": output()}),
        a_step("b"),
    ]
    assert tuple(plan(steps, ["a-last", "b"]).steps) == ("b", "m", "c", "a-last")


def test_steps_are_the_stored_definitions() -> None:
    """The plan holds the steps of the catalog as they are."""
    assert plan(CHAIN, ["b"], {"value": [1]}).steps[StepID("b")] is CHAIN[1]


def test_long_chain_needs_no_deep_stack() -> None:
    """A chain longer than the stack is planned whole, in both modes."""
    steps = [a_step(f"s{n:04}", {f"v{n}": required(), f"v{n + 1}": output()}) for n in range(3000)]
    strict = plan(steps, ["s2999"], {"v0": [1]})
    assert list(strict.steps) == [step.id for step in steps]
    assert plan(steps, ["s2999"], preview=True).required == ("v0",)
