# SPDX-License-Identifier: Apache-2.0
"""What results of scripts mean, on the real Lua. Source: the contract, scripts §1.6."""

import pytest

from argyll_engine.errors import ScriptCompileError, ScriptRunError
from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.scripting import ScriptRegistry

SCRIPTS = ScriptRegistry(timeout_ms=1_000, memory_mb=16)


def lua(text: str) -> ScriptConfig:
    """A Lua script."""
    return ScriptConfig(language="lua", script=text)


@pytest.mark.parametrize(
    ("text", "outputs"),
    [
        ("return {a = 1, b = {2}}", {"a": 1, "b": [2]}),
        ("return {}", {}),
        ("return 5", {"result": 5}),
        ("return nil", {"result": None}),
        ("local z = 1", {"result": None}),
        ("return {1, 2}", {"result": [1, 2]}),
        ("return {1, a = 2}", {"1": 1, "a": 2}),
    ],
)
def test_outputs_of_a_script_step(text: str, outputs: dict[str, object]) -> None:
    """An object is the outputs, anything else is the output `result`."""
    assert outputs == SCRIPTS.run(lua(text), (), {})


def test_an_empty_text() -> None:
    """Nothing is no script."""
    with pytest.raises(ScriptCompileError, match=r"^script is empty$"):
        SCRIPTS.check(lua(""), ())


@pytest.mark.parametrize(
    ("text", "mapped"),
    [
        ("return {}", None),
        ("return nil", None),
        ("return {value = 1, other = 2}", 1),
        ("return {total = 5}", 5),
        ("return {a = 1, b = 2}", {"a": 1, "b": 2}),
        ("return 'x'", "x"),
        ("return {1, 2}", [1, 2]),
    ],
)
def test_reduction_of_a_mapping(text: str, mapped: object) -> None:
    """A mapping gives one value: the member `value`, the only member, or the whole."""
    both = SCRIPTS.map_input(lua(text), ("x",), "x", 1), SCRIPTS.map_output(lua(text), {})
    assert ((True, mapped), (True, mapped)) == both


def test_an_input_mapping_sees_one_value() -> None:
    """All names are in scope, and only the mapped one has a value."""
    script = lua("return {x = x, y = y == nil, n = select('#', ...)}")
    assert SCRIPTS.map_input(script, ("x", "y"), "x", 7) == (True, {"n": 2, "x": 7, "y": True})


def test_x30_an_output_mapping_sees_the_raw_outputs() -> None:
    """The outputs are bound to `value`."""
    assert SCRIPTS.map_output(lua("return value.a + value.b"), {"a": 1, "b": 2}) == (True, 3)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("return false", False),
        ("return nil", False),
        ("local z = 1", False),
        ("return 0", True),
        ("return ''", True),
        ("return {}", True),
        ("return 0/0", True),
        ("return print", True),
    ],
)
def test_truth(text: str, holds: bool) -> None:
    """Only nil and false are false, to a predicate as to a gate."""
    assert (holds, holds) == (SCRIPTS.predicate(lua(text), ("x",), {}), SCRIPTS.match(lua(text), 1))


def test_a_predicate_sees_the_arguments() -> None:
    """Arguments without a value are nil."""
    assert SCRIPTS.predicate(lua("return x > 10 and y == nil"), ("x", "y"), {"x": 15})


def test_a_gate_sees_the_candidate() -> None:
    """The candidate is bound to `value`."""
    assert SCRIPTS.match(lua("return value.kind == 'email'"), {"kind": "email"})


@pytest.mark.parametrize(
    ("language", "error"),
    [
        ("python", "invalid script language: python"),
        ("Lua", "invalid script language: Lua"),
        ("", "invalid script language: "),
    ],
)
def test_other_languages(language: str, error: str) -> None:
    """Only the languages of the contract are known, by their exact names."""
    with pytest.raises(ScriptCompileError) as caught:
        SCRIPTS.check(ScriptConfig(language=language, script="1"), ())
    assert error == str(caught.value)


def test_the_same_text_with_other_names() -> None:
    """Programs are told apart by their argument names, too."""
    script = lua("return {a = a, b = b}")
    results = SCRIPTS.run(script, ("a",), {"a": 1, "b": 2}), SCRIPTS.run(script, ("a", "b"), {"a": 1, "b": 2})
    assert ({"a": 1}, {"a": 1, "b": 2}) == results


def test_a_script_that_fails() -> None:
    """The text of `error` is kept."""
    with pytest.raises(ScriptRunError, match="boom"):
        SCRIPTS.predicate(lua("error('boom')"), (), {})
