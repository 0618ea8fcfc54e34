# SPDX-License-Identifier: Apache-2.0
"""JSON texts inside definitions."""

import pytest

from argyll_engine.model.attribute import Type
from argyll_engine.model.ids import JSONValue
from argyll_engine.policy.literal import WANTED, is_literal_of, parse_literal


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        (" [1, null]\n", [1, None]),
        ('"a"', "a"),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ('"\\ud83d\\ude00"', "😀"),
        ('"\\ud800"', "\ufffd"),
        ('{"\\udc00x": "a\\ud800b"}', {"\ufffdx": "a\ufffdb"}),
        ('"\\\\ud800"', "\\ud800"),  # an escaped backslash
    ],
)
def test_value_of_a_text(text: str, value: JSONValue) -> None:
    """Values come out exactly; half a surrogate pair is replaced."""
    assert parse_literal(text) == value


@pytest.mark.parametrize(
    "text", ["", "nil", "NaN", "[Infinity]", "-Infinity", "1e999", "[-1e999]", "'x'", "{a: 1}", "1 2", "[" * 100_000]
)
def test_texts_without_a_value(text: str) -> None:
    """What is not JSON, or cannot be kept, is refused."""
    with pytest.raises(ValueError, match=r".+"):
        parse_literal(text)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("string", ['"abc"', '""', ' "x" '], ["abc", "1", "null", "true", "[]", "'x'"]),
        ("number", ["42", "-1.5", "0", "1e3"], ['"1"', "true", "null", "abc", "[1]", "NaN"]),
        ("boolean", ["true", "false"], ['"true"', "1", "0", "null", "True"]),
        ("object", ['{"a": 1}', "{}"], ["[]", '"{}"', "null", "{a: 1}"]),
        ("array", ["[1, 2]", "[]"], ["{}", '"[]"', "null", "1"]),
        ("null", ["null"], ["0", '""', "false", "nil"]),
        ("any", ["1", '"x"', "null", "[1]", "true"], ["abc", ""]),
    ],
)
def test_types_of_texts(kind: str, good: list[str], bad: list[str]) -> None:
    """A text is of a type if its value is; a boolean is no number."""
    assert [text for text in good if not is_literal_of(text, kind)] == []
    assert [text for text in bad if is_literal_of(text, kind)] == []


def test_every_type_has_words() -> None:
    """Each type can be named in an error."""
    assert set(WANTED) == set(Type)
