# SPDX-License-Identifier: Apache-2.0
"""Calling values: procedures, what can be called besides them, and pending tail calls.

A compiled procedure may give back a tail call instead of a value: a raw tuple (callable, *arguments). `invoke` and
`settle` make it; compiled code and every builtin that calls something goes through one of them.
Source: the contract, scripts §2.2 (callable as) and §2.5.
"""

from collections.abc import Callable
from typing import Final

from argyll_engine.scripting.ale.arithmetic import integer
from argyll_engine.scripting.ale.errors import AleRunError
from argyll_engine.scripting.ale.keys import decode, encode
from argyll_engine.scripting.ale.meter import Meter
from argyll_engine.scripting.ale.printer import mismatch
from argyll_engine.scripting.ale.sequences import INDEXED, length
from argyll_engine.scripting.ale.values import (
    AleObject,
    AleSet,
    Keyword,
    Lazy,
    List,
    Procedure,
    Promise,
    Value,
    Vector,
    list_of,
)

MAPPED: Final = frozenset({AleObject, AleSet, Procedure, Promise, Lazy})
"""What `get` and keywords look into; procedures, promises and lazy sequences have nothing there."""


_TO_THE_END: Final = object()


def settle(meter: Meter, call: tuple[Value, ...]) -> Value:
    """The value of a pending tail call."""
    while True:
        target = call[0]
        if type(target) is not Procedure:
            target = callee(target)
        result = target(meter, *call[1:])
        if type(result) is not tuple:
            return result
        call = result


def invoke(meter: Meter, target: Value, *arguments: Value) -> Value:
    """The value of a call. Raises AleRunError for what cannot be called."""
    if type(target) is not Procedure:
        target = callee(target)
    result = target(meter, *arguments)
    return settle(meter, result) if type(result) is tuple else result


def callee(target: Value) -> Callable[..., Value]:
    """A procedure that does what calling the value means. Raises AleRunError for what cannot be called."""
    if type(target) is Procedure:
        return target
    call = _CALLS.get(type(target))
    if call is None:
        raise mismatch(target, "procedure")

    def bound(meter: Meter, *arguments: Value) -> Value:
        return call(meter, target, *arguments)

    return bound


def look_up(value: Value, key: Value, default: Value = None) -> Value:
    """What a mapped value has under an encoded key. Raises AleRunError for what is not mapped."""
    kind = type(value)
    if kind is AleObject:
        return value.map.get(key, default)
    if kind is AleSet:
        return decode(key) if key in value.map else default
    if kind in MAPPED:
        return default
    raise mismatch(value, "mapped")


def call_keyword(meter: Meter, keyword: Keyword, value: Value, default: Value = None) -> Value:
    """The member of a mapped value, or the default."""
    return look_up(value, keyword.name, default)


def call_boolean(meter: Meter, value: bool, *arguments: Value) -> bool:
    """The boolean itself."""
    return value


def call_integer(meter: Meter, index: int, value: Value, default: Value = None) -> Value:
    """The element at this index, or the default."""
    if type(value) not in INDEXED:
        raise mismatch(value, "indexed")
    return element_at(value, index) if 0 <= index < length(value) else default


def call_mapped(meter: Meter, value: Value, key: Value, default: Value = None) -> Value:
    """The member under this key, or the default."""
    return look_up(value, encode(key), default)


def call_slice(meter: Meter, value: Value, start: Value, end: Value = _TO_THE_END) -> Value:
    """The elements from `start` up to `end`. Raises AleRunError for what lies outside."""
    size = length(value)
    first, last = integer(start), size if end is _TO_THE_END else integer(end)
    if not 0 <= first <= last <= size or (type(value) is List and first == size):
        raise AleRunError(f"range {first} to {last} is outside of the {size} elements")
    meter.bulk(last - first)
    if type(value) is Vector:
        return Vector(value.all()[first:last])
    if type(value) is List:
        return list_of(tuple(value)[first:last])
    return value[first:last]


def call_promise(meter: Meter, promise: Promise) -> Value:
    """The value of the promise, computed at most once; a failure is kept too."""
    if promise.thunk is not None:
        try:
            promise.value = invoke(meter, promise.thunk)
        except AleRunError as error:
            promise.error = error
        promise.thunk = None
    if promise.error is not None:
        raise promise.error
    return promise.value


def element_at(value: Value, index: int) -> Value:
    """The element of an indexed value; the index is in range."""
    if type(value) is Vector:
        return value.items[value.start + index]
    if type(value) is List:
        for _ in range(index):
            value = value.tail
        return value.head
    return value[index]


_CALLS: Final[dict[type, Callable[..., Value]]] = {
    Keyword: call_keyword,
    bool: call_boolean,
    int: call_integer,
    AleObject: call_mapped,
    AleSet: call_mapped,
    str: call_slice,
    bytes: call_slice,
    Vector: call_slice,
    List: call_slice,
    Promise: call_promise,
}


def arity_of_call(value: Value) -> tuple[int, int | None] | None:
    """Least and most arguments with which a value that is no procedure can be called; None if it cannot be."""
    if type(value) is bool:
        return 0, None
    if type(value) is Promise:
        return 0, 0
    return (1, 2) if type(value) in _CALLS else None
