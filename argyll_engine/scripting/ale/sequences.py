# SPDX-License-Identifier: Apache-2.0
"""Walking sequences: first, rest, all elements, whatever the type. The only place that forces lazy cells.

Source: the contract, scripts §2.2 (capabilities) and §2.11.
"""

from collections.abc import Callable, Iterator
from typing import Final

from argyll_engine.scripting.ale.keys import decode
from argyll_engine.scripting.ale.meter import Meter
from argyll_engine.scripting.ale.printer import mismatch
from argyll_engine.scripting.ale.values import (
    EMPTY_VECTOR,
    AleObject,
    AleSet,
    Cons,
    Lazy,
    List,
    Value,
    Vector,
    list_of,
)

SEQUENCES: Final = frozenset({type(None), List, Vector, str, AleObject, AleSet, bytes, Lazy})
COUNTED: Final = SEQUENCES - {Lazy}
INDEXED: Final = frozenset({type(None), List, Vector, str, bytes})


def force(cell: Lazy) -> None:
    """Compute a lazy cell, once."""
    if cell.step is not None:
        cell.step(cell)
        cell.step = None


def sequence(value: Value) -> Value:
    """The value, which is a sequence. Raises AleRunError otherwise."""
    if type(value) not in SEQUENCES:
        raise mismatch(value, "sequence")
    return value


def is_empty(value: Value) -> bool:
    """Whether a sequence has no elements. Raises AleRunError for what is no sequence."""
    kind = type(value)
    if value is None:
        return True
    if kind is Lazy:
        force(value)
        return bool(value.is_empty)
    if kind is List:
        return False
    return length(value, "sequence") == 0


def length(value: Value, expected: str = "counted") -> int:
    """Number of elements of a counted sequence. Raises AleRunError for anything else."""
    kind = type(value)
    if kind is Vector or kind is List:
        return int(value.length)
    if kind is str or kind is bytes:
        return len(value)
    if kind is AleObject or kind is AleSet:
        return len(value.map)
    if value is None:
        return 0
    raise mismatch(value, expected)


def first(value: Value) -> Value:
    """The first element, or the left half of a pair; null of what is empty. Raises AleRunError for others."""
    kind = type(value)
    if kind is List:
        return value.head
    if kind is Vector:
        return value.items[value.start] if value.length else None
    if kind is Lazy:
        force(value)
        return value.head
    if kind is Cons:
        return value.car
    if kind not in SEQUENCES:
        raise mismatch(value, "pair")
    return next(elements(value), None)


def rest(value: Value) -> Value:
    """All but the first element, of the same kind; the right half of a pair. Raises AleRunError for others."""
    kind = type(value)
    if kind is List or kind is Lazy:
        if kind is Lazy:
            force(value)
        return value.tail
    if kind is Vector:
        return Vector(value.items, value.start + 1) if value.length else EMPTY_VECTOR
    if kind is str or kind is bytes:
        return value[1:]
    if kind is Cons:
        return value.cdr
    if kind is AleObject or kind is AleSet:
        keys = iter(value.map)
        next(keys, None)
        return kind({key: value.map[key] for key in keys})
    if value is None:
        return None
    raise mismatch(value, "pair")


def elements(value: Value) -> Iterator[Value]:
    """The elements of a sequence that is not lazy; entries of an object are pairs."""
    kind = type(value)
    if kind is Vector:
        return iter(value.all())
    if kind is AleObject:
        return (Cons(decode(key), entry) for key, entry in value.map.items())
    if kind is AleSet:
        return map(decode, value.map)
    if value is None:
        return iter(())
    if kind is List or kind is str or kind is bytes:
        return iter(value)
    raise mismatch(value, "sequence")


def walk(meter: Meter, value: Value) -> Iterator[Value]:
    """The elements of any sequence, each a step. Raises AleRunError for what is no sequence."""
    if type(value) is not Lazy:
        if value is not None and type(value) is not List:
            meter.bulk(length(value, "sequence"))
        return elements(value)
    return _walk_lazy(meter, value)


def _walk_lazy(meter: Meter, value: Value) -> Iterator[Value]:
    while type(value) is Lazy:
        meter.left -= 1
        if meter.left < 0:
            meter.check()
        step = value.step
        if step is not None:
            step(value)
            value.step = None
        if value.is_empty:
            return
        yield value.head
        value = value.tail
    yield from elements(value)


def lenient(value: Value) -> Value:
    """The sequence, or null for what is none. Source: the contract, scripts §2.11 (`map` and its like)."""
    return value if type(value) in SEQUENCES else None


def stepwise(value: Value) -> Value:
    """A sequence whose rest costs nothing, with the same elements."""
    return value if type(value) in (List, Vector, Lazy) or value is None else Vector(tuple(elements(value)))


def linked(value: Value) -> Value:
    """A sequence as what has a head and a tail: a list, a lazy sequence, or null."""
    if value is None or type(value) is Lazy or type(value) is List:
        return value
    return list_of(tuple(elements(value)))


def close(cell: Lazy) -> None:
    """Make a pending cell the end of its sequence."""
    cell.head, cell.tail, cell.is_empty = None, None, True


def prepend(item: Value, value: Value) -> Value:
    """The item before a list, vector or lazy sequence; with anything else a pair."""
    kind = type(value)
    if value is None or kind is List:
        return List(item, value)
    if kind is Vector:
        return Vector((item, *value.all()))
    if kind is Lazy:
        return Lazy(None, item, value)
    return Cons(item, value)


def become(cell: Lazy, value: Value) -> None:
    """Give a lazy cell the content of a sequence. A chain of cells that become one another takes no depth."""
    chain = [cell]
    while type(value) is Lazy and type(value.step) is Becoming:
        chain.append(value)
        value = value.step.build()
    if is_empty(sequence(value)):
        head, tail, empty = None, None, True
    else:
        head, tail, empty = first(value), rest(value), False
    for link in chain:
        link.head, link.tail, link.is_empty, link.step = head, tail, empty, None


class Becoming:
    """The step of `lazy-seq`: the cell takes the content of whatever sequence `build` gives."""

    __slots__ = ("build",)

    def __init__(self, build: Callable[[], Value]) -> None:
        self.build = build

    def __call__(self, cell: Lazy) -> None:
        """Give the cell its content."""
        become(cell, self.build())


def to_list(meter: Meter, value: Value) -> List | None:
    """The list of all elements. Raises AleRunError for what is no sequence."""
    return value if type(value) is List else list_of(tuple(walk(meter, value)))
