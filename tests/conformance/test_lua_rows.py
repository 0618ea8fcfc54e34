# SPDX-License-Identifier: Apache-2.0
"""The Lua rows of the conformance data that the contract comes with, on our Lua. Numbers are compared by value."""

import json
from pathlib import Path
from typing import Any

import pytest

from argyll_engine.errors import ScriptError
from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.scripting import ScriptRegistry

ROWS = Path(__file__).parents[2].parent / "shared" / "conformance" / "script-cases.jsonl"
ERROR = {"$error": True}

SCRIPTS = ScriptRegistry(timeout_ms=1_000, memory_mb=64)


def lua_rows() -> list[Any]:
    """The rows, or one that is skipped where there are none."""
    if not ROWS.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason="the conformance data is not beside the repository"))]
    rows = (json.loads(line) for line in ROWS.read_text().splitlines())
    return [pytest.param(row, id=f"{row['mode']}: {row['script']}") for row in rows if row["language"] == "lua"]


def outcome(row: dict[str, Any]) -> object:
    """What the row's script gives in its mode."""
    script, names = ScriptConfig(language="lua", script=row["script"]), tuple(sorted(row["args"]))
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
    except ScriptError:
        return ERROR
    raise AssertionError(f"unknown mode: {row['mode']}")


@pytest.mark.parametrize("row", lua_rows())
def test_a_row(row: dict[str, Any]) -> None:
    """Our Lua gives what the reference gives."""
    assert row["expect"] == outcome(row)
