# SPDX-License-Identifier: Apache-2.0
"""Values as text: what `str` and `str!` show, and the text by which keys are told apart. Never recursive.

Source: the contract, scripts §2.10.
"""

import math
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Final

from argyll_engine.scripting.ale.errors import AleLimitError, AleRunError
from argyll_engine.scripting.ale.values import (
    AleObject,
    AleSet,
    Cons,
    Keyword,
    Lazy,
    List,
    Macro,
    Promise,
    Special,
    Symbol,
    Value,
    Vector,
)

MAX_TEXT: Final = 16 * 1_048_576
"""Characters of one text."""

Spend = Callable[[int], None]
"""Takes steps from a meter."""

_ESCAPES: Final = str.maketrans(
    {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
)
_PLAIN_EXPONENTS: Final = range(-4, 6)


def render(value: Value, spend: Spend | None = None, *, is_exact: bool = False, limit: int = MAX_TEXT) -> str:
    """The readable text of a value: strings in quotes, members of objects and sets in the order of their text.

    Args:
        spend: takes a step for every part.
        limit: characters that the text may have.
        is_exact: make texts differ wherever `eq` does: pairs are never shown as lists, procedures and the like
            are told apart by identity.

    Raises:
        AleLimitError: The text is longer than the limit.
    """
    parts: list[str] = []
    size = 0
    pending: list[Value] = [value]
    while pending:
        current = pending.pop()
        if type(current) is tuple:  # not a value but a piece of text
            text = current[0]
        elif isinstance(current, List | Vector | AleObject | AleSet | Cons):
            text = _open(current, pending, is_exact)
        else:
            text = _atom(current, is_exact)
        parts.append(text)
        size += len(text)
        if spend is not None:
            spend(1)
        if size > limit:
            raise AleLimitError(f"text is longer than its limit of {limit} characters")
    return "".join(parts)


def display(value: Value, spend: Spend | None = None) -> str:
    """The text that `str` makes of one argument: a string is itself, null is nothing."""
    if type(value) is str:
        return value
    if type(value) is int:
        return integer_text(value)
    return "" if value is None else render(value, spend)


def float_text(number: float) -> str:
    """The text of a float."""
    if math.isnan(number):
        return "nan"
    if math.isinf(number):
        return "+inf" if number > 0 else "-inf"
    if number.is_integer() and -(2**63) <= number < 2**63:
        return f"{int(number)}.0"
    sign, digits, exponent = Decimal(repr(number)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    point = len(digits) + int(exponent) - 1
    if point in _PLAIN_EXPONENTS:
        body = f"0.{'0' * (-point - 1)}{text}" if point < 0 else f"{text[: point + 1]}.{text[point + 1 :]}"
    else:
        body = f"{text[0]}{'.' if text[1:] else ''}{text[1:]}e{point:+03d}"
    return f"-{body}" if sign else body


def integer_text(number: int) -> str:
    """The decimal text of an integer. Raises AleLimitError for one that Python refuses to print."""
    try:
        return str(number)
    except ValueError as exc:
        raise AleLimitError("integer has too many digits to print") from exc


def kind_of(value: Value) -> str:
    """The word by which errors call the type of a value. Source: the contract, scripts §1.7."""
    return _KINDS.get(type(value), "procedure")


def quoted(text: str) -> str:
    """The text of a string as it is read."""
    return f'"{text.translate(_ESCAPES)}"'


_KINDS: Final = {
    type(None): "null", bool: "boolean", int: "integer", float: "float", Fraction: "ratio", str: "string",
    bytes: "bytes", Keyword: "keyword", Symbol: "symbol", Cons: "cons", List: "list", Vector: "vector",
    AleObject: "object", AleSet: "set", Lazy: "lazy sequence", Promise: "promise",
    Macro: "macro", Special: "special form",
}  # fmt: skip


def _atom(value: Value, is_exact: bool) -> str:
    kind = type(value)
    if kind is str:
        return quoted(value)
    if kind is Keyword:
        return f":{value.name}"
    if kind is int:
        return integer_text(value)
    if kind is float:
        return float_text(value)
    if value is None:
        return "()"
    if kind is bool:
        return "#t" if value else "#f"
    if kind is Fraction:
        return f"{integer_text(value.numerator)}/{integer_text(value.denominator)}"
    if kind is Symbol:
        return str(value)
    if kind is bytes:
        return f"#b[{' '.join(map(str, value))}]"
    return f"#<{kind_of(value)} {id(value)}>" if is_exact else f"#<{kind_of(value)}>"


def _open(value: Value, pending: list[Value], is_exact: bool) -> str:
    """The opening bracket; the rest of the container goes onto `pending`, last part first."""
    kind = type(value)
    if kind is List:
        _push(pending, value, ")")
        return "("
    if kind is Vector:
        _push(pending, value.all(), "]")
        return "["
    if kind is Cons:
        _push_pair(value, pending, is_exact)
        return "("
    texts = _sorted_keys(value.map)
    if kind is AleSet:
        _push(pending, [(text,) for text, _ in texts], "}")
        return "#{"
    _push(pending, [part for text, key in texts for part in ((text,), value.map[key])], "}")
    return "{"


def _push(pending: list[Value], items: Iterable[Value], closing: str) -> None:
    pieces: list[Value] = []
    for item in items:
        if pieces:
            pieces.append((" ",))
        pieces.append(item)
    pieces.append((closing,))
    pending.extend(reversed(pieces))


def _push_pair(value: Cons, pending: list[Value], is_exact: bool) -> None:
    pieces: list[Value] = [value.car]
    rest = value.cdr
    while type(rest) is Cons and not is_exact:
        pieces += ((" ",), rest.car)
        rest = rest.cdr
    if is_exact:
        pieces += ((" . ",), rest)
    elif isinstance(rest, List | Vector):
        for item in rest if isinstance(rest, List) else rest.all():
            pieces += ((" ",), item)
    elif rest is not None:
        pieces += ((" . ",), rest)
    pieces.append((")",))
    pending.extend(reversed(pieces))


def _sorted_keys(entries: dict[Value, Value]) -> list[tuple[str, Value]]:
    return sorted(((_key_text(key), key) for key in entries), key=lambda entry: entry[0])


def _key_text(key: Value) -> str:
    """The text of an encoded key, see `keys.py`."""
    if type(key) is str:
        return f":{key}"
    return integer_text(key) if type(key) is int else render(key.value)


def mismatch(value: Value, expected: str) -> AleRunError:
    """The error for a value of a wrong type. Source: the contract, scripts §1.7."""
    return AleRunError(f"got {kind_of(value)}, expected {expected}")
