# SPDX-License-Identifier: Apache-2.0
"""The data types of Ale. Values never change once they are made, but for the memo of a lazy cell and of a promise.

Python stands for itself where it can: null is None, booleans are bool, numbers int, float and Fraction, strings str,
byte strings bytes, procedures Python functions whose first parameter is the meter of the run. A raw tuple is never
a value: it is a pending tail call, (callable, *arguments).

Objects and sets are dicts of encoded keys, see `keys.py`. No operation lives here.
Source: the contract, scripts §2.2.
"""

from collections.abc import Callable, Iterable, Iterator
from types import FunctionType
from typing import Any, Final

from argyll_engine.scripting.ale.errors import Span

Value = Any
"""Any value of Ale."""

CORE: Final = "ale"
"""The namespace of everything built in."""


class Symbol:
    """A name; local without a namespace. `at` is where it was read, and no part of its identity."""

    __slots__ = ("at", "name", "namespace")

    def __init__(self, name: str, namespace: str | None = None, at: Span | None = None) -> None:
        self.name, self.namespace, self.at = name, namespace, at

    def __eq__(self, other: object) -> bool:
        return type(other) is Symbol and self.name == other.name and self.namespace == other.namespace

    def __hash__(self) -> int:
        return hash((self.namespace, self.name))

    def __str__(self) -> str:
        return self.name if self.namespace is None else f"{self.namespace}/{self.name}"


class Keyword:
    """A name that stands for itself; `name` has no colon."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return type(other) is Keyword and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


class Cons:
    """A pair of any two values; not a sequence."""

    __slots__ = ("car", "cdr")

    def __init__(self, car: Value, cdr: Value) -> None:
        self.car, self.cdr = car, cdr


class List:
    """A linked list that is not empty (the empty one is None); `tail` is a List or None."""

    __slots__ = ("at", "head", "length", "tail")

    def __init__(self, head: Value, tail: "List | None") -> None:
        self.head, self.tail = head, tail
        self.length: int = 1 if tail is None else tail.length + 1
        self.at: Span | None = None

    def __iter__(self) -> Iterator[Value]:
        cell: List | None = self
        while cell is not None:
            yield cell.head
            cell = cell.tail


class Vector:
    """An array: `items` from `start` on, so that the rest of a vector is made without copying."""

    __slots__ = ("at", "items", "start")

    def __init__(self, items: tuple[Value, ...], start: int = 0) -> None:
        self.items, self.start = items, start
        self.at: Span | None = None

    def all(self) -> tuple[Value, ...]:
        """The elements."""
        return self.items[self.start :] if self.start else self.items

    @property
    def length(self) -> int:
        """Number of elements."""
        return len(self.items) - self.start


class AleObject:
    """A map from encoded keys to values, in the order of insertion."""

    __slots__ = ("at", "map")

    def __init__(self, entries: dict[Value, Value]) -> None:
        self.map = entries
        self.at: Span | None = None


class AleSet:
    """A set: a dict from encoded members to None, in the order of insertion."""

    __slots__ = ("at", "map")

    def __init__(self, members: dict[Value, None]) -> None:
        self.map = members
        self.at: Span | None = None


class Lazy:
    """A cell of a lazy sequence. While `step` is set, it is pending; `step(cell)` sets head, tail and `is_empty`.

    Until then the step may keep what it goes on from in `head` and `tail`. Only `sequences.force` calls the step;
    one that raises leaves the cell pending.
    """

    __slots__ = ("head", "is_empty", "step", "tail")

    def __init__(self, step: "Callable[[Lazy], None] | None", head: Value = None, tail: Value = None) -> None:
        self.step, self.head, self.tail, self.is_empty = step, head, tail, False


class Promise:
    """A value computed at most once; `thunk` is None once that is done, and `error` is set if it failed."""

    __slots__ = ("error", "thunk", "value")

    def __init__(self, thunk: Callable[[], Value] | None, value: Value = None) -> None:
        self.thunk, self.value = thunk, value
        self.error: Exception | None = None


class Macro:
    """A procedure from forms to a form."""

    __slots__ = ("expand",)

    def __init__(self, expand: Callable[..., Value]) -> None:
        self.expand = expand


class Special:
    """A form that the compiler knows by this name."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


Procedure = FunctionType
"""The type of every procedure."""

EMPTY_VECTOR: Final = Vector(())


def list_of(items: Iterable[Value], tail: List | None = None) -> List | None:
    """The list of these elements, followed by those of `tail`."""
    result = tail
    for item in reversed(items if isinstance(items, tuple | list) else tuple(items)):
        result = List(item, result)
    return result


def core(name: str) -> Symbol:
    """The qualified symbol of something built in."""
    return Symbol(name, CORE)


def form(head: Value, *rest: Value) -> List:
    """A form of these parts."""
    return List(head, list_of(rest))
