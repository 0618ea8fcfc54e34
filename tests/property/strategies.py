# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies for steps, catalogs, initial values and planning questions.

Few names, so that steps meet. Steps take low names and give higher ones, so that catalogs have no rings, as
registration demands. Gates are understood by `tests.definitions.match_text`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from hypothesis import strategies as st

from argyll_engine.model.attribute import AttributeSpec, Collect, ScriptConfig
from argyll_engine.model.ids import JSONValue, Name, StepID
from argyll_engine.model.plan import InitArgs
from argyll_engine.model.step import Step
from tests.definitions import a_step, const, equals, meta, optional, output, required

NAMES: Final = tuple(f"v{n}" for n in range(7))
PLAIN_COLLECTS: Final = (Collect.FIRST, Collect.LAST, Collect.SOME)
VALUES: Final = ("yes", "no", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a plan is asked for."""

    steps: tuple[Step, ...]
    goals: tuple[StepID, ...]
    init: InitArgs
    preview: bool


def matches() -> st.SearchStrategy[ScriptConfig | None]:
    """A gate, or none."""
    return st.sampled_from((None, None, equals("yes")))


@cache
def input_specs(
    collects: Sequence[Collect] = tuple(Collect), *, gated: bool = True
) -> st.SearchStrategy[AttributeSpec]:
    """A required or optional input."""
    collect = st.sampled_from(collects)
    demanded = st.builds(required, collect=collect, match=matches() if gated else st.none())
    return demanded | st.builds(optional, collect=collect)


@st.composite
def steps(draw: st.DrawFn, step_id: str, collects: Sequence[Collect], gated: bool) -> Step:
    """A step that takes names below a limit and gives names from it on; const and meta names are its own."""
    limit = draw(st.integers(0, len(NAMES)))
    taken = draw(
        st.dictionaries(st.sampled_from(NAMES[:limit]), input_specs(collects, gated=gated), max_size=3)
        if limit
        else st.just({})
    )
    given = draw(st.lists(st.sampled_from(NAMES[limit:]), max_size=2, unique=True) if NAMES[limit:] else st.just([]))
    own = draw(st.sampled_from(({}, {f"k-{step_id}": const("1")}, {f"m-{step_id}": meta("flow_id")})))
    return a_step(step_id, {**taken, **{name: output() for name in given}, **own})


@st.composite
def catalogs(draw: st.DrawFn, collects: Sequence[Collect] = tuple(Collect), gated: bool = True) -> tuple[Step, ...]:
    """The steps of a catalog, at least one."""
    size = draw(st.integers(1, 6))
    return tuple(draw(steps(f"s{n}", collects, gated)) for n in range(size))


def inits(names: Sequence[str] = NAMES) -> st.SearchStrategy[InitArgs]:
    """Initial values of some names; an empty list is among them."""
    candidates: st.SearchStrategy[tuple[JSONValue, ...]] = st.lists(st.sampled_from(VALUES), max_size=2).map(tuple)
    return st.dictionaries(st.sampled_from(names).map(Name), candidates, max_size=4)


@st.composite
def questions(draw: st.DrawFn, collects: Sequence[Collect] = tuple(Collect), gated: bool = True) -> Question:
    """A catalog, goals of it, initial values and a mode."""
    found = draw(catalogs(collects, gated))
    goals = draw(st.lists(st.sampled_from([step.id for step in found]), min_size=1, max_size=3))
    return Question(steps=found, goals=tuple(goals), init=draw(inits()), preview=draw(st.booleans()))
