# SPDX-License-Identifier: Apache-2.0
"""A script that is tried out gives what it would give a step: in each language, as each thing that a step has."""

import pytest

from argyll_engine.errors import InvalidRequestError, ScriptCompileError, ScriptRunError
from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.model.trial import ScriptTrial, TrialMode, TrialResult
from argyll_engine.script_trial import try_script
from argyll_engine.scripting import ScriptRegistry

SCRIPTS = ScriptRegistry(timeout_ms=200, memory_mb=64)
ABSENT = object()


def tried(language, text, mode, inputs=None, arguments=ABSENT):
    """What the trial gives: the value, or `no match`."""
    names = None if arguments is ABSENT else tuple(arguments)
    script = ScriptConfig(language=language, script=text)
    result = try_script(SCRIPTS, ScriptTrial(script=script, mode=mode, arguments=names, inputs=inputs))
    assert result.found or result == TrialResult(value=None, found=False)
    return result.value if result.found else "no match"


@pytest.mark.parametrize(
    ("language", "text", "mode", "inputs", "expected"),
    [
        ("ale", "{:sum (+ a b)}", "script", {"a": 1, "b": 2}, {"sum": 3}),
        ("ale", "(+ a b)", "script", {"a": 1, "b": 2}, {"result": 3}),
        ("ale", "1", "script", None, {"result": 1}),
        ("lua", "return a, b", "script", {"a": 1, "b": 2}, {"result": 1}),
        ("lua", "return select('#', ...)", "script", {"b": 1, "a": 2}, {"result": 2}),
        ("lua", "return (...)", "script", {"b": 1, "a": 2}, {"result": 2}),
        # each language has its own truth
        ("ale", "x", "predicate", {"x": 0}, True),
        ("ale", "x", "predicate", {"x": None}, True),
        ("lua", "return x", "predicate", {"x": None}, False),
        ("jpath", "$.flag", "predicate", {"flag": False}, True),
        ("jpath", "$.flag", "predicate", {}, False),
        # a gate sees one value, given under its name or by itself
        ("ale", "(eq (:kind value) 1)", "match", {"kind": 1}, True),
        ("ale", "(eq (:kind value) 1)", "match", {"value": {"kind": 1}}, True),
        ("lua", "return value == 'a'", "match", "a", True),
        ("lua", "return value == nil", "match", None, True),
        ("jpath", "$.kind == 1", "match", {"kind": 1}, True),
        ("jpath", "$.value", "match", {"value": 1}, True),
        # so does a mapping, whose results are reduced to one value
        ("ale", "(* 2 amount)", "mapping", {"amount": 5}, 10),
        ("ale", "{:value 1 :other 2}", "mapping", {"a": 0}, 1),
        ("lua", "return {total = a}", "mapping", {"a": 7}, 7),
        ("ale", "{}", "mapping", {"a": 0}, None),
        ("jpath", "$.lines[*].price", "mapping", {"lines": [{"price": 1}, {"price": 2}]}, [1, 2]),
        ("jpath", "$.a", "mapping", {"a": None}, None),
        ("jpath", "$.a", "mapping", {}, "no match"),
    ],
)
def test_what_a_script_gives(language, text, mode, inputs, expected):
    """Without argument names, those of the inputs count; a document has none."""
    value = tried(language, text, mode, inputs)
    assert (expected, type(expected)) == (value, type(value))


@pytest.mark.parametrize(
    ("language", "text", "mode", "arguments", "inputs", "expected"),
    [
        ("ale", "[a b]", "mapping", ["b", "a"], {"a": 1}, [1, None]),
        ("ale", "[a b]", "mapping", ["a", "b"], {}, [None, None]),
        ("ale", "(:total value)", "mapping", ["value"], {"total": 5, "tax": 1}, 5),
        ("ale", "(:total value)", "mapping", ["value"], {"value": {"total": 5}}, 5),
        ("jpath", "$.total", "mapping", ["order"], {"order": {"total": 5}}, 5),
        ("jpath", "$.kind", "match", ["value"], {"value": {"kind": 1}}, True),
        ("ale", "(null? b)", "predicate", ["a", "b"], {"a": 1}, True),
        ("jpath", "$.b", "predicate", ["a"], {"a": 1, "b": 2}, False),
    ],
)
def test_argument_names(language, text, mode, arguments, inputs, expected):
    """A name without a value is null, and a value without a name is not seen."""
    assert expected == tried(language, text, mode, inputs, arguments)


@pytest.mark.parametrize(
    ("language", "text", "mode", "inputs", "message"),
    [
        ("ale", "1", "filter", {}, "invalid script mode: filter (must be one of script, predicate, match, mapping)"),
        ("ale", "1", "script", [1], "inputs of a script must be an object of values by name"),
        ("jpath", "$", "predicate", "a", "inputs of a predicate must be an object of values by name"),
        ("ale", "a", "mapping", {"a": 1, "b": 2}, "a mapping sees one value: give one input, under one of its"),
    ],
)
def test_inputs_that_no_step_could_have(language, text, mode, inputs, message):
    """Are refused rather than guessed at."""
    with pytest.raises(InvalidRequestError) as caught:
        tried(language, text, mode, inputs)
    assert str(caught.value).startswith(message)


FAULTS = (
    ("ale", "(let ([x 1])\n  (+ x amount))", (2, 8)),
    ("ale", "(str 1)\n(str", (2, 1)),
    ("lua", "local x = 1\nreturn x + + 1", (2, 12)),
    ("lua", "return {", (1, 9)),
    ("jpath", "$.a[?@.b ==]", (1, 12)),
)


@pytest.mark.parametrize(
    ("mode", "language", "text", "place"),
    [(mode, *fault) for mode in TrialMode for fault in FAULTS if (fault[0], mode) != ("jpath", "script")],
)
def test_a_compile_error_has_its_place(mode, language, text, place):
    """In every mode that the language has."""
    with pytest.raises(ScriptCompileError, match=f"at line {place[0]}, column {place[1]}") as caught:
        tried(language, text, mode, {})
    assert place == (caught.value.line, caught.value.column)


@pytest.mark.parametrize(
    ("language", "text", "place"),
    [
        ("ale", '(str 1)\n  (+ 1 "a")', (2, 3)),
        ("lua", "local x\n\nreturn x.y", (3, None)),
        ("lua", "error({message = 'none'})", (None, None)),
    ],
)
def test_a_run_that_fails_has_its_place(language, text, place):
    """As far as the language knows it."""
    with pytest.raises(ScriptRunError) as caught:
        tried(language, text, "script")
    assert place == (caught.value.line, caught.value.column)


@pytest.mark.parametrize(
    ("language", "text"),
    [("ale", "(last! (range))"), ("lua", "while true do end"), ("lua", "pcall(function() while true do end end)")],
)
def test_limits_hold(language, text):
    """The message names the limit."""
    with pytest.raises(ScriptRunError, match="script exceeded its time limit of 200 ms"):
        tried(language, text, "predicate")


def test_jpath_is_no_script_of_a_step():
    """As at registration."""
    with pytest.raises(ScriptCompileError, match="not valid for a script step"):
        tried("jpath", "$", "script")
