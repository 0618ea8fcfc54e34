# SPDX-License-Identifier: Apache-2.0
"""Copies of frozen dataclasses with some fields set anew: what `dataclasses.replace` gives, at a fraction of its cost.

For classes with slots and without `__post_init__`. Used by the folds, which copy several states for each event.
"""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

T = TypeVar("T")

Getter = Callable[[Any], Any]
Setter = Callable[[Any, Any], None]


class _Slots(dict[type, tuple[tuple[tuple[Getter, Setter], ...], dict[str, Setter]]]):
    """How to read and write each field of a class, found out at its first use."""

    def __missing__(self, cls: type) -> tuple[tuple[tuple[Getter, Setter], ...], dict[str, Setter]]:
        slots = {field.name: cls.__dict__[field.name] for field in fields(cls)}
        pairs = tuple((slot.__get__, slot.__set__) for slot in slots.values())
        found = self[cls] = pairs, {name: slot.__set__ for name, slot in slots.items()}
        return found


_slots = _Slots()


def changed(value: T, /, **members: Any) -> T:
    """A copy with these fields set. Raises KeyError for a field that the class does not have."""
    cls = type(value)
    pairs, setters = _slots[cls]
    copy: T = object.__new__(cls)
    for get, put in pairs:
        put(copy, get(value))
    for name, member in members.items():
        setters[name](copy, member)
    return copy


def change(value: Any, /, **members: Any) -> None:
    """Set fields of an object that nobody else has seen yet, for example a fresh copy."""
    setters = _slots[type(value)][1]
    for name, member in members.items():
        setters[name](value, member)
