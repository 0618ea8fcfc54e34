# SPDX-License-Identifier: Apache-2.0
"""Text to forms. Keeps its own stack, so the depth of a text is bounded by memory alone.

Source: the contract, scripts §2.1 and §6.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from fractions import Fraction
from math import isinf
from typing import Final

from argyll_engine.scripting.ale.errors import AleCompileError, AleUnfinishedError, Span
from argyll_engine.scripting.ale.keys import encode, object_of
from argyll_engine.scripting.ale.values import AleSet, Cons, Keyword, List, Symbol, Value, Vector, core, list_of

MAX_DIGITS: Final = 4_300
"""Digits of an integer literal; Python itself refuses longer ones."""

_SPACE: Final = r" \t\f\r\n"
_PLAIN: Final = rf"[^{_SPACE}()\[\]{{}}\"]"
_NUMBER_END: Final = rf"[^{_SPACE}()\[\]{{}}\"/`,@]*"

_TOKEN: Final = re.compile(
    rf"""
      (?P<space>[{_SPACE}]+|;[^\n]*)
    | (?P<block>\#\||\|\#)
    | (?P<open>\#b\[|\#\{{|[(\[{{])
    | (?P<close>[)\]}}])
    | (?P<mark>,@|['`,])
    | (?P<string>"(?:[^"\\]|\\.)*"?)
    | (?P<ratio>[+-]?(?:0|[1-9][0-9]*)/[1-9][0-9]*{_NUMBER_END})
    | (?P<number>[+-]?[0-9]{_NUMBER_END})
    | (?P<keyword>:{_PLAIN}+)
    | (?P<symbol>(?!@){_PLAIN}+)
    """,
    re.VERBOSE | re.DOTALL,
)
_RATIO: Final = re.compile(r"[+-]?[0-9]+/[0-9]+")
_FLOAT: Final = re.compile(r"[+-]?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)")
_INTEGER: Final = re.compile(
    r"([+-]?)(?:0[xX](?P<x>(?:_?[0-9a-fA-F])+)|0[bB](?P<b>(?:_?[01])+)|0[oO]?(?P<o>(?:_?[0-7])+)"
    r"|(?P<d>0|[1-9](?:_?[0-9])*))"
)
_RADIX: Final = {"x": 16, "b": 2, "o": 8, "d": 10}
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "s": " "}
_BLOCK: Final = re.compile(r"#\||\|#")
_QUOTES: Final = {
    "'": core("quote"), "`": core("syntax-quote"), ",": core("unquote"), ",@": core("unquote-splicing"),
}  # fmt: skip
_NO_SYMBOLS: Final = frozenset({"#t", "#f", "."})
_CLOSING: Final = {"(": ")", "[": "]", "{": "}", "#{": "}", "#b[": "]"}


@dataclass(slots=True)
class _Open:
    """A bracket, or a quote mark, that waits for what belongs to it."""

    mark: str
    start: int
    items: list[Value] = field(default_factory=list)
    dot: int | None = None


def read(source: str, *, is_placed: bool = True) -> list[Value]:
    """The forms of a text, with their places unless `is_placed` is false: those of a text inside a program are none.

    Raises:
        AleCompileError: The text breaks a rule of the syntax, at the place it names.
    """
    return _Reader(source, is_placed).read()


def parse_symbol(text: str, at: Span | None = None) -> Symbol:
    """The symbol of this name. Raises AleCompileError for a name that is none."""
    if text == "/":
        return Symbol(text, None, at)
    namespace, slash, name = text.partition("/")
    if not slash and text:
        return Symbol(text, None, at)
    if not namespace or not name or ("/" in name and name != "/"):
        raise AleCompileError(f"not a symbol: {text}", at)
    return Symbol(name, namespace, at)


def is_local_name(text: str) -> bool:
    """Whether the text is read as one symbol without a namespace."""
    token = _TOKEN.match(text)
    if token is None or token.lastgroup != "symbol" or token.group() != text:
        return False
    return text == "/" or ("/" not in text and text not in _NO_SYMBOLS)


class _Reader:
    def __init__(self, source: str, is_placed: bool) -> None:
        self._source, self._is_placed = source, is_placed
        self._lines = [0, *(match.end() for match in re.finditer("\n", source))]
        self._stack = [_Open("", 0)]

    def read(self) -> list[Value]:
        place, end = 0, len(self._source)
        while place < end:
            token = _TOKEN.match(self._source, place)
            if token is None:
                raise AleCompileError("unexpected characters", self._span(place, place + 1))
            kind, text = token.lastgroup, token.group()
            if kind == "block":
                place = self._skip_block(text, place)
                continue
            if kind == "open" or kind == "mark":
                self._stack.append(_Open(text, place))
            elif kind == "close":
                self._close(text, token.end())
            elif text == "." and kind == "symbol":
                self._dot(place)
            elif kind != "space":
                self._add(_atom(str(kind), text, self._span(place, token.end())), token.end())
            place = token.end()
        innermost = self._stack[-1]
        if innermost.mark:
            wanted = _CLOSING.get(innermost.mark, "a form")
            raise AleUnfinishedError(
                f"{innermost.mark} is not closed, {wanted} expected", self._span(innermost.start, innermost.start + 1)
            )
        return innermost.items

    def _skip_block(self, text: str, place: int) -> int:
        """The place after a block comment, which may hold others."""
        depth, start = 0, place
        for mark in _BLOCK.finditer(self._source, place):
            if text == "|#":
                break
            depth += 1 if mark.group() == "#|" else -1
            if depth == 0:
                return mark.end()
        at = self._span(start, start + 2)
        raise (
            AleCompileError("comment is not opened", at)
            if text == "|#"
            else AleUnfinishedError("comment is not closed", at)
        )

    def _dot(self, place: int) -> None:
        top = self._stack[-1]
        if top.mark != "(" or not top.items or top.dot is not None:
            raise AleCompileError("misplaced dot", self._span(place, place + 1))
        top.dot = len(top.items)

    def _close(self, text: str, end: int) -> None:
        top = self._stack[-1]
        if _CLOSING.get(top.mark) != text:
            raise AleCompileError(f"unexpected {text}", self._span(end - 1, end))
        self._stack.pop()
        self._add(_collection(top, self._span(top.start, end)), end)

    def _add(self, item: Value, end: int) -> None:
        """Put a form into what is open; quote marks take the one form that they wait for."""
        while self._stack[-1].mark in _QUOTES:
            top = self._stack.pop()
            item = List(_QUOTES[top.mark], List(item, None))
            item.at = self._span(top.start, end)
        self._stack[-1].items.append(item)

    def _span(self, start: int, end: int) -> Span | None:
        if not self._is_placed:
            return None
        first, last = bisect_right(self._lines, start), bisect_right(self._lines, end)
        return first, start - self._lines[first - 1] + 1, last, end - self._lines[last - 1] + 1


def _collection(top: _Open, at: Span | None) -> Value:
    items = top.items
    result: Value
    if top.mark == "(":
        result = _list(top, at)
    elif top.mark == "[":
        result = Vector(tuple(items))
    elif top.mark == "{":
        if len(items) % 2:
            raise AleCompileError("object needs an even number of forms", at)
        result = object_of(items)
    elif top.mark == "#{":
        result = AleSet(dict.fromkeys(map(encode, items)))
    elif all(type(item) is int and 0 <= item <= 255 for item in items):
        return bytes(items)
    else:
        result = List(core("bytes"), list_of(items))
    if result is not None and type(result) is not Cons:
        result.at = at
    return result


def _list(top: _Open, at: Span | None) -> Value:
    if top.dot is None:
        return list_of(top.items)
    if top.dot != len(top.items) - 1:
        raise AleCompileError("misplaced dot", at)
    result: Value = top.items[-1]
    for item in reversed(top.items[:-1]):
        result = List(item, result) if result is None or type(result) is List else Cons(item, result)
    return result


def _atom(kind: str, text: str, at: Span | None) -> Value:
    if kind == "string":
        return _string(text, at)
    if kind == "keyword":
        return Keyword(text[1:])
    if kind == "symbol":
        return text == "#t" if text in ("#t", "#f") else parse_symbol(text, at)
    return _number(text, at)


def _string(text: str, at: Span | None) -> str:
    body = _ESCAPE.sub(lambda escape: _ESCAPED.get(escape.group(1), escape.group(1)), text[1:-1])
    if len(text) < 2 or not text.endswith('"') or _is_escaped_at_end(text):
        raise AleUnfinishedError("string is not closed", at)
    return body


def _is_escaped_at_end(text: str) -> bool:
    """Whether the quote at the end belongs to an escape."""
    before = text[1:-1]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _number(text: str, at: Span | None) -> int | float | Fraction:
    if len(text) > MAX_DIGITS:
        raise AleCompileError(f"number is longer than {MAX_DIGITS} characters", at)
    if _RATIO.fullmatch(text):
        ratio = Fraction(text)
        return ratio.numerator if ratio.denominator == 1 else ratio
    if _FLOAT.fullmatch(text):
        number = float(text)
        if isinf(number):
            raise AleCompileError(f"number is out of range: {text}", at)
        return number
    integer = _INTEGER.fullmatch(text)
    if integer is None:
        raise AleCompileError(f"not a number: {text}", at)
    radix = next(name for name in "xbod" if integer[name])
    magnitude = int(integer[radix].replace("_", ""), _RADIX[radix])
    return -magnitude if integer[1] == "-" else magnitude
