# SPDX-License-Identifier: Apache-2.0
"""Builtin predicates, each with its opposite: `p?` holds if every argument does, `!p?` if none does.

Source: the contract, scripts §2.2 (capabilities) and §2.15.
"""

import math
from collections.abc import Callable
from typing import Final

from argyll_engine.scripting.ale.arithmetic import NUMBERS, modulo, number
from argyll_engine.scripting.ale.calling import MAPPED
from argyll_engine.scripting.ale.errors import AleRunError
from argyll_engine.scripting.ale.meter import Meter
from argyll_engine.scripting.ale.printer import kind_of
from argyll_engine.scripting.ale.sequences import COUNTED, INDEXED, SEQUENCES, is_empty
from argyll_engine.scripting.ale.values import (
    AleObject,
    AleSet,
    Cons,
    Keyword,
    List,
    Macro,
    Procedure,
    Promise,
    Special,
    Symbol,
    Value,
    Vector,
)

Test = Callable[[Value], bool]


def _is(*kinds: type) -> Test:
    return lambda value: type(value) in kinds


def _is_nan(value: Value) -> bool:
    return type(value) is float and math.isnan(value)


def _is_forced(value: Value) -> bool:
    return type(value) is not Promise or value.thunk is None


def _is_pair(value: Value) -> bool:
    return value is not None and (type(value) in SEQUENCES or type(value) is Cons)


def _is_local(value: Value) -> bool:
    return type(value) is Symbol and value.namespace is None


def _is_qualified(value: Value) -> bool:
    return type(value) is Symbol and value.namespace is not None


_KINDS: Final[dict[str, Test]] = {
    "any": lambda value: True,
    "appender": _is(Vector, str, bytes, AleSet),
    "atom": lambda value: value is not None and type(value) not in (Symbol, List, Vector, AleObject, AleSet),
    "boolean": _is(bool),
    "bytes": _is(bytes),
    "cons": _is(Cons),
    "counted": _is(*COUNTED),
    "indexed": _is(*INDEXED),
    "keyword": _is(Keyword),
    "list": _is(List, type(None)),
    "local": _is_local,
    "macro": _is(Macro),
    "mapped": _is(*MAPPED),
    "mapper": _is(AleObject),
    "nan": _is_nan,
    "null": lambda value: value is None,
    "number": _is(*NUMBERS),
    "object": _is(AleObject),
    "pair": _is_pair,
    "procedure": _is(Procedure),
    "promise": _is(Promise),
    "qualified": _is_qualified,
    "resolved": _is_forced,
    "reverser": _is(List, type(None), Vector, str, bytes),
    "sequence": _is(*SEQUENCES),
    "set": _is(AleSet),
    "special": _is(Special),
    "string": _is(str),
    "symbol": _is(Symbol),
    "vector": _is(Vector),
}

_NAMES: Final = {"appender": "appendable", "reverser": "reversible", "sequence": "seq"}

_TESTS: Final[dict[str, Test]] = {
    **{_NAMES.get(kind, kind): test for kind, test in _KINDS.items()},
    "promise-forced": _is_forced,
    "empty": is_empty,
    "zero": lambda value: number(value) == 0,
    "even": lambda value: modulo(value, 2) == 0,
    "odd": lambda value: modulo(value, 2) == 1,
    "inf": lambda value: number(value) == math.inf,
    "-inf": lambda value: number(value) == -math.inf,
    "true": lambda value: value is True,
    "false": lambda value: value is False,
}


def _every(name: str, test: Test) -> Value:
    def predicate(meter: Meter, value: Value, *values: Value) -> bool:
        return test(value) and all(map(test, values))

    predicate.__doc__ = f"Whether every argument is {name}."
    return predicate


def _none(name: str, test: Test) -> Value:
    def predicate(meter: Meter, value: Value, *values: Value) -> bool:
        return not test(value) and not any(map(test, values))

    predicate.__doc__ = f"Whether no argument is {name}."
    return predicate


def _test_of(kind: Value) -> Test:
    test = _KINDS.get(kind.name) if type(kind) is Keyword else None
    if test is None:
        raise AleRunError(f"not a kind of value: {kind.name if type(kind) is Keyword else kind_of(kind)}")
    return test


def is_a(meter: Meter, kind: Value, value: Value) -> bool:
    """Whether the value is of a kind, such as :number or :sequence."""
    return _test_of(kind)(value)


def assert_type(meter: Meter, kind: Value, value: Value) -> Value:
    """The value, if it is of this kind; an error otherwise."""
    if not _test_of(kind)(value):
        raise AleRunError(f"got {kind_of(value)}, expected {kind.name}")
    return value


def predicate_of(meter: Meter, kind: Value) -> Value:
    """The predicate of a kind, such as :number."""
    return _every(kind.name if type(kind) is Keyword else "", _test_of(kind))


def predicate_like(meter: Meter, value: Value, *values: Value) -> Value:
    """The predicate that holds for values of the types of these."""
    return _every("of these types", _is(*map(type, (value, *values))))


PROCEDURES: Final[dict[str, Value]] = {
    **{f"{name}?": _every(name, test) for name, test in _TESTS.items()},
    **{f"!{name}?": _none(name, test) for name, test in _TESTS.items()},
    "is-a": is_a, "assert-type": assert_type, "%is-a": predicate_of, "%type-of": predicate_like,
}  # fmt: skip
"""The procedures of this file, by name."""
