# SPDX-License-Identifier: Apache-2.0
"""Builtin procedures that build, look into and change (that is, copy) sequences and objects.

Source: the contract, scripts §2.11, §2.12 and §2.15.
"""

from collections.abc import Callable
from itertools import chain, product
from typing import Final

from argyll_engine.scripting.ale import sequences
from argyll_engine.scripting.ale.arithmetic import integer
from argyll_engine.scripting.ale.calling import MAPPED, element_at, look_up
from argyll_engine.scripting.ale.equality import equal
from argyll_engine.scripting.ale.errors import AleRunError
from argyll_engine.scripting.ale.keys import encode, object_of, set_of
from argyll_engine.scripting.ale.meter import Meter
from argyll_engine.scripting.ale.printer import mismatch, render
from argyll_engine.scripting.ale.sequences import INDEXED, SEQUENCES, prepend, to_list, walk
from argyll_engine.scripting.ale.values import AleObject, AleSet, Cons, List, Value, Vector, list_of

MISSING: Final = object()


# ---- building ----------------------------------------------------------------------------------


def build_list(meter: Meter, *values: Value) -> Value:
    """The list of these values."""
    return list_of(values)


def build_vector(meter: Meter, *values: Value) -> Value:
    """The vector of these values."""
    return Vector(values)


def build_set(meter: Meter, *values: Value) -> Value:
    """The set of these values."""
    return set_of(values)


def build_object(meter: Meter, *parts: Value) -> Value:
    """The object of these keys and values, which take turns."""
    if len(parts) % 2:
        raise AleRunError("object needs an even number of arguments")
    return object_of(parts)


def build_bytes(meter: Meter, *values: Value) -> Value:
    """The bytes of these integers, 0 to 255."""
    return bytes(map(byte, values))


def byte(value: Value) -> int:
    """The value, which is a byte. Raises AleRunError otherwise."""
    if not 0 <= integer(value) <= 255:
        raise AleRunError(f"not a byte: {value}")
    return int(value)


def _realised(build: Callable[[list[Value]], Value], name: str) -> Value:
    def realise(meter: Meter, *values: Value) -> Value:
        return build(list(chain.from_iterable(walk(meter, value) for value in values)))

    realise.__doc__ = f"The {name} of all elements of all sequences."
    return realise


def _object_of_all(parts: list[Value]) -> Value:
    if len(parts) % 2:
        raise AleRunError("an object needs an even number of elements, keys and values in turns")
    return object_of(parts)


# ---- ends --------------------------------------------------------------------------------------


def first(meter: Meter, value: Value) -> Value:
    """The first element of a sequence, null if it is empty; the left half of a pair."""
    return sequences.first(value)


def rest(meter: Meter, value: Value) -> Value:
    """All elements but the first; the right half of a pair."""
    return sequences.rest(value)


def _path(letters: str) -> Value:
    steps = [sequences.first if letter == "a" else sequences.rest for letter in reversed(letters)]

    def follow(meter: Meter, value: Value) -> Value:
        for step in steps:
            value = step(value)
        return value

    follow.__doc__ = " of ".join("the car" if letter == "a" else "the cdr" for letter in letters).capitalize() + "."
    return follow


def cons(meter: Meter, item: Value, value: Value) -> Value:
    """The item before a list, a vector or a lazy sequence; with anything else a pair."""
    meter.bulk(value.length if type(value) is Vector else 0)
    return prepend(item, value)


def cons_all(meter: Meter, value: Value, *items: Value) -> Value:
    """The value with one item after the other put before it."""
    for item in items:
        value = cons(meter, item, value)
    return value


def append(meter: Meter, value: Value, item: Value) -> Value:
    """The item after a vector, string or bytes, or in a set."""
    kind = type(value)
    if kind not in (Vector, str, bytes, AleSet):
        raise mismatch(value, "appender")
    meter.bulk(sequences.length(value))
    if kind is Vector:
        return Vector((*value.all(), item))
    if kind is AleSet:
        return AleSet({**value.map, encode(item): None})
    if kind is str:
        if type(item) is not str:
            raise mismatch(item, "string")
        meter.bulk(len(item))
        return value + item
    return value + (item if type(item) is bytes else bytes((byte(item),)))


def conjoin(meter: Meter, value: Value, item: Value) -> Value:
    """The item in the sequence, where that is natural: at the end if it can be appended, else at the start."""
    return (append if type(value) in (Vector, str, bytes, AleSet) else _cons_onto)(meter, value, item)


def _cons_onto(meter: Meter, value: Value, item: Value) -> Value:
    return prepend(item, value)


def _repeated(procedure: Callable[[Meter, Value, Value], Value], help_text: str) -> Value:
    def repeat(meter: Meter, value: Value, *items: Value) -> Value:
        for item in items:
            value = procedure(meter, value, item)
        return value

    repeat.__doc__ = help_text
    return repeat


# ---- counting and finding ----------------------------------------------------------------------


def length(meter: Meter, value: Value) -> Value:
    """Number of elements of a counted value."""
    return sequences.length(value)


def count_all(meter: Meter, value: Value) -> Value:
    """Number of elements, by walking over them if need be."""
    items = walk(meter, sequences.lenient(value))
    del value  # lets go of the start of a lazy sequence while walking over it
    return sum(1 for _ in items)


def nth(meter: Meter, value: Value, index: Value, default: Value = MISSING) -> Value:
    """The element at an index, from 0; outside of it the default, or an error without one."""
    if type(value) not in INDEXED:
        raise mismatch(value, "indexed")
    if 0 <= integer(index) < sequences.length(value):
        meter.bulk(index if type(value) is List else 0)
        return element_at(value, index)
    return _or_default(default, f"index out of range: {index}")


def nth_by_walking(meter: Meter, value: Value, index: Value, default: Value = MISSING) -> Value:
    """The element at an index of any sequence, by walking there if need be."""
    if integer(index) >= 0:
        for place, item in enumerate(walk(meter, value)):
            if place == index:
                return item
    return _or_default(default, f"index out of range: {index}")


def _or_default(default: Value, refusal: str) -> Value:
    if default is MISSING:
        raise AleRunError(refusal)
    return default


def last(meter: Meter, value: Value) -> Value:
    """The last element of an indexed sequence; null if it is empty."""
    if type(value) not in INDEXED:
        raise mismatch(value, "indexed")
    size = sequences.length(value)
    meter.bulk(size if type(value) is List else 0)
    return element_at(value, size - 1) if size else None


def last_by_walking(meter: Meter, value: Value) -> Value:
    """The last element of any sequence, by walking over it; null if it is empty."""
    items = walk(meter, value)
    del value  # lets go of the start of a lazy sequence while walking over it
    result: Value = None
    for item in items:
        result = item
    return result


def index_of(meter: Meter, value: Value, wanted: Value) -> Value:
    """The index of the first element that equals the wanted one; false if there is none."""
    items = walk(meter, value)
    del value  # lets go of the start of a lazy sequence while walking over it
    return next((place for place, item in enumerate(items) if equal(meter, item, wanted)), False)


def reverse(meter: Meter, value: Value) -> Value:
    """The elements of a list, vector, string or bytes, last first."""
    if type(value) not in INDEXED:
        raise mismatch(value, "reverser")
    meter.bulk(sequences.length(value))
    if type(value) is Vector:
        return Vector(value.all()[::-1])
    return list_of(tuple(value)[::-1]) if type(value) is List else value[::-1] if value is not None else None


def reverse_by_walking(meter: Meter, value: Value) -> Value:
    """The elements of any sequence, last first; a list if it has no order of its own to keep."""
    return reverse(meter, value if type(value) in INDEXED else to_list(meter, value))


def sequence_or_false(meter: Meter, value: Value) -> Value:
    """The value if it is a sequence that is not empty; false otherwise."""
    return value if type(value) in SEQUENCES and not sequences.is_empty(value) else False


def sequence_or_error(meter: Meter, value: Value) -> Value:
    """The sequence, false if it is empty; an error for what is none."""
    return sequence_or_false(meter, sequences.sequence(value))


# ---- objects -----------------------------------------------------------------------------------


def get(meter: Meter, value: Value, key: Value, default: Value = MISSING) -> Value:
    """What an object has under a key, or the default; without one a missing key is an error."""
    found = look_up(value, encode(key), MISSING)
    return found if found is not MISSING else _or_default(default, f"key not found: {render(key)}")


def contains(meter: Meter, value: Value, key: Value) -> Value:
    """Whether an object has a key, or a set a member."""
    return type(value) in MAPPED and look_up(value, encode(key), MISSING) is not MISSING


def contains_not(meter: Meter, value: Value, key: Value) -> Value:
    """Whether an object lacks a key, or a set a member."""
    return not contains(meter, value, key)


def associate(meter: Meter, value: Value, pair: Value) -> Value:
    """The object with the entry of a pair (key . value)."""
    if type(value) is not AleObject:
        raise mismatch(value, "mapper")
    if pair is None or (type(pair) is not Cons and type(pair) not in SEQUENCES):
        raise mismatch(pair, "pair")
    meter.bulk(len(value.map))
    return AleObject({**value.map, encode(sequences.first(pair)): sequences.rest(pair)})


def dissociate(meter: Meter, value: Value, key: Value) -> Value:
    """The object without a key."""
    if type(value) is not AleObject:
        raise mismatch(value, "mapper")
    meter.bulk(len(value.map))
    gone = encode(key)
    return AleObject({kept: entry for kept, entry in value.map.items() if kept != gone})


PROCEDURES: Final[dict[str, Value]] = {
    "list": build_list, "vector": build_vector, "set": build_set, "object": build_object, "bytes": build_bytes,
    "seq->list": _realised(list_of, "list"), "seq->set": _realised(set_of, "set"),
    "seq->vector": _realised(lambda values: Vector(tuple(values)), "vector"),
    "seq->object": _realised(_object_of_all, "object"),
    "first": first, "car": first, "rest": rest, "cdr": rest, "cons": cons, "cons*": cons_all, "append": append,
    "append*": _repeated(append, "The value with one item after the other appended."), "conj": conjoin,
    "conj*": _repeated(conjoin, "The sequence with one item after the other put in where that is natural."),
    "length": length, "length!": count_all, "nth": nth, "nth!": nth_by_walking, "last": last,
    "last!": last_by_walking, "index-of": index_of, "reverse": reverse, "reverse!": reverse_by_walking,
    "seq": sequence_or_false, "seq!": sequence_or_error, "get": get, "contains?": contains, "!contains?": contains_not,
    "assoc": associate,
    "assoc*": _repeated(associate, "The object with the entries of all pairs."), "dissoc": dissociate,
    "dissoc*": _repeated(dissociate, "The object without all these keys."),
    **{f"c{''.join(path)}r": _path("".join(path)) for size in (2, 3, 4) for path in product("ad", repeat=size)},
}  # fmt: skip
"""The procedures of this file, by name."""
