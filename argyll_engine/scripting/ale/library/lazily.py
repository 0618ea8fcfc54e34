# SPDX-License-Identifier: Apache-2.0
"""Builtin procedures that give lazy sequences. Each element is computed once, when it is first looked at.

Every cell of one sequence shares its step; a cell that is pending keeps what it goes on from in `head` and `tail`.
A step must not take depth for elements that it skips, and must leave the cell as it is if it raises.
Source: the contract, scripts §2.11 and §6.
"""

from collections.abc import Callable
from typing import Final

from argyll_engine.scripting.ale.arithmetic import add, integer, is_greater, is_less, number
from argyll_engine.scripting.ale.calling import callee, invoke, settle
from argyll_engine.scripting.ale.errors import AleRunError
from argyll_engine.scripting.ale.library.collections import MISSING
from argyll_engine.scripting.ale.meter import Meter
from argyll_engine.scripting.ale.sequences import (
    Becoming,
    close,
    first,
    force,
    is_empty,
    lenient,
    linked,
    prepend,
    rest,
    sequence,
    stepwise,
    to_list,
)
from argyll_engine.scripting.ale.values import Lazy, Value, Vector, list_of


def lazy_sequence(meter: Meter, build: Value) -> Value:
    """The sequence that the procedure gives when it is first looked at."""
    return Lazy(Becoming(lambda: invoke(meter, build)))


def map_sequences(meter: Meter, procedure: Value, values: Value, *more: Value) -> Value:
    """What the procedure gives for each element, or for one element of each; ends with the shortest."""
    return _map_all(meter, procedure, (values, *more)) if more else _map_one(meter, procedure, values)


def _map_one(meter: Meter, procedure: Value, values: Value) -> Lazy:
    call, source = callee(procedure), lenient(values)
    if type(source) is Vector:
        return _map_vector(meter, call, source.all())

    def step(cell: Lazy) -> None:
        source = cell.tail
        if _ends(meter, source):
            close(cell)
            return
        result = call(meter, source.head)
        if type(result) is tuple:
            result = settle(meter, result)
        cell.head, cell.tail = result, Lazy(step, None, linked(source.tail))

    return Lazy(step, None, linked(source))


def _map_vector(meter: Meter, call: Callable[..., Value], items: tuple[Value, ...]) -> Lazy:
    size = len(items)

    def step(cell: Lazy) -> None:
        place = cell.tail
        if place >= size:
            close(cell)
            return
        result = call(meter, items[place])
        cell.head = settle(meter, result) if type(result) is tuple else result
        cell.tail = Lazy(step, None, place + 1)

    return Lazy(step, None, 0)


def _map_all(meter: Meter, procedure: Value, sequences: tuple[Value, ...]) -> Lazy:
    def step(cell: Lazy) -> None:
        sources = cell.tail
        meter.spend(1)
        if any(map(is_empty, sources)):
            close(cell)
            return
        cell.head = invoke(meter, procedure, *map(first, sources))
        cell.tail = Lazy(step, None, [rest(source) for source in sources])

    return Lazy(step, None, [stepwise(lenient(values)) for values in sequences])


def filter_sequence(meter: Meter, predicate: Value, values: Value) -> Value:
    """The elements for which the predicate gives anything but false."""
    call, source = callee(predicate), lenient(values)
    if type(source) is Vector:
        return _filter_vector(meter, call, source.all())

    def step(cell: Lazy) -> None:
        source = cell.tail
        while not _ends(meter, source):
            item = source.head
            verdict = call(meter, item)
            source = linked(source.tail)
            if (settle(meter, verdict) if type(verdict) is tuple else verdict) is not False:
                cell.head, cell.tail = item, Lazy(step, None, source)
                return
        close(cell)

    return Lazy(step, None, linked(source))


def _filter_vector(meter: Meter, call: Callable[..., Value], items: tuple[Value, ...]) -> Lazy:
    def step(cell: Lazy) -> None:
        for place in range(cell.tail, len(items)):
            verdict = call(meter, items[place])
            if (settle(meter, verdict) if type(verdict) is tuple else verdict) is not False:
                cell.head, cell.tail = items[place], Lazy(step, None, place + 1)
                return
        close(cell)

    return Lazy(step, None, 0)


def _ends(meter: Meter, source: Value) -> bool:
    """Whether a linked source has no element; a step."""
    meter.left -= 1
    if meter.left < 0:
        meter.check()
    if type(source) is not Lazy:
        return source is None
    if source.step is not None:
        force(source)
    return source.is_empty


def take(meter: Meter, count: Value, values: Value) -> Value:
    """The first elements, up to this many."""

    def step(cell: Lazy) -> None:
        left, source = cell.head, sequence(cell.tail)
        meter.spend(1)
        if not is_greater(left, 0) or is_empty(source):
            close(cell)
            return
        cell.head, cell.tail = first(source), Lazy(step, add(left, -1), rest(source))

    return Lazy(step, number(count), _walkable(values))


def take_while(meter: Meter, predicate: Value, values: Value) -> Value:
    """The elements before the first for which the predicate gives false."""

    def step(cell: Lazy) -> None:
        source = cell.tail
        meter.spend(1)
        if is_empty(source) or invoke(meter, predicate, first(source)) is False:
            close(cell)
            return
        cell.head, cell.tail = first(source), Lazy(step, None, rest(source))

    return Lazy(step, None, stepwise(lenient(values)))


def drop(meter: Meter, count: Value, values: Value) -> Value:
    """The elements after the first, so many of them."""

    def step(cell: Lazy) -> None:
        left, source = cell.head, sequence(cell.tail)
        while is_greater(left, 0) and not is_empty(source):
            meter.spend(1)
            left, source = add(left, -1), rest(source)
        _become(cell, source)

    return Lazy(step, number(count), _walkable(values))


def concatenate(meter: Meter, *sequences: Value) -> Value:
    """All elements of all sequences, one after the other."""

    def step(cell: Lazy) -> None:
        source, others = cell.head, cell.tail
        while is_empty(source) and others is not None:
            meter.spend(1)
            source, others = stepwise(lenient(others.head)), others.tail
        if is_empty(source):
            close(cell)
            return
        cell.head, cell.tail = first(source), Lazy(step, rest(source), others)

    return Lazy(step, None, list_of(sequences))


def partition(meter: Meter, size: Value, stride: Value, values: Value = MISSING) -> Value:
    """Lists of up to `size` elements, each beginning a step after the one before; the step is the size if left out.

    Usage: (partition size [step] values)
    """
    if values is MISSING:
        stride, values = size, stride
    count, stride = integer(size), integer(stride)
    if count < 1 or stride < 1:
        raise AleRunError("size and step of a partition are at least 1")

    def step(cell: Lazy) -> None:
        source = following = cell.tail
        group: list[Value] = []
        for place in range(max(count, stride)):
            if is_empty(source):
                break
            meter.spend(1)
            if place < count:
                group.append(first(source))
            source = rest(source)
            if place < stride:
                following = source
        if not group:
            close(cell)
            return
        cell.head, cell.tail = list_of(group), Lazy(step, None, following)

    return Lazy(step, None, stepwise(lenient(values)))


def numbers(meter: Meter, first: Value = MISSING, second: Value = MISSING, stride: Value = 1) -> Value:
    """The numbers from 0 on, up to an end, or from a start to an end by a step; the end is left out.

    Usage: (range), (range end) or (range start end [step])
    """
    start, end = (0, first) if second is MISSING else (first, second)
    for bound in (start, 0 if end is MISSING else end, stride):
        number(bound)
    if second is MISSING and end is not MISSING and end < 0:
        stride = -1
    is_before = is_greater if stride < 0 else is_less

    def step(cell: Lazy) -> None:
        current = cell.head
        if end is not MISSING and not is_before(current, end):
            close(cell)
            return
        following = current + stride if type(current) is type(stride) is int else add(current, stride)
        cell.tail = Lazy(step, following)

    return Lazy(step, start)


def zip_sequences(meter: Meter, values: Value, *more: Value) -> Value:
    """Lists of one element of each sequence; ends with the shortest."""
    return _map_all(meter, _listed, (values, *more))


def _listed(meter: Meter, *values: Value) -> Value:
    return list_of(values)


def map_and_concatenate(meter: Meter, procedure: Value, values: Value, *more: Value) -> Value:
    """The elements of all sequences that the procedure gives, one after the other."""
    mapped = map_sequences(meter, procedure, values, *more)

    def step(cell: Lazy) -> None:
        source, others = cell.head, cell.tail
        while is_empty(source) and not is_empty(others):
            meter.spend(1)
            source, others = stepwise(lenient(first(others))), rest(others)
        if is_empty(source):
            close(cell)
            return
        cell.head, cell.tail = first(source), Lazy(step, rest(source), others)

    return Lazy(step, None, mapped)


def cartesian_product(meter: Meter, values: Value, *more: Value) -> Value:
    """Lists of one element of each sequence in every combination; the last sequence varies fastest."""

    def combine(meter: Meter, item: Value) -> Value:
        if not more:
            return Lazy(None, list_of((item,)))
        return map_sequences(meter, prepending(item), cartesian_product(meter, *more))

    return map_and_concatenate(meter, combine, values)


def prepending(item: Value) -> Value:
    """A procedure that puts the item before a list."""

    def prepended(meter: Meter, combination: Value) -> Value:
        return prepend(item, combination)

    return prepended


def map_eagerly(meter: Meter, procedure: Value, values: Value) -> Value:
    """The list of what the procedure gives for each element."""
    return to_list(meter, _map_one(meter, procedure, values))


def concatenate_eagerly(meter: Meter, *sequences: Value) -> Value:
    """The list of all elements of all sequences."""
    return to_list(meter, concatenate(meter, *sequences))


def _walkable(values: Value) -> Value:
    """A sequence to walk over; what is none stays, to be refused when it is looked at."""
    return stepwise(values) if lenient(values) is not None else values


def _become(cell: Lazy, source: Value) -> None:
    if is_empty(source):
        close(cell)
    else:
        cell.head, cell.tail = first(source), rest(source)


PROCEDURES: Final[dict[str, Value]] = {
    "%lazy-seq": lazy_sequence, "map": map_sequences, "filter": filter_sequence, "take": take, "drop": drop,
    "take-while": take_while, "concat": concatenate, "partition": partition, "range": numbers, "zip": zip_sequences,
    "mapcat": map_and_concatenate, "cartesian-product": cartesian_product, "map!": map_eagerly,
    "concat!": concatenate_eagerly,
}  # fmt: skip
"""The procedures of this file, by name."""
