# SPDX-License-Identifier: Apache-2.0
"""The numeric tower on two operands: int, Fraction, float. No procedure of the library lives here.

Compiled code adds, subtracts and compares two ints itself; everything else comes here.
Source: the contract, scripts §2.8, §2.9 and §6.
"""

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from argyll_engine.scripting.ale.errors import AleLimitError, AleRunError
from argyll_engine.scripting.ale.printer import mismatch
from argyll_engine.scripting.ale.values import Value

Number = int | float | Fraction

NUMBERS: Final = frozenset({int, float, Fraction})
"""The types of numbers; bool is none of them."""

_QUICK: Final = frozenset({int, float})

MAX_BITS: Final = 65_536
"""Size of the product of two integers."""


def number(value: Value) -> Number:
    """The value, which is a number. Raises AleRunError otherwise."""
    if type(value) not in NUMBERS:
        raise mismatch(value, "number")
    result: Number = value
    return result


def integer(value: Value) -> int:
    """The value, which is an integer. Raises AleRunError otherwise."""
    if type(value) is not int:
        raise mismatch(value, "integer")
    return int(value)


def real(value: Value) -> float:
    """A number as a float; one that is too large becomes infinite. Raises AleRunError for what is no number."""
    try:
        return float(number(value))
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def add(a: Value, b: Value) -> Number:
    """The sum. Raises AleRunError for what is no number."""
    if type(a) in _QUICK and type(b) in _QUICK:
        try:
            quick: int | float = a + b
        except OverflowError:
            return real(a) + real(b)
        return quick
    return _combine(operator.add, a, b)


def subtract(a: Value, b: Value) -> Number:
    """The difference. Raises AleRunError for what is no number."""
    if type(a) in _QUICK and type(b) in _QUICK:
        try:
            quick: int | float = a - b
        except OverflowError:
            return real(a) - real(b)
        return quick
    return _combine(operator.sub, a, b)


def multiply(a: Value, b: Value) -> Number:
    """The product. Raises AleRunError for what is no number, AleLimitError for a product that is too large."""
    if type(a) is type(b) is int:
        if a.bit_length() + b.bit_length() > MAX_BITS:
            raise AleLimitError(f"integer exceeds its limit of {MAX_BITS} bits")
        product: int = a * b
        return product
    if type(a) in _QUICK and type(b) in _QUICK:
        try:
            quick: float = a * b
        except OverflowError:
            return real(a) * real(b)
        return quick
    return _combine(operator.mul, a, b)


def divide(a: Value, b: Value) -> Number:
    """The quotient: exact, or by IEEE 754 if either is a float.

    Raises:
        AleRunError: For what is no number, and for an exact division by zero.
    """
    if type(a) is float or type(b) is float:
        x, y = real(a), real(b)
        if y == 0:
            return math.nan if x == 0 or math.isnan(x) else math.copysign(math.inf, x) * math.copysign(1, y)
        return x / y
    if number(b) == 0:
        number(a)
        raise AleRunError("divide by zero")
    return normal(Fraction(number(a)) / b)


def modulo(a: Value, b: Value) -> Number:
    """The remainder, with the sign of the divisor; never negative for ratios.

    Raises:
        AleRunError: For what is no number, and for an exact division by zero.
    """
    if type(a) is type(b) is int and b != 0:
        remainder: int = a % b
        return remainder
    if type(a) is float or type(b) is float:
        x, y = real(a), real(b)
        return math.nan if y == 0 or math.isinf(x) else x % y
    if number(b) == 0:
        number(a)
        raise AleRunError("divide by zero")
    return normal(Fraction(number(a)) % abs(b))


def normal(ratio: Fraction) -> int | Fraction:
    """The ratio, or the integer that it is. Raises AleLimitError for one that is too large."""
    if ratio.numerator.bit_length() > MAX_BITS or ratio.denominator.bit_length() > MAX_BITS:
        raise AleLimitError(f"ratio exceeds its limit of {MAX_BITS} bits")
    return ratio.numerator if ratio.denominator == 1 else ratio


def _combine(operation: Callable[[Value, Value], Value], a: Value, b: Value) -> Number:
    kind, other = type(a), type(b)
    if (kind is float and other is float) or (kind is int and other is int):
        result: Number = operation(a, b)
        return result
    if kind is float or other is float:
        result = operation(real(a), real(b))
        return result
    return normal(operation(Fraction(number(a)), Fraction(number(b))))


def is_equal(a: Value, b: Value) -> bool:
    """Whether two numbers have the same value. Raises AleRunError for what is no number."""
    return _compare(operator.eq, a, b)


def is_less(a: Value, b: Value) -> bool:
    """Whether a < b. Raises AleRunError for what is no number."""
    return _compare(operator.lt, a, b)


def is_at_most(a: Value, b: Value) -> bool:
    """Whether a <= b. Raises AleRunError for what is no number."""
    return _compare(operator.le, a, b)


def is_greater(a: Value, b: Value) -> bool:
    """Whether a > b. Raises AleRunError for what is no number."""
    return _compare(operator.gt, a, b)


def is_at_least(a: Value, b: Value) -> bool:
    """Whether a >= b. Raises AleRunError for what is no number."""
    return _compare(operator.ge, a, b)


def _compare(relation: Callable[[Value, Value], bool], a: Value, b: Value) -> bool:
    kind, other = type(a), type(b)
    if kind not in NUMBERS or other not in NUMBERS:
        raise mismatch(a if kind not in NUMBERS else b, "number")
    if (kind is Fraction and other is float) or (kind is float and other is Fraction):
        return relation(real(a), real(b))
    return relation(a, b)
