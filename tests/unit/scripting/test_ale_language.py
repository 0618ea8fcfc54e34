# SPDX-License-Identifier: Apache-2.0
"""Ale as a language of the engine: names, results, limits and errors. Source: the contract, scripts §1.2–1.8."""

import pytest

from argyll_engine.errors import ScriptCompileError, ScriptRunError
from argyll_engine.scripting.ale_language import AleLanguage
from argyll_engine.scripting.limits import ScriptLimits

ALE = AleLanguage(ScriptLimits(timeout_ms=1_000, memory_mb=64))
HASTY = AleLanguage(ScriptLimits(timeout_ms=50, memory_mb=64, max_steps=100_000_000))
SHORT = AleLanguage(ScriptLimits(timeout_ms=5_000, memory_mb=64, max_steps=1_000))


def test_arguments_by_name() -> None:
    """One without a value is null."""
    program = ALE.compile("[a user-id missing]", ("a", "missing", "user-id"))
    assert [1, "x", None] == program.evaluate({"user-id": "x", "a": 1})


@pytest.mark.parametrize(
    ("text", "holds"),
    [("false", False), ("true", True), ("null", True), ("0", True), ('""', True), ("[]", True), ("(> n 2)", True)],
)
def test_truth(text: str, holds: bool) -> None:
    """Only false is false. Source: the contract, scripts §1.6 and D4."""
    assert holds is ALE.compile(text, ("n",)).holds({"n": 3})


def test_a_text_that_does_not_compile() -> None:
    """The error has the name, the place and the form."""
    with pytest.raises(ScriptCompileError, match=r"^name not declared: total at line 2, column 4: total$"):
        ALE.compile("(+ 1\n   total)", ())


@pytest.mark.parametrize("name", ["a b", "1a", "a/b", ":a", ""])
def test_a_name_that_is_no_symbol(name: str) -> None:
    """It cannot be an argument."""
    with pytest.raises(ScriptCompileError) as caught:
        ALE.compile("1", (name,))
    assert f'argument name is not an Ale symbol: "{name}"' == str(caught.value)


@pytest.mark.parametrize(
    ("language", "text", "error"),
    [
        (ALE, "(/ 1 0)", "divide by zero at line 1, column 1: (/ 1 0)"),
        (ALE, '(raise "no " :stock)', 'no :stock at line 1, column 1: (raise "no " :stock)'),
        (ALE, "inc", "a procedure cannot be a result"),
        (HASTY, "(range)", "script exceeded its time limit of 50 ms"),
        (SHORT, "(range)", "script exceeded its limit of 1000 steps"),
    ],
)
def test_a_script_that_fails(language: AleLanguage, text: str, error: str) -> None:
    """Its error is one of the engine's."""
    with pytest.raises(ScriptRunError) as caught:
        language.compile(text, ()).evaluate({})
    assert error == str(caught.value)


def test_a_predicate_that_fails() -> None:
    """It neither holds nor does not."""
    with pytest.raises(ScriptRunError, match=r"^got string, expected number"):
        ALE.compile("(> n 2)", ("n",)).holds({"n": "x"})
