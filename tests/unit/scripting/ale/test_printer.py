# SPDX-License-Identifier: Apache-2.0
"""Values as text. Source: the contract, scripts §2.10 and §6."""

import pytest

from argyll_engine.scripting.ale import AleLimitError, evaluate
from argyll_engine.scripting.ale.printer import MAX_TEXT, float_text, integer_text, render
from argyll_engine.scripting.ale.values import Vector


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (5.0, "5.0"), (-3.0, "-3.0"), (0.0, "0.0"), (-0.0, "0.0"), (0.1, "0.1"), (0.0001, "0.0001"), (1e-05, "1e-05"),
        (123456.5, "123456.5"), (1234567.5, "1.2345675e+06"), (1e18, "1000000000000000000.0"), (1e19, "1e+19"),
        (-1.5e300, "-1.5e+300"), (float("inf"), "+inf"), (float("-inf"), "-inf"), (float("nan"), "nan"),
        (2.0**63, "9.223372036854776e+18"), (-(2.0**63), "-9223372036854775808.0"),
    ],
)  # fmt: skip
def test_floats(number: float, text: str) -> None:
    """A float with an integral value shows it; others have the shortest digits that read back."""
    assert text == float_text(number)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("'(1 . (2 . 3))", "(1 2 . 3)"),
        ("(cons 1 [2 3])", "[1 2 3]"),
        ("(cons 1 (cons 2 #{}))", "(1 2 . #{})"),
        ("(car [(cons (cons 1 2) [3])])", "[(1 . 2) 3]"),
        ("{:b 1 :a [null \"x\"]}", '{:a [() "x"] :b 1}'),
        ("#{:b :a 1}", "#{1 :a :b}"),
        ("{[1 2] 3}", "{[1 2] 3}"),
        ('"a\\"\\n"', '"a\\"\\n"'),
        ("inc", "#<procedure>"),
        ("(range)", "#<lazy sequence>"),
    ],
)  # fmt: skip
def test_readable_text(source: str, text: str) -> None:
    """Members of objects and sets stand in the order of their text."""
    assert text == render(evaluate(source))


def test_a_text_that_is_too_long() -> None:
    """A small value that shares its parts can have an endless text."""
    value = Vector(("x" * 1_000,))
    for _ in range(20):
        value = Vector((value, value))
    with pytest.raises(AleLimitError, match=f"^text is longer than its limit of {MAX_TEXT} characters$"):
        render(value)


def test_an_integer_with_too_many_digits() -> None:
    """Python refuses to print it, and so do we."""
    with pytest.raises(AleLimitError, match=r"^integer has too many digits to print$"):
        integer_text(10**5_000)
