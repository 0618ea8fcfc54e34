# SPDX-License-Identifier: Apache-2.0
"""Structural, type-strict equality: the relation under `eq`. Never recursive.

Source: the contract, scripts §2.8.
"""

from types import CellType
from typing import Final

from argyll_engine.scripting.ale.meter import Meter
from argyll_engine.scripting.ale.values import AleObject, AleSet, Cons, List, Procedure, Value, Vector

_CONTAINERS: Final = frozenset({List, Vector, Cons, AleObject})
_Pairs = list[tuple[Value, Value]]


def equal(meter: Meter, a: Value, b: Value) -> bool:
    """Whether two values have the same type and the same content."""
    if type(a) is not type(b):
        return False
    if type(a) not in _CONTAINERS:
        return _is_same(a, b)
    pending: _Pairs = [(a, b)]
    while pending:
        meter.spend(1)
        a, b = pending.pop()
        if type(a) is not type(b):
            return False
        if type(a) in _CONTAINERS:
            if a is not b and not _open(a, b, pending):
                return False
        elif not _is_same(a, b):
            return False
    return True


def _is_same(a: Value, b: Value) -> bool:
    """Equality of two values of one type that hold no others."""
    if type(a) is AleSet:
        return bool(a.map.keys() == b.map.keys())
    if type(a) is Procedure:
        return _is_same_code(a, b)
    return bool(a == b)


def _is_same_code(a: Procedure, b: Procedure) -> bool:
    """Procedures that were compiled from texts alike and hold the very same values are equal."""
    if a is b:
        return True
    one, other = a.__code__, b.__code__
    alike = one.co_code == other.co_code and one.co_consts == other.co_consts and one.co_names == other.co_names
    return alike and [_held(cell) for cell in a.__closure__ or ()] == [_held(cell) for cell in b.__closure__ or ()]


def _held(cell: CellType) -> int:
    """The identity of what a procedure took along; of the cell itself while that is empty."""
    try:
        return id(cell.cell_contents)
    except ValueError:
        return id(cell)


def _open(a: Value, b: Value, pending: _Pairs) -> bool:
    """Whether two containers have the same shape; the pairs of their members go onto `pending`."""
    kind = type(a)
    if kind is Cons:
        pending += ((a.cdr, b.cdr), (a.car, b.car))
        return True
    if kind is AleObject:
        if a.map.keys() != b.map.keys():
            return False
        pending.extend((value, b.map[key]) for key, value in a.map.items())
        return True
    if a.length != b.length:
        return False
    if kind is Vector:
        pending.extend(zip(a.all(), b.all(), strict=True))
    else:
        pending.extend(zip(a, b, strict=True))
    return True
