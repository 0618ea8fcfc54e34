# SPDX-License-Identifier: Apache-2.0
"""Laws of planning that hold for every catalog, every goal and all initial values."""

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from argyll_engine.model.attribute import Collect, Role
from argyll_engine.model.ids import Name, StepID
from argyll_engine.model.plan import ExecutionPlan
from argyll_engine.model.step import Step
from argyll_engine.plan.build import build
from tests.definitions import a_catalog, match_text
from tests.property.strategies import PLAIN_COLLECTS, Question, questions


def plan(question: Question) -> ExecutionPlan:
    """The answer."""
    catalog = a_catalog(*question.steps)
    return build(catalog, question.goals, question.init, match_text, preview=question.preview)


def given_names(question: Question) -> set[Name]:
    """Names with at least one initial value."""
    return {name for name, values in question.init.items() if values}


def excluded_ids(made: ExecutionPlan) -> list[StepID]:
    """Ids that are excluded, once for each reason."""
    return [*made.excluded.satisfied, *made.excluded.blocked, *made.excluded.missing]


def input_names(steps: list[Step]) -> set[Name]:
    """Names that these steps read."""
    return {name for step in steps for name, _ in step.inputs()}


@given(questions(), st.randoms(use_true_random=False))
def test_order_of_registration_does_not_matter(question: Question, random: Random) -> None:
    """The same steps, registered in another order, give the same plan in the same order."""
    shuffled = list(question.steps)
    random.shuffle(shuffled)
    one, other = plan(question), plan(replace(question, steps=tuple(shuffled)))
    assert other == one
    assert list(other.steps) == list(one.steps)
    assert list(other.attributes) == list(one.attributes)
    assert excluded_ids(other) == excluded_ids(one)


@given(questions())
def test_order_of_goals_does_not_matter(question: Question) -> None:
    """Goals in reverse give the same plan, but for the goals themselves."""
    backwards = replace(question, goals=question.goals[::-1])
    assert replace(plan(backwards), goals=question.goals) == plan(question)


@given(questions())
def test_included_and_excluded_are_disjoint(question: Question) -> None:
    """No step is both planned and left out, or left out for two reasons; every reason names something."""
    made = plan(question)
    left_out = excluded_ids(made)
    assert len({*left_out, *made.steps}) == len(left_out) + len(made.steps)
    reasons = (made.excluded.satisfied, made.excluded.blocked, made.excluded.missing)
    assert all(names for reason in reasons for names in reason.values())


@given(questions())
def test_every_goal_is_accounted_for(question: Question) -> None:
    """A goal is planned, or covered by initial values, or blocked by one."""
    made = plan(question)
    assert {*question.goals} <= {*made.steps, *made.excluded.satisfied, *made.excluded.blocked}


@given(questions())
def test_only_what_is_needed_is_planned(question: Question) -> None:
    """A planned step is a goal, or provides an input of a planned step."""
    made = plan(question)
    by_id = {step.id: step for step in question.steps}
    asking = [by_id[step_id] for step_id in made.steps]
    needed = input_names(asking)
    assert all(step.id in question.goals or needed & {*step.outputs()} for step in made.steps.values())


@given(questions())
def test_required_names_are_required_inputs_that_nobody_gives(question: Question) -> None:
    """What is required has no initial value, is a required input, and blocks nobody by being absent."""
    made = plan(question)
    demanded = {
        name for step in question.steps for name, spec in step.required_inputs() if spec.collect is not Collect.NONE
    }
    assert {*made.required} <= demanded - given_names(question)


@given(questions(PLAIN_COLLECTS, gated=False))
def test_required_names_have_no_planned_provider(question: Question) -> None:
    """Where no input insists on all its providers, a required name is given by no planned step but goals.

    A goal is planned even when it cannot start yet; as a provider it does not count until it can.
    """
    made = plan(question)
    providers = [step for step in made.steps.values() if step.id not in question.goals]
    assert {*made.required}.isdisjoint(name for step in providers for name in step.outputs())


@given(questions(PLAIN_COLLECTS, gated=False))
def test_giving_what_is_required_is_enough(question: Question) -> None:
    """With every required name given, nothing is required any more."""
    supplement = dict.fromkeys(plan(question).required, ("yes",))
    assert plan(replace(question, init={**question.init, **supplement})).required == ()


@given(questions())
def test_providers_come_before_consumers(question: Question) -> None:
    """The order of steps is an order in which they could run."""
    made = plan(question)
    place = {step_id: n for n, step_id in enumerate(made.steps)}
    for edges in made.attributes.values():
        assert all(place[p] < place[c] for p in edges.providers for c in edges.consumers)


@given(questions())
def test_edges_say_what_the_steps_say(question: Question) -> None:
    """Provider edges are the outputs of planned steps; consumers have a provider or an initial value."""
    made = plan(question)
    provided = {(name, step.id) for step in made.steps.values() for name in step.outputs()}
    assert {(name, p) for name, edges in made.attributes.items() for p in edges.providers} == provided
    for name, edges in made.attributes.items():
        assert all(made.steps[c].attributes[name].is_input for c in edges.consumers)
        assert edges.providers or name in given_names(question)


@given(questions())
def test_a_start_plans_only_providers_that_can_run(question: Question) -> None:
    """In a start, every planned step but the goals can get its required inputs, by a sweep over the catalog."""
    made = plan(replace(question, preview=False))
    able = _able_by_sweeps(question)
    assert {*made.steps} - {*question.goals} <= able


def _able_by_sweeps(question: Question) -> set[StepID]:
    given = given_names(question)
    available, able = set(given), set[StepID]()
    for _ in question.steps:
        for step in question.steps:
            blocked = any(spec.collect is Collect.NONE and name in given for name, spec in step.inputs())
            if not blocked and {name for name, _ in step.required_inputs()} <= available:
                able.add(step.id)
                available |= {*step.outputs()}
    return able


@given(questions())
def test_const_and_meta_names_are_never_planned(question: Question) -> None:
    """Names that only stand for arguments appear nowhere in the plan."""
    made = plan(question)
    arguments = {
        name
        for step in question.steps
        for name, spec in step.attributes.items()
        if spec.role in (Role.CONST, Role.META)
    }
    assert arguments.isdisjoint({*made.attributes, *made.required})
