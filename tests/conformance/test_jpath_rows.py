# SPDX-License-Identifier: Apache-2.0
"""The jpath rows of the conformance data that the contract comes with, on our jpath. Numbers are compared by value."""

import json
from pathlib import Path
from typing import Any

import pytest

from argyll_engine.errors import ScriptError
from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.scripting import ScriptRegistry

ROWS = Path(__file__).parents[2].parent / "shared" / "conformance" / "script-cases.jsonl"
ERROR = {"$error": True}
NO_MATCH = {"$nomatch": True}

SCRIPTS = ScriptRegistry(timeout_ms=1_000, memory_mb=64)


def jpath_rows() -> list[Any]:
    """The rows, or one that is skipped where there are none."""
    if not ROWS.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason="the conformance data is not beside the repository"))]
    rows = (json.loads(line) for line in ROWS.read_text().splitlines())
    return [pytest.param(row, id=f"{row['mode']}: {row['script']}") for row in rows if row["language"] == "jpath"]


def outcome(row: dict[str, Any]) -> object:
    """What the row's script gives in its mode."""
    script, inputs = ScriptConfig(language="jpath", script=row["script"]), row["inputs"]
    try:
        match row["mode"]:
            case "compile":
                SCRIPTS.check(script, ())
                return True
            case "compile-step-script":
                return SCRIPTS.run(script, (), {})
            case "predicate":
                return SCRIPTS.predicate(script, (), inputs)
            case "match":
                return SCRIPTS.match(script, inputs)
            case "mapping":
                return mapped(SCRIPTS.map_input(script, ("x",), "x", inputs), NO_MATCH)
            case "input-mapping":
                return mapped(SCRIPTS.map_input(script, ("x",), "x", inputs), inputs)
            case "output-mapping":
                return mapped(SCRIPTS.map_output(script, inputs), NO_MATCH)
    except ScriptError:
        return ERROR
    raise AssertionError(f"unknown mode: {row['mode']}")


def mapped(result: tuple[bool, Any], otherwise: object) -> object:
    """The value of a mapping that found one."""
    found, value = result
    return value if found else otherwise


@pytest.mark.parametrize("row", jpath_rows())
def test_a_row(row: dict[str, Any]) -> None:
    """Our jpath gives what the reference gives."""
    expected, actual = row["expect"], outcome(row)
    assert (expected, type(expected)) == (actual, type(actual))
