# SPDX-License-Identifier: Apache-2.0
"""`argyll script test` against the HTTP edge on a real socket: what it sends, prints and exits with."""

import pytest

from argyll_api.cli.scripts import script
from argyll_engine.errors import ScriptCompileError, ScriptRunError
from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.model.trial import ScriptTrial, TrialResult
from tests.cli.test_client_commands import engine, run

__all__ = ["engine", "run"]

PRICE = "(* quantity price)\n"


@pytest.fixture
def file(tmp_path):
    """A file of Ale."""
    path = tmp_path / "price.ale"
    path.write_text(PRICE)
    return path


def test_what_is_sent(run, engine, file):
    """The language is that of the file, and values are JSON where they read as JSON."""
    pairs = ("-i", "quantity=3", "-i", "price=2.5", "-i", "name=Ada")
    result = run(script, "test", str(file), "-a", "price", "-a", "quantity", *pairs)
    assert (0, "true\n") == (result.exit_code, result.stdout)
    expected = ScriptTrial(
        script=ScriptConfig(language="ale", script="(* quantity price)"),
        mode="script",
        arguments=("price", "quantity"),
        inputs={"quantity": 3, "price": 2.5, "name": "Ada"},
    )
    assert [("try_script", expected)] == engine.calls


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--inputs", '{"a": 1}'), {"a": 1}),
        (("--inputs", '{"a": 1}', "-i", "b=2"), {"a": 1, "b": 2}),
        (("--inputs", '"paid"', "--mode", "match"), "paid"),
        ((), {}),
    ],
)
def test_inputs_as_json(run, engine, words, expected):
    """One value for a gate; pairs add to an object."""
    result = run(script, "test", "-", "-l", "jpath", *words, input="$.a\n")
    assert 0 == result.exit_code
    assert (expected, None, "$.a") == (
        engine.calls[0][1].inputs, engine.calls[0][1].arguments, engine.calls[0][1].script.script,
    )  # fmt: skip


def test_inputs_of_a_file(run, engine, file, tmp_path):
    """The same as text."""
    values = tmp_path / "values.json"
    values.write_text('{"quantity": 4}')
    assert 0 == run(script, "test", str(file), "--inputs-file", str(values)).exit_code
    assert {"quantity": 4} == engine.calls[0][1].inputs


def test_no_match(run, engine, file):
    """A mapping that finds nothing is no fault."""
    engine.trial_result = TrialResult(found=False)
    assert (0, "no match\n") == (lambda result: (result.exit_code, result.stdout))(run(script, "test", str(file)))
    assert '{\n  "matched": false\n}\n' == run(script, "test", str(file), "--json").stdout


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            ScriptCompileError("name not declared: price", line=1, column=13),
            ":1:13\n  (* quantity price)\n              ^^^^^\n",
        ),
        (ScriptCompileError("( is not closed", line=1, column=1), ":1:1\n  (* quantity price)\n  ^\n"),
        (ScriptRunError("boom", line=1), ":1\n  (* quantity price)\n  ~~~~~~~~~~~~~~~~~~\n"),
    ],
)
def test_a_fault_is_shown_in_its_line(run, engine, file, error, expected):
    """The exit code is 1, and the place at fault is underlined."""
    engine.error = error
    result = run(script, "test", str(file))
    assert (1, "", f"Error: {error}\n{file}{expected}") == (result.exit_code, result.stdout, result.stderr)


def test_a_fault_without_a_place(run, engine, file):
    """Is its message alone."""
    engine.error = ScriptRunError("script exceeded its time limit of 5 ms")
    result = run(script, "test", str(file))
    assert (1, "Error: script exceeded its time limit of 5 ms\n") == (result.exit_code, result.stderr)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-",), "say which language it is: --language ale, lua, jpath"),
        (("-", "-l", "ale", "--inputs", "5", "-i", "a=1"), "--input adds to an object of values by name"),
        (("-", "-l", "ale", "--inputs", "5", "--inputs-file", "-"), "--inputs and --inputs-file exclude each other"),
    ],
)
def test_what_cannot_be_understood(run, words, message):
    """Exit code 2, as for every wrong use."""
    result = run(script, "test", *words, input="1")
    assert 2 == result.exit_code
    assert message in result.stderr
