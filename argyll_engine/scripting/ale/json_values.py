# SPDX-License-Identifier: Apache-2.0
"""JSON values to values of Ale and back, of any depth, without recursion.

Numbers keep their kind: 5 is an integer, 5.0 a float. On the way out a ratio is a float, a float without a fraction
an integer (as the JSON of the reference has it), and integers are exact whatever their size.
Source: the contract, scripts §1.4, §1.5, D1–D3.
"""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from argyll_engine.scripting.ale.arithmetic import real
from argyll_engine.scripting.ale.errors import AleLimitError, AleRunError
from argyll_engine.scripting.ale.folding import fold
from argyll_engine.scripting.ale.keys import decode
from argyll_engine.scripting.ale.meter import Meter
from argyll_engine.scripting.ale.printer import kind_of, render
from argyll_engine.scripting.ale.sequences import walk
from argyll_engine.scripting.ale.values import AleObject, AleSet, Cons, Keyword, Lazy, List, Symbol, Value, Vector

JSON = Any
"""None, bool, int, float, str, a sequence of JSON or a mapping from strings to JSON."""

MAX_RESULT_DEPTH: Final = 200
"""Levels of nesting that a result may have: what reads JSON further on is recursive."""

_MAX_WHOLE: Final = 1e21  # from here on the reference writes floats with an exponent
_MAX_DIGIT_BITS: Final = 14_000  # just below what Python prints
_SCALAR_BYTES: Final = 8
_SCALARS: Final = frozenset({type(None), bool, int, float, str, Fraction, Keyword, Symbol, Cons, bytes})
_JSON_SCALARS: Final = frozenset({type(None), bool, int, float, str})
_QUICK: Final = frozenset({str, int, bool, type(None)})


def from_json(value: JSON) -> Value:
    """The value of Ale: arrays are vectors, objects have keywords as keys."""
    if not isinstance(value, str | int | float | None):
        return fold(value, _json_parts, _from_json)
    return value


def _json_parts(value: JSON) -> list[JSON]:
    members = value.values() if isinstance(value, Mapping) else value
    return [member for member in members if _is_json_container(member)]


def _is_json_container(value: JSON) -> bool:
    kind = type(value)
    if kind is dict or kind is list:
        return True
    return kind not in _JSON_SCALARS and isinstance(value, Mapping | Sequence) and not isinstance(value, str)


def _from_json(value: JSON, parts: list[Value]) -> Value:
    walk_parts = iter(parts)
    if isinstance(value, Mapping):
        if not parts:
            return AleObject(dict(value))
        return AleObject({k: next(walk_parts) if _is_json_container(v) else v for k, v in value.items()})
    if not parts:
        return Vector(tuple(value))
    return Vector(tuple(next(walk_parts) if _is_json_container(item) else item for item in value))


def to_json(meter: Meter, value: Value) -> JSON:
    """The JSON of a value; lazy sequences and sets are arrays.

    Raises:
        AleRunError: The value has a number or a procedure in it, which JSON cannot carry.
        AleLimitError: It is too large, or nests too deeply.
    """
    if type(value) in _SCALARS:
        return _scalar(value)
    limits = _Sizes(meter)
    result: JSON = fold(value, limits.parts, limits.build)[0]
    return result


class _Sizes:
    """Builds JSON from the inside out; each container comes with its size and its depth.

    The size is that of the JSON text, roughly; parts that are shared count wherever they appear.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._realised: dict[int, list[Value]] = {}

    def parts(self, value: Value) -> list[Value]:
        """The containers right inside of a container."""
        self._realised[id(value)] = members = self._members(value)
        return [member for member in members if type(member) not in _SCALARS]

    def build(self, value: Value, parts: list[tuple[JSON, int, int]]) -> tuple[JSON, int, int]:
        """JSON, size in bytes and depth of a container, from those inside of it."""
        members = self._realised.pop(id(value))
        size = _SCALAR_BYTES + sum(part[1] for part in parts)
        depth = 1 + max((part[2] for part in parts), default=0)
        inner = iter(parts)
        items: list[JSON] = []
        for member in members:
            item = _scalar(member) if type(member) in _SCALARS else next(inner)[0]
            size += len(item) if type(item) is str else _SCALAR_BYTES
            items.append(item)
        if type(value) is AleObject:
            names = [_name(key) for key in value.map]
            size += sum(map(len, names))
            result: JSON = dict(zip(names, items, strict=True))
        else:
            result = items
        if size > self._meter.limits.max_result_bytes:
            raise AleLimitError(f"script result is larger than {self._meter.limits.max_result_bytes} bytes")
        if depth > MAX_RESULT_DEPTH:
            raise AleLimitError(f"script result nests deeper than {MAX_RESULT_DEPTH} levels")
        return result, size, depth

    def _members(self, value: Value) -> list[Value]:
        kind = type(value)
        if kind is AleObject:
            return list(value.map.values())
        if kind is Vector:
            return list(value.all())
        if kind is List or kind is Lazy:
            return list(walk(self._meter, value))
        if kind is AleSet:
            return sorted(map(decode, value.map), key=render)
        raise AleRunError(f"a {kind_of(value)} cannot be a result")


def _name(key: Value) -> str:
    """The name of a member: a keyword or a string as it is, anything else as JSON text."""
    if type(key) is str:
        return key
    value = decode(key)
    if type(value) in (str, int, Keyword, bool):
        return value if type(value) is str else str(value).lower() if type(value) is bool else str(_scalar(value))
    return render(value)


def _scalar(value: Value) -> JSON:
    kind = type(value)
    if kind is int:
        if value.bit_length() > _MAX_DIGIT_BITS:
            raise AleRunError("integer has too many digits for a result")
        return value
    if kind in _QUICK:
        return value
    if kind is float or kind is Fraction:
        return _float(real(value))
    if kind is Keyword:
        return value.name
    return list(value) if kind is bytes else render(value)


def _float(number: float) -> int | float:
    if not math.isfinite(number):
        raise AleRunError(f"result has a number that JSON cannot carry: {number}")
    return int(number) if number.is_integer() and abs(number) < _MAX_WHOLE else number
