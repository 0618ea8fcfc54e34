# SPDX-License-Identifier: Apache-2.0
"""The Ale rows of the conformance data that the contract comes with, on our Ale. Numbers are compared by value."""

import json
from pathlib import Path
from typing import Any

import pytest

from argyll_engine.errors import ScriptError
from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.scripting import ScriptRegistry
from argyll_engine.scripting.ale import AleError, evaluate, tagged
from tests.conformance.overruled import OVERRULED_ALE

FOLDER = Path(__file__).parents[2].parent / "shared" / "conformance"
ERROR = {"$error": True}

SCRIPTS = ScriptRegistry(timeout_ms=10_000, memory_mb=512)


def rows(file: str) -> list[dict[str, Any]]:
    """The rows of a file; none where there is no data."""
    path = FOLDER / file
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def parameters(found: list[Any]) -> list[Any]:
    """The rows, or one that is skipped where there are none."""
    reason = "the conformance data is not beside the repository"
    return found or [pytest.param(None, marks=pytest.mark.skip(reason=reason))]


def canonical(value: Any) -> Any:
    """A tagged value in which the order of sets and objects does not count, nor the type of a number."""
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, dict):
        return {tag: _members(tag, member) for tag, member in value.items()}
    return [canonical(member) for member in value] if isinstance(value, list) else value


def _members(tag: str, members: Any) -> Any:
    found = canonical(members)
    return sorted(found, key=repr) if tag in ("$set", "$obj") else found


def value_of(source: str) -> Any:
    """The tagged value of a program, or the error."""
    try:
        return tagged(evaluate(source))
    except AleError:
        return ERROR


@pytest.mark.parametrize("row", parameters(rows("ale-cases.jsonl")))
def test_a_program(row: dict[str, Any]) -> None:
    """Our Ale gives what the reference gives."""
    assert canonical(row["expect"]) == canonical(value_of(row["src"]))


def outcome(row: dict[str, Any]) -> object:
    """What the row's script gives in its mode."""
    script, names = ScriptConfig(language="ale", script=row["script"]), tuple(sorted(row["args"]))
    try:
        match row["mode"]:
            case "compile":
                SCRIPTS.check(script, names)
                return True
            case "script":
                return SCRIPTS.run(script, names, row["inputs"])
            case "predicate":
                return SCRIPTS.predicate(script, names, row["inputs"])
            case "match":
                return SCRIPTS.match(script, row["inputs"])
            case "mapping":
                name, value = next(iter(row["inputs"].items()))
                return SCRIPTS.map_input(script, names, name, value)[1]
    except ScriptError:
        return ERROR
    raise AssertionError(f"unknown mode: {row['mode']}")


def script_rows() -> list[dict[str, Any]]:
    """The rows on scripts of steps."""
    return [row for row in rows("script-cases.jsonl") if row["language"] == "ale"]


@pytest.mark.parametrize("row", parameters(script_rows()))
def test_a_script(row: dict[str, Any]) -> None:
    """Our Ale gives what the reference gives, but where the contract asks for something else."""
    entry, overruling = OVERRULED_ALE.get(row["script"], ("", None))
    assert (overruling if entry else row["expect"]) == outcome(row)


def test_every_overruled_row_is_there() -> None:
    """A row that is gone has no business in the list."""
    found = {row["script"] for row in script_rows()}
    if not found:
        pytest.skip("the conformance data is not beside the repository")
    assert set(OVERRULED_ALE) <= found
