# SPDX-License-Identifier: Apache-2.0
"""What is a secret in a text or a value, and what is not."""

from pathlib import PurePath

import pytest

from argyll_engine.redaction import Redactor


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://u:pw@h", "redis://u:***@h"),
        ("at redis://:p@w@h:1 it", "at redis://:***@h:1 it"),
        ("password=abc next", "password=*** next"),
        ("PASSWORD: abc, b", "PASSWORD: ***, b"),
        ('{"password": "a b", "x": 1}', '{"password": ***, "x": 1}'),
        ('{"password":"a\\"b","x":1}', '{"password":***,"x":1}'),
        ("{'secret': 'a b'}", "{'secret': ***}"),
        ('"{\\"api_key\\": \\"a b\\", \\"x\\": 1}"', '"{\\"api_key\\": ***, \\"x\\": 1}"'),
        ("Authorization: Bearer abcdef.ghi", "Authorization: *** ***"),
        ("sent Bearer abcdef.ghi on", "sent Bearer *** on"),
        ("card=4111", "card=***"),
        ('{"card": 4111}', '{"card": ***}'),
        ('{"card": {"n": 1}, "x": 2}', '{"card": ***'),
        ("the card: [1,\n2]", "the card: ***"),
        ("hunter2! twice hunter2!", "*** twice ***"),
    ],
)
def test_secrets_are_replaced(text: str, expected: str) -> None:
    """Passwords of URLs, values of telling and of configured names, and known secrets give way to three stars."""
    assert expected == Redactor(["hunter2!"], ["card"]).text(text)


@pytest.mark.parametrize(
    "text",
    [
        "token=4f6a step-1",
        "the password is wrong",
        "postcard=4111",
        "card-holder=Ann",
        "discard: yes",
        "at 10:00 http://h:80/a",
        "abc",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    """Tokens of work items, words that only contain a name, and short secrets change nothing."""
    assert text == Redactor(["abc"], ["card"]).text(text)


def test_values_are_searched_in_any_depth() -> None:
    """Members of objects and lists are hidden by name, texts by content, and numbers stay numbers."""
    redactor = Redactor(["hunter2!"], ["card"])
    value = {"a": [{"Card": {"n": 1}, "b": "hunter2!"}, 3], "c": ValueError("password=x"), "d": None}
    value["e"] = PurePath("/hunter2!")
    expected = {"a": [{"Card": "***", "b": "***"}, 3], "c": "password=***", "d": None, "e": "/***"}
    assert (expected, "***") == (redactor.value(value), redactor.field("card", 1))
