# SPDX-License-Identifier: Apache-2.0
"""`POST /engine/script/test` over the real engine on the memory store."""

import json
from pathlib import Path

import pytest

from tests.api.test_on_memory_store import api
from tests.conformance.overruled import OVERRULED_ALE

__all__ = ["api"]

ROWS = Path(__file__).parents[2].parent / "shared" / "conformance" / "script-cases.jsonl"


def tried(client, **body):
    """(status, JSON) of a trial."""
    answer = client.post("/engine/script/test", json=body)
    return answer.status_code, answer.json


def test_a_result(api):
    """What the script gives, under `result`."""
    body = {"language": "ale", "script": "{:sum (+ a b)}", "mode": "script", "arguments": ["a", "b"]}
    assert (200, {"result": {"sum": 2**64 + 1}}) == tried(api, **body, inputs={"a": 2**64, "b": 1})


def test_a_mapping_that_finds_nothing(api):
    """Says so, which null does not."""
    body = {"language": "jpath", "mode": "mapping", "inputs": {"a": None}}
    assert (200, {"result": None}) == tried(api, **body, script="$.a")
    assert (200, {"matched": False}) == tried(api, **body, script="$.b")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"language": "ale", "script": "(+ 1\n   amount)"},
            {"error": "name not declared: amount at line 2, column 4: amount", "line": 2, "column": 4},
        ),
        ({"language": "lua", "script": "\nerror('boom')"}, {"error": "script:2: boom", "line": 2}),
        ({"language": "ale", "script": "(last! (range))"}, {"error": "script exceeded its time limit of 1000 ms"}),
        ({"language": "perl", "script": "1"}, {"error": "invalid script language: perl"}),
        ({"script": "1"}, {"error": "script language empty"}),
        ({"language": "ale"}, {"error": "script empty"}),
        (
            {"language": "ale", "script": "1", "arguments": [1]},
            {"error": "invalid JSON request: arguments.0: must be a string, not a number"},
        ),
    ],
)
def test_a_fault(api, body, expected):
    """400 in the form of all errors, with the place where it is known."""
    status, answer = tried(api, mode="predicate", **body)
    limit_place = {name: answer[name] for name in ("line", "column") if "limit" in answer["error"] and name in answer}
    error = answer["error"].partition(" at line ")[0] if limit_place else answer["error"]
    assert (400, {**expected, "status": 400, **limit_place}) == (status, {**answer, "error": error})


FAULTS = (
    ({"language": "ale", "script": "(+ 1\n   amount)"}, "line 2, column 4: amount"),
    ({"language": "lua", "script": "return 1 +"}, "line 1, column 11"),
    ({"language": "jpath", "script": "$.a[?@.b ==]"}, "line 1, column 12"),
)
PLACES = ("script", "predicate", "match", "input mapping", "output mapping")


@pytest.mark.parametrize(
    ("script", "place", "place_in_step"),
    [
        (script, place, where)
        for script, place in FAULTS
        for where in PLACES
        if (script["language"], where) != ("jpath", "script")
    ],
)
def test_registration_says_where(api, script, place, place_in_step):
    """400 with line and column, whatever the step has the script for."""
    spec = {"role": "required", "type": "any"}
    step = {"id": "s", "name": "S", "type": "script", "attributes": {"x": spec, "out": {"role": "output"}}}
    step["script"] = {"language": "ale", "script": "{:out x}"}
    match place_in_step:
        case "script" | "predicate":
            step[place_in_step] = script
        case "match":
            spec["required"] = {"match": script}
        case "input mapping":
            spec["required"] = {"mapping": {"script": script}}
        case "output mapping":
            step["attributes"]["out"] = {"role": "output", "type": "any", "output": {"mapping": {"script": script}}}
    answer = api.post("/engine/step", json=step)
    assert 400 == answer.status_code
    assert place in answer.json["error"]


def rows():
    """The rows of the conformance data that a trial can ask, or one that is skipped where there are none."""
    if not ROWS.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason="the conformance data is not beside the repository"))]
    found = [json.loads(line) for line in ROWS.read_text("utf-8").splitlines()]
    return [row for row in found if row["mode"] in ("script", "predicate", "match", "mapping")]


@pytest.mark.parametrize("row", rows())
def test_a_row_of_the_conformance_data(api, row):
    """A trial gives what the reference gives a step."""
    body = {name: row[name] for name in ("language", "script", "mode", "inputs")}
    status, answer = tried(api, **body, **({"arguments": row["args"]} if row["args"] is not None else {}))
    entry, overruling = OVERRULED_ALE.get(row["script"], ("", None))
    expected = overruling if entry and row["language"] == "ale" else row["expect"]
    if expected == {"$error": True}:
        assert (400, True) == (status, "error" in answer)
    else:
        assert (200, {"matched": False} if expected == {"$nomatch": True} else {"result": expected}) == (status, answer)
