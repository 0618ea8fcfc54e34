# SPDX-License-Identifier: Apache-2.0
"""Reads the JSON body of the current request as tolerantly as the contract asks, and no more. Shapes are `schemas`'.

Invalid UTF-8 and lone surrogates become U+FFFD, only the first value counts, equal keys keep the last. Whatever
cannot be stored and served again (NaN, numbers that no double reaches, endless nesting) is refused.
Source: the contract, http §1.2.
"""

import json
import math
import re
from typing import Any, Final, NoReturn

from flask import request

from argyll_engine.errors import InvalidJSONError
from argyll_engine.model.ids import JSONValue
from argyll_engine.model.json_text import readable

MAX_NESTING: Final = 500
"""Levels of lists and objects in one body; far below what would exhaust the stack of whoever walks the value."""

_SAFE_DIGITS: Final = 300  # an integer this short is below the largest double
_SPACE: Final = " \t\n\r"
_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)


def read_object(limit_bytes: int) -> dict[str, Any]:
    """The object in the body of the current request; `null` counts as an empty one.

    Raises:
        InvalidJSONError: Too large, not JSON, or no object.
    """
    return as_object(read_value(limit_bytes))


def read_object_if_any(limit_bytes: int) -> dict[str, Any]:
    """The same where the body may be missing, which counts as an empty object."""
    raw = _read(limit_bytes)
    return as_object(parse(raw)) if raw else {}


def read_value(limit_bytes: int) -> JSONValue:
    """The first JSON value in the body of the current request.

    Raises:
        InvalidJSONError: Too large, or not JSON.
    """
    return parse(_read(limit_bytes))


def as_object(value: JSONValue) -> dict[str, Any]:
    """The object that a body is; `null` counts as an empty one. Raises InvalidJSONError when it is no object."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidJSONError(f"the body must be an object, not {kind_of(value)}")
    return value


def parse(raw: bytes) -> JSONValue:
    """The first JSON value in these bytes; integers are exact.

    Raises:
        InvalidJSONError: No JSON value, or one that cannot be kept.
    """
    text = readable(raw).lstrip(_SPACE)
    if not text:
        raise InvalidJSONError("the body is empty")
    _check_nesting(text)
    try:
        return _decoder.raw_decode(text)[0]
    except json.JSONDecodeError as exc:
        raise InvalidJSONError(str(exc)) from exc


def kind_of(value: JSONValue) -> str:
    """What JSON calls a value, with its article."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
    return "an object"


def _read(limit_bytes: int) -> bytes:
    """The body, read piece by piece: it may come without a length, and a stream may give less than asked for."""
    if (request.content_length or 0) > limit_bytes:
        raise InvalidJSONError(f"the body is larger than {limit_bytes} bytes")
    pieces, left = [], limit_bytes + 1
    while left > 0 and (piece := request.stream.read(left)):
        pieces.append(piece)
        left -= len(piece)
    if left <= 0:
        raise InvalidJSONError(f"the body is larger than {limit_bytes} bytes")
    return b"".join(pieces)


def _check_nesting(text: str) -> None:
    """Looks at brackets alone, because whatever parses or walks a value recurses."""
    if text.count("[") + text.count("{") <= MAX_NESTING:
        return
    depth = 0
    for token in _BRACKETS.finditer(text):
        match text[token.start()]:
            case "[" | "{":
                depth += 1
            case "]" | "}":
                depth -= 1
        if depth > MAX_NESTING:
            raise InvalidJSONError(f"nested deeper than {MAX_NESTING} levels")
        if depth <= 0:
            return


def _integer(text: str) -> int:
    if len(text) > _SAFE_DIGITS and math.isinf(float(text)):
        raise InvalidJSONError("a number is out of range")
    return int(text)


def _fraction(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise InvalidJSONError(f"the number {text[:40]} is out of range")
    return value


def _constant(text: str) -> NoReturn:
    raise InvalidJSONError(f"{text} is no JSON value")


_decoder: Final = json.JSONDecoder(parse_int=_integer, parse_float=_fraction, parse_constant=_constant)
