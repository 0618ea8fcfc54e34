# SPDX-License-Identifier: Apache-2.0
"""Ale under arbitrary input: JSON passes through unchanged, and no text does more than fail."""

from hypothesis import given, settings
from hypothesis import strategies as st

from argyll_engine.scripting.ale import AleError, Limits, Meter, compile_script, evaluate, tagged
from argyll_engine.scripting.ale.json_values import from_json, to_json
from argyll_engine.scripting.ale.library import CORE
from argyll_engine.scripting.ale.printer import render

LIMITS = Limits(timeout_ms=2_000, memory_mb=256, max_steps=20_000)

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
ATOMS = st.sampled_from(
    ("0", "1", "-2", "2.5", "1/2", '"ab"', ":a", "x", "'x", "()", "[]", "{}", "#{1}", "#b[1]", "[1 2]", "'(1 2)",
     "{:a 1}", "(range 3)", "+", "nan", "(lambda (x) x)", "(cons 1 2)", "(delay 1)", "(range)", "true")
)  # fmt: skip
PROGRAMS = st.recursive(
    ATOMS,
    lambda inner: st.tuples(st.sampled_from(sorted(CORE)), st.lists(inner, max_size=4)).map(
        lambda parts: f"({parts[0]} {' '.join(parts[1])})"
    ),
    max_leaves=12,
)
TEXTS = st.text(alphabet=st.sampled_from("()[]{}\"'`,@#:.;/|\\ \n01ab-+e") | st.characters(), max_size=60)

IDENTITY = compile_script("x", ["x"])


@settings(deadline=None)
@given(JSON)
def test_json_passes_through_unchanged(value: object) -> None:
    """What comes in goes out, whatever it is."""
    assert value == to_json(Meter(LIMITS), IDENTITY(from_json(value)))


@settings(max_examples=300, deadline=None)
@given(PROGRAMS | TEXTS)
def test_a_text_is_a_value_or_an_error(source: str) -> None:
    """Nothing but the documented errors leaves the language."""
    try:
        value = evaluate(source, LIMITS)
    except AleError as error:
        assert "cannot be evaluated" not in error.reason
        return
    assert (tagged(value), render(value)) is not None


@settings(deadline=None)
@given(JSON)
def test_what_is_printed_is_read_back(value: object) -> None:
    """The readable text of JSON without odd keys is a form with the same value."""
    if _has_plain_keys(value):
        assert render(from_json(value)) == render(evaluate(render(from_json(value))))


def _has_plain_keys(value: object) -> bool:
    if isinstance(value, dict):
        return all(key.isidentifier() and _has_plain_keys(member) for key, member in value.items())
    return all(map(_has_plain_keys, value)) if isinstance(value, list) else True
