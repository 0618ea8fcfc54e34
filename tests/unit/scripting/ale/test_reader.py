# SPDX-License-Identifier: Apache-2.0
"""Text to forms. Source: the contract, scripts §2.1. The conformance rows cover the syntax; here are the places."""

import pytest

from argyll_engine.scripting.ale.errors import AleCompileError
from argyll_engine.scripting.ale.printer import render
from argyll_engine.scripting.ale.reader import is_local_name, read


def shown(source: str) -> str:
    """The forms of a text, as text."""
    return " ".join(map(render, read(source)))


@pytest.mark.parametrize(
    ("source", "forms"),
    [
        ("a;b c;d\n e", "a;b c;d e"),
        ("1 ; one\n2", "1 2"),
        ("#| a #| b |# c |# x", "x"),
        ("'(a . (b c))", "(ale/quote (a b c))"),
        ("`(a ,b ,@c)", "(ale/syntax-quote (a (ale/unquote b) (ale/unquote-splicing c)))"),
        ('"a\\s\\q\\n"', '"a q\\n"'),
        ("010 0x1F 0b101 0o17 1_000 -7", "8 31 5 15 1000 -7"),
        ("4/2 6/4 -1/2", "2 3/2 -1/2"),
        (".5 - + -a #foo foo#", ".5 - + -a #foo foo#"),
        ("{:a 1 :a 2}", "{:a 1}"),
        ("#{1 1 2}", "#{1 2}"),
        ("#b[1 255]", "#b[1 255]"),
        ("#b[1 x]", "(ale/bytes 1 x)"),
    ],
)
def test_forms(source: str, forms: str) -> None:
    """Each text is read as its forms."""
    assert forms == shown(source)


@pytest.mark.parametrize(
    ("source", "reason", "line", "column"),
    [
        ("(a\n  (b", "( is not closed, ) expected", 2, 3),
        ("(a\n b))", "unexpected )", 2, 4),
        ("(a]", "unexpected ]", 1, 3),
        ("x\n 12ab", "not a number: 12ab", 2, 2),
        ("1e999", "number is out of range: 1e999", 1, 1),
        ("a/b/c", "not a symbol: a/b/c", 1, 1),
        ('x "abc', "string is not closed", 1, 3),
        ('"abc\\"', "string is not closed", 1, 1),
        ("#| a", "comment is not closed", 1, 1),
        ("a |# b", "comment is not opened", 1, 3),
        ("(. a)", "misplaced dot", 1, 2),
        ("(a . b c)", "misplaced dot", 1, 1),
        ("[a . b]", "misplaced dot", 1, 4),
        ("{1 2 3}", "object needs an even number of forms", 1, 1),
        ("x @y", "unexpected characters", 1, 3),
        ("'", "' is not closed, a form expected", 1, 1),
        ("9" * 5_000, "number is longer than 4300 characters", 1, 1),
    ],
)
def test_what_is_no_text(source: str, reason: str, line: int, column: int) -> None:
    """An error names the place at which reading stopped making sense."""
    with pytest.raises(AleCompileError) as caught:
        read(source)
    assert (reason, line, column) == (caught.value.reason, caught.value.line, caught.value.column)


def test_a_form_knows_its_place() -> None:
    """From its first character to behind its last."""
    (form,) = read("\n  (a\n   b)")
    assert (2, 3, 3, 6) == form.at


def test_depth_is_bounded_by_memory_only() -> None:
    """A hundred thousand brackets are read and printed."""
    depth = 100_000
    assert "[" * depth + "]" * depth == shown("[" * depth + "]" * depth)


@pytest.mark.parametrize(
    ("name", "is_legal"),
    [("user-id", True), ("a.b", True), ("ready?", True), ("λ", True), ("/", True), ("", False), ("1a", False),
     ("a/b", False), ("a b", False), (":a", False), ("'a", False), ("a)", False), ('a"', False), (";a", False),
     ("#t", False), (".", False)],
)  # fmt: skip
def test_names_of_arguments(name: str, is_legal: bool) -> None:
    """An argument is one local symbol. Source: the contract, scripts §1.2."""
    assert is_legal == is_local_name(name)
