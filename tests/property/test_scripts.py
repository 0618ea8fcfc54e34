# SPDX-License-Identifier: Apache-2.0
"""JSON through each script language: unchanged, but for what Lua's doubles and tables cannot carry.

Source: the contract, scripts §1.4, §1.5, §3.3 and §3.4.
"""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.model.ids import Name
from argyll_engine.scripting import ScriptRegistry

NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=25,
)
X = Name("x")
SCRIPTS = ScriptRegistry(timeout_ms=10_000, memory_mb=256)

MAX_EXACT, MAX_WHOLE = 2**53, 1e21


@settings(deadline=None)
@given(JSON)
def test_through_ale(value: Any) -> None:
    """Members of an object leave Ale as they came, and floats without a fraction as integers."""
    outputs = SCRIPTS.run(ScriptConfig(language="ale", script="{:out x}"), (X,), {X: value})
    assert text({"out": whole(value)}) == text(outputs)


@settings(deadline=None)
@given(JSON)
def test_through_jpath(value: Any) -> None:
    """A query that selects the document gives the document, digit for digit."""
    for query, document in (("$", value), ("$[0]", [value]), ("$.a", {"a": value}), ("$[*]", {"b": value})):
        found, selected = SCRIPTS.map_input(jpath(query), (X,), X, document)
        assert found and text(value) == text(selected)


@settings(deadline=None)
@given(JSON)
def test_through_lua(value: Any) -> None:
    """What is lost is what the page of Lua lists: empty arrays, nulls in containers, integers beyond 2^53."""
    outputs = SCRIPTS.run(ScriptConfig(language="lua", script="return {out = x}"), (X,), {X: value})
    kept = through_lua(value)
    assert text({} if kept is None else {"out": kept}) == text(outputs)


def jpath(script: str) -> ScriptConfig:
    """A script of jpath."""
    return ScriptConfig(language="jpath", script=script)


def text(value: Any) -> str:
    """JSON that tells 1, 1.0 and true apart."""
    return json.dumps(value, sort_keys=True)


def whole(value: Any) -> Any:
    """The value with integers in place of floats without a fraction."""
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_WHOLE:
        return int(value)
    if isinstance(value, list):
        return [whole(element) for element in value]
    return {key: whole(member) for key, member in value.items()} if isinstance(value, dict) else value


def through_lua(value: Any) -> Any:
    """What Lua makes of a value."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_EXACT:
        return whole(float(value))
    if isinstance(value, list):
        elements = {place: through_lua(element) for place, element in enumerate(value, 1) if element is not None}
        if elements and list(elements) == list(range(1, len(elements) + 1)):
            return list(elements.values())
        return {str(place): element for place, element in elements.items()}
    if isinstance(value, dict):
        return {key: through_lua(member) for key, member in value.items() if member is not None}
    return whole(value)
