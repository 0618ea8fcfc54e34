# SPDX-License-Identifier: Apache-2.0
"""Limits of jpath: of a text, of what it visits, and of what it gives. Source: the contract, scripts §4."""

from typing import Any

import pytest

from argyll_engine.errors import ScriptRunError
from argyll_engine.scripting.jpath import JpathLanguage
from argyll_engine.scripting.jpath_syntax import MAX_TEXT
from argyll_engine.scripting.limits import MAX_RESULT_BYTES, ScriptLimits
from tests.unit.scripting.test_jpath import holds, refusal, select


@pytest.mark.parametrize(
    "text",
    [
        "$" + "[?@" * 100 + "]" * 100,
        "(" * 300 + "$.a" + ")" * 300,
        "!" * 500 + "$.a",
        " && ".join(["$.a"] * 500),
        "$.a" + " == 1 || $.a" * 300,
    ],
)
def test_nesting_of_a_text_has_a_limit(text: str) -> None:
    """The limit is one of the text, so it is the same wherever the text is compiled."""
    assert "too many operators, filters and parentheses" in refusal(text)


def test_a_text_has_a_limit_of_length() -> None:
    """No definition needs more."""
    assert "text is longer than 65536 characters" in refusal("$." + "a" * MAX_TEXT)


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("$.b == 1 || " * 90 + "$.a == 1", {"a": 1}),
        ("$" + "[?@" * 60 + "]" * 60, []),
        ("$" + ".a" * 20_000, {}),
        ("(" * 150 + "$.a == 1" + ")" * 150, {"a": 1}),
    ],
)
def test_texts_within_the_limits_run(text: str, document: object) -> None:
    """Long texts are no danger to the stack, when they are read as when they run."""
    assert bool(document) == holds(text, document)


def nested(levels: int) -> Any:
    """A document with `levels` levels of three children each way."""
    document: Any = 1
    for _ in range(levels):
        document = [document, document, document]
    return document


@pytest.mark.parametrize("text", ["$..[?$..[?$..*]]", "$[?$..[?$..[?$..[?$..*]]]]", "$..*..*..*..*", "$..[?$ == @]"])
def test_recursive_filters_end(text: str) -> None:
    """A query that visits too many values ends with the limit in its error."""
    program = JpathLanguage(ScriptLimits(timeout_ms=50, memory_mb=256)).compile(text)
    with pytest.raises(ScriptRunError, match=r"^script exceeded its time limit of 50 ms$"):
        program.matches([nested(9), nested(9)])


def test_values_held_at_once_have_a_limit() -> None:
    """Lists of selected values count as memory."""
    program = JpathLanguage(ScriptLimits(timeout_ms=60_000, memory_mb=1)).compile("$[*,*,*,*]")
    with pytest.raises(ScriptRunError, match=r"^script exceeded its memory limit of 1 MB$"):
        program.map([[1]] * 40_000)


def test_results_have_a_limit() -> None:
    """A small document cannot be multiplied into a huge result."""
    text = "x" * (MAX_RESULT_BYTES // 10)
    with pytest.raises(ScriptRunError, match=r"^script result is larger than 16777216 bytes$"):
        select("$[*,*,*,*,*,*,*,*,*,*,*]", [{"a": [text]}])
    assert (True, [text] * 9) == select("$[*,*,*,*,*,*,*,*,*]", [text])
