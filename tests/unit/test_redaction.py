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
        ("user_password=abc next", "user_password=*** next"),
        ("userPassword: abc", "userPassword: ***"),
        ("with FLOW_REDIS_PASSWORD=abc, b", "with FLOW_REDIS_PASSWORD=***, b"),
        ("secret_access_key=a/b+c d", "secret_access_key=*** d"),
        ("AWS_SECRET_ACCESS_KEY='a b'", "AWS_SECRET_ACCESS_KEY=***"),
        ('{"session_token": "a b", "x": 1}', '{"session_token": ***, "x": 1}'),
        ("X-Auth-Token: abc", "X-Auth-Token: ***"),
        ("accessToken=abc", "accessToken=***"),
        ("Set-Cookie: a=b", "Set-Cookie: ***"),
        ("db.password=abc", "db.password=***"),
        ("x-api-key: abc", "x-api-key: ***"),
        ("client_secret=abc", "client_secret=***"),
    ],
)
def test_secrets_are_replaced(text: str, expected: str) -> None:
    """Passwords of URLs, values of telling and of configured names, and known secrets give way to three stars."""
    assert expected == Redactor(["hunter2!"], ["card"]).text(text)


@pytest.mark.parametrize(
    "text",
    [
        "token=4f6a step-1",
        "tokens=3 work_tokens=4",
        "secret_santa=Ann password_length=8",
        "my-card=4111 my_card=4111",
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


@pytest.mark.parametrize(
    ("name", "shown"), [("user_password", "***"), ("session_token", "***"), ("token", 1), ("x", 1)]
)
def test_attributes_are_hidden_by_their_names_ends_too(name: str, shown: object) -> None:
    """As in texts; the token of a work item is shown."""
    assert shown == Redactor().field(name, 1)


@pytest.mark.parametrize("text", ["a" * 100_000, "a_" * 50_000, "a." * 50_000, "-secret" * 15_000, "secret " * 15_000])
def test_long_texts_are_searched_in_linear_time(text: str) -> None:
    """What a service sends must not keep a worker busy: quadratic time would be minutes here."""
    assert text == Redactor((), ["card"]).text(text)
