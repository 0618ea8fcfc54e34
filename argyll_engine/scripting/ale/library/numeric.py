# SPDX-License-Identifier: Apache-2.0
"""Builtin procedures of numbers, comparison and equality. The first line of each docstring is its help.

Source: the contract, scripts §2.8, §2.9 and §2.15.
"""

from collections.abc import Callable
from functools import reduce
from typing import Final

from argyll_engine.scripting.ale.arithmetic import (
    add,
    divide,
    is_at_least,
    is_at_most,
    is_equal,
    is_greater,
    is_less,
    modulo,
    multiply,
    subtract,
)
from argyll_engine.scripting.ale.equality import equal
from argyll_engine.scripting.ale.meter import Meter
from argyll_engine.scripting.ale.values import Procedure, Value

_ZERO: Final[Value] = 0
_ONE: Final[Value] = 1


def add_all(meter: Meter, *numbers: Value) -> Value:
    """The sum of numbers; 0 of none."""
    return reduce(add, numbers, _ZERO)


def multiply_all(meter: Meter, *numbers: Value) -> Value:
    """The product of numbers; 1 of none."""
    return reduce(multiply, numbers, _ONE)


def subtract_all(meter: Meter, value: Value, *numbers: Value) -> Value:
    """The number less all others; its negative if it is alone."""
    return reduce(subtract, numbers, value) if numbers else multiply(-1, value)


def divide_all(meter: Meter, value: Value, *numbers: Value) -> Value:
    """The number divided by all others, exactly unless one is a float; its inverse if it is alone."""
    return reduce(divide, numbers, value) if numbers else divide(1, value)


def modulo_all(meter: Meter, value: Value, divisor: Value, *divisors: Value) -> Value:
    """The remainder of the number by one divisor after the other, with the sign of the divisor."""
    return reduce(modulo, divisors, modulo(value, divisor))


def increment(meter: Meter, value: Value) -> Value:
    """The number and 1."""
    return add(value, 1)


def decrement(meter: Meter, value: Value) -> Value:
    """The number less 1."""
    return subtract(value, 1)


def _chain(relation: Callable[[Value, Value], bool], meaning: str) -> Procedure:
    def compare_all(meter: Meter, value: Value, *numbers: Value) -> bool:
        for other in numbers:
            if not relation(value, other):
                return False
            value = other
        return True

    compare_all.__doc__ = f"Whether each number {meaning} the next."
    return compare_all  # type: ignore[return-value]  # a function is a FunctionType


def differ(meter: Meter, value: Value, *numbers: Value) -> bool:
    """Whether some number differs from the next."""
    return not EQUAL(meter, value, *numbers)


def eq(meter: Meter, value: Value, *others: Value) -> bool:
    """Whether all values have the same type and the same content."""
    for other in others:
        if not equal(meter, value, other):
            return False
        value = other
    return True


def not_eq(meter: Meter, value: Value, *others: Value) -> bool:
    """Whether some value differs from the next in type or content."""
    return not eq(meter, value, *others)


def negate(meter: Meter, value: Value) -> bool:
    """True of false only; everything else, null among it, counts as true."""
    return value is False


BINARY: Final[dict[Value, Callable[[Value, Value], Value]]] = {
    add_all: add, multiply_all: multiply, subtract_all: subtract, divide_all: divide, modulo_all: modulo,
}  # fmt: skip
"""What folding does with two values at a time."""

EQUAL: Final = _chain(is_equal, "equals")

PROCEDURES: Final[dict[str, Value]] = {
    "+": add_all, "*": multiply_all, "-": subtract_all, "/": divide_all, "mod": modulo_all, "modulo": modulo_all,
    "inc": increment, "dec": decrement, "=": EQUAL, "!=": differ, "<": _chain(is_less, "is less than"),
    "<=": _chain(is_at_most, "is at most"), ">": _chain(is_greater, "is greater than"),
    ">=": _chain(is_at_least, "is at least"), "eq": eq, "!eq": not_eq, "not": negate,
}  # fmt: skip
"""The procedures of this file, by name."""
