# SPDX-License-Identifier: Apache-2.0
"""Keys of objects and members of sets, encoded for Python's dict so that they are told apart as `eq` does.

A keyword is its name (so that an object from JSON is its own dict), an integer itself, everything else a Key.
Source: the contract, scripts §2.2 (key identity).
"""

from collections.abc import Iterable
from typing import Final

from argyll_engine.scripting.ale.printer import render
from argyll_engine.scripting.ale.values import AleObject, AleSet, Keyword, Value

MAX_KEY: Final = 262_144
"""Characters of the text of a key."""


class Key:
    """Any value as a key; equal to another when their exact texts are."""

    __slots__ = ("text", "value")

    def __init__(self, value: Value) -> None:
        self.value = value
        self.text = f'"{value}' if type(value) is str else render(value, is_exact=True, limit=MAX_KEY)

    def __eq__(self, other: object) -> bool:
        return type(other) is Key and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


def encode(value: Value) -> Value:
    """The key under which a value is kept."""
    kind = type(value)
    if kind is Keyword:
        return value.name
    return value if kind is int else Key(value)


def decode(key: Value) -> Value:
    """The value that is kept under this key."""
    kind = type(key)
    if kind is str:
        return Keyword(key)
    return key if kind is int else key.value


def object_of(parts: Iterable[Value]) -> AleObject:
    """The object of keys and values that take turns, an even number in all; of equal keys the first stays."""
    entries: dict[Value, Value] = {}
    walk = iter(parts)
    for key, value in zip(walk, walk, strict=True):
        entries.setdefault(encode(key), value)
    return AleObject(entries)


def set_of(members: Iterable[Value]) -> AleSet:
    """The set of these values."""
    return AleSet(dict.fromkeys(map(encode, members)))
