# SPDX-License-Identifier: Apache-2.0
"""Starts, previews, queries and problems from JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argyll_api.schemas.flow import StartShape, _plain_start, load_start
from argyll_api.schemas.plan import PlanRequest, load_plan
from argyll_api.schemas.query import load_query
from argyll_api.schemas.webhook import load_outputs, load_problem, refused_as
from argyll_engine.errors import InvalidJSONError, InvalidRequestError
from argyll_engine.model.listing import FlowQuery
from argyll_engine.model.start import Start


def test_a_start():
    """Id sanitised, lists as tuples, init and labels by name."""
    raw = {"id": "A!", "goals": ["g"], "init": {"x": [1], "y": 2, "z": None}, "labels": {"k": "v", "n": None}}
    assert load_start(raw) == Start(
        flow_id="a", goals=("g",), init={"x": (1,), "y": (2,), "z": None}, labels={"k": "v", "n": ""}
    )


def test_a_plan():
    """Goals and init, and nothing of the rest is read."""
    assert load_plan({"goals": ["g", "g"], "id": 5}) == PlanRequest(goals=("g", "g"), init={})


def test_a_start_within_its_limits_is_no_copy_of_the_request():
    """What the engine gets cannot be changed by whoever holds the body."""
    raw = {"id": "f", "goals": ["g"], "init": {"x": [1]}, "labels": {}}
    start = load_start(raw)
    raw["init"]["x"].append(2)
    raw["goals"].append("h")
    assert (start.init["x"], start.goals) == ((1,), ("g",))


@pytest.mark.parametrize("raw", [{}, {"cursor": ""}, {"sort": None, "limit": 0}, {"sort": "recent_asc"}])
def test_the_empty_query(raw):
    """Empty members do not filter."""
    assert load_query(raw) == FlowQuery()


def test_outputs_are_taken_as_they_are():
    """An object or null."""
    assert [load_outputs(raw) for raw in ({"A": [1]}, {}, None)] == [{"A": [1]}, {}, None]


@pytest.mark.parametrize(
    "raw,text",
    [
        ({"detail": "d", "title": "t"}, "d"),
        ({"title": "t", "status": 404}, "t"),
        ({"status": 404}, "Not Found"),
        ({}, ""),
    ],
)
def test_the_text_of_a_problem(raw, text):
    """Detail before title before the phrase of the status."""
    assert load_problem(raw) == text


def test_refusals_can_be_reworded():
    """Only those of the shape of a body."""
    with pytest.raises(InvalidRequestError, match=r"^No\.$"), refused_as("No."):
        raise InvalidJSONError("whatever", "where")


_VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3), st.lists, max_leaves=4)
_MEMBERS = {
    "id": st.text(max_size=5) | _VALUES,
    "goals": st.lists(st.text(max_size=3) | st.none(), max_size=3) | _VALUES,
    "init": st.dictionaries(st.text(max_size=3), _VALUES, max_size=3) | _VALUES,
    "labels": st.dictionaries(st.text(max_size=3), st.text(max_size=3) | st.none(), max_size=3) | _VALUES,
    "ID": st.just("other"),
    "unknown": _VALUES,
}


@given(st.fixed_dictionaries({}, optional=_MEMBERS))
def test_a_plain_start_is_what_the_shape_makes_of_it(raw):
    """The short way gives the same start as the long one, or none."""
    found = _plain_start(raw)
    assert found is None or found == StartShape().load(raw)


def test_what_is_plain():
    """Well spelled and typed; nulls, other spellings and unknown members take the long way."""
    plain = {"id": "a", "goals": ["g"], "init": {"x": 1}, "labels": {"k": "v"}}
    assert _plain_start(plain) is not None
    assert _plain_start({"id": "a", "goals": []}) is not None
    for more in (
        {"labels": {"k": None}},
        {"labels": None},
        {"goals": [None]},
        {"Id": "b"},
        {"metadata": {}},
        {"id": 1},
    ):
        assert _plain_start(plain | more) is None
