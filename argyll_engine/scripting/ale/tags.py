# SPDX-License-Identifier: Apache-2.0
"""Values as tagged JSON, which tells every type of Ale apart; what conformance data is written in.

A number is itself, {"$ratio": [2, 3]}, {"$kw": …}, {"$sym": …}, {"$list": […]}, {"$vec": […]}, {"$obj": [[k, v], …]},
{"$set": […]}, {"$bytes": […]}, {"$cons": [a, b]}, {"$other": text} for what has no data in it.
"""

from fractions import Fraction
from typing import Any

from argyll_engine.scripting.ale.folding import fold
from argyll_engine.scripting.ale.keys import decode
from argyll_engine.scripting.ale.printer import render
from argyll_engine.scripting.ale.values import AleObject, AleSet, Cons, Keyword, List, Symbol, Value, Vector


def tagged(value: Value) -> Any:
    """The tagged JSON of a value."""
    return fold(value, _parts, _build)


def _parts(value: Value) -> list[Value]:
    kind = type(value)
    if kind is AleObject:
        return [part for key, item in value.map.items() for part in (decode(key), item)]
    if kind is AleSet:
        return list(map(decode, value.map))
    if kind is Cons:
        return [value.car, value.cdr]
    return list(value) if kind is List else list(value.all()) if kind is Vector else []


def _build(value: Value, parts: list[Any]) -> Any:
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is Fraction:
        return {"$ratio": [value.numerator, value.denominator]}
    if kind is AleObject:
        return {"$obj": [list(pair) for pair in zip(parts[::2], parts[1::2], strict=True)]}
    if kind in _TAGS:
        return {_TAGS[kind]: parts}
    if kind is bytes:
        return {"$bytes": list(value)}
    if kind is Keyword:
        return {"$kw": value.name}
    return {"$sym": str(value)} if kind is Symbol else {"$other": render(value)}


_TAGS = {List: "$list", Vector: "$vec", AleSet: "$set", Cons: "$cons"}
