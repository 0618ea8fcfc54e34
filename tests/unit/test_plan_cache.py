# SPDX-License-Identifier: Apache-2.0
"""Plans that are kept: the same as those made anew, for as long as they are right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argyll_engine.errors import PlanError, StepNotFoundError
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.ids import Name, StepID
from argyll_engine.plan.build import build
from argyll_engine.plan_cache import PlanCache
from tests.definitions import a_catalog, a_step, equals, match_text, optional, output, required

CATALOG = a_catalog(
    a_step("a", {"seed": required(), "value": output()}),
    a_step("b", {"value": required(), "hint": optional(collect="none"), "result": output()}),
    a_step("gated", {"value": required(match=equals("yes")), "done": output()}),
)
GOALS = (StepID("b"),)


def init_of(**values):
    """Initial values, each a list of candidates or None."""
    return {Name(name): None if given is None else tuple(given) for name, given in values.items()}


def test_a_start_with_other_values_has_the_same_plan():
    """Values make no difference, and names that no step knows make none."""
    cache = PlanCache()
    first = cache.plan(CATALOG, GOALS, init_of(seed=[1]), match_text)
    assert first is cache.plan(CATALOG, GOALS, init_of(seed=[2, 3]), match_text)
    assert first is cache.plan(CATALOG, GOALS, init_of(seed=[{}], unheard_of=[1]), match_text)
    assert first is cache.plan(CATALOG, GOALS, init_of(seed=[1], value=[]), match_text)
    assert build(CATALOG, GOALS, init_of(seed=[1]), match_text) == first


@pytest.mark.parametrize(
    ("goals", "init"),
    [
        (("a",), {"seed": [1]}),
        (("b", "a"), {"seed": [1]}),
        (("b",), {"value": [1]}),
        (("b",), {}),
        (("b",), {"hint": [1]}),
    ],
)
def test_other_goals_and_names_have_other_plans(goals, init):
    """Each is what planning makes of it."""
    cache = PlanCache()
    cache.plan(CATALOG, GOALS, init_of(seed=[1]), match_text)
    asked = tuple(map(StepID, goals))
    assert build(CATALOG, asked, init_of(**init), match_text) == cache.plan(CATALOG, asked, init_of(**init), match_text)


def test_another_catalog_has_other_plans():
    """No plan outlives its catalog, and that of the old one comes back with it."""
    cache = PlanCache()
    changed = a_catalog(a_step("b", {"value": required(), "other": output()}))
    old = cache.plan(CATALOG, GOALS, init_of(value=[1]), match_text)
    new = cache.plan(changed, GOALS, init_of(value=[1]), match_text)
    assert ["result", "other"] == [plan.steps[StepID("b")].outputs()[0] for plan in (old, new)]
    assert old == cache.plan(CATALOG, GOALS, init_of(value=[1]), match_text)


def test_a_gate_is_asked_each_time():
    """What a gate says of the values decides the plan, so such a plan is never taken from before."""
    cache = PlanCache()
    goals = (StepID("gated"),)
    for value in ("no", "yes", "no"):
        init = init_of(value=[value], seed=[1])
        assert build(CATALOG, goals, init, match_text) == cache.plan(CATALOG, goals, init, match_text)


def test_a_gate_without_a_candidate_is_not_asked():
    """Without a value for it there is nothing to decide, and the plan is kept."""
    cache = PlanCache()
    goals = (StepID("gated"),)
    first = cache.plan(CATALOG, goals, init_of(seed=[1]), match_text)
    assert first is cache.plan(CATALOG, goals, init_of(seed=[2]), match_text)


def test_what_cannot_be_planned_raises_each_time():
    """Refusals are not kept."""
    cache = PlanCache()
    for _ in range(2):
        with pytest.raises(StepNotFoundError):
            cache.plan(CATALOG, (StepID("gone"),), {}, match_text)
        with pytest.raises(PlanError):
            cache.plan(CATALOG, (), {}, match_text)


def test_the_least_recently_used_plan_goes():
    """No more plans are kept than there is room for."""
    cache = PlanCache(capacity=2)
    asked = [(StepID("a"),), (StepID("b"),), (StepID("b"), StepID("a"))]
    first, second = (cache.plan(CATALOG, goals, init_of(seed=[1]), match_text) for goals in asked[:2])
    assert first is cache.plan(CATALOG, asked[0], init_of(seed=[1]), match_text)
    cache.plan(CATALOG, asked[2], init_of(seed=[1]), match_text)
    assert first is cache.plan(CATALOG, asked[0], init_of(seed=[1]), match_text)
    assert second is not cache.plan(CATALOG, asked[1], init_of(seed=[1]), match_text)


def test_large_plans_leave_room_for_few(monkeypatch):
    """The steps of all kept plans are counted, not only the plans."""
    monkeypatch.setattr("argyll_engine.plan_cache.MAX_PLANNED_STEPS", 3)
    cache = PlanCache()
    first = cache.plan(CATALOG, (StepID("b"),), init_of(seed=[1]), match_text)
    cache.plan(CATALOG, (StepID("b"), StepID("a")), init_of(seed=[1]), match_text)
    assert first is not cache.plan(CATALOG, (StepID("b"),), init_of(seed=[1]), match_text)


_NAMES = ["seed", "value", "hint", "result", "done", "unheard_of"]
_STARTS = st.tuples(
    st.lists(st.sampled_from(["a", "b", "gated"]), min_size=1, max_size=3).map(tuple),
    st.dictionaries(st.sampled_from(_NAMES), st.none() | st.lists(st.sampled_from(["yes", "no"]), max_size=2)),
)


@given(st.lists(_STARTS, max_size=12), st.booleans())
def test_it_never_makes_a_difference(starts, is_empty):
    """Whatever was planned before, the plan is the one that planning makes."""
    cache = PlanCache(capacity=3)
    for number, (goals, init) in enumerate(starts):
        catalog = (
            CatalogState(steps=CATALOG.steps, attributes=CATALOG.attributes) if is_empty and number % 2 else CATALOG
        )
        given = init_of(**init)
        assert build(catalog, goals, given, match_text) == cache.plan(catalog, goals, given, match_text)
