# SPDX-License-Identifier: Apache-2.0
"""Builtin procedures on procedures: folds, application, errors, promises; and text, symbols and reading.

Source: the contract, scripts §2.11, §2.14 and §2.15.
"""

import functools
from typing import Final

from argyll_engine.scripting.ale.calling import call_promise, callee, invoke, settle
from argyll_engine.scripting.ale.errors import AleRunError
from argyll_engine.scripting.ale.library.collections import MISSING
from argyll_engine.scripting.ale.library.macros import fresh_symbol
from argyll_engine.scripting.ale.library.numeric import BINARY
from argyll_engine.scripting.ale.meter import Meter
from argyll_engine.scripting.ale.printer import display, mismatch, render
from argyll_engine.scripting.ale.reader import parse_symbol, read
from argyll_engine.scripting.ale.runtime_errors import RUNTIME_ERRORS, translate
from argyll_engine.scripting.ale.sequences import INDEXED, lenient, walk
from argyll_engine.scripting.ale.values import Macro, Procedure, Promise, Symbol, Value, Vector

# ---- folds and application ---------------------------------------------------------------------


def fold_left(meter: Meter, procedure: Value, start: Value, values: Value = MISSING) -> Value:
    """The elements put together from the left: (procedure result element), from a start or the first element.

    Usage: (fold-left procedure [start] values)
    """
    items = walk(meter, lenient(start if values is MISSING else values))
    if values is MISSING:
        start = next(items, MISSING)
        if start is MISSING:
            return invoke(meter, procedure)
    del values  # lets go of the start of a lazy sequence while walking over it
    binary = BINARY.get(procedure) if type(procedure) is Procedure else None
    if binary is not None:
        return functools.reduce(binary, items, start)
    call = callee(procedure)
    for item in items:
        start = call(meter, start, item)
        if type(start) is tuple:
            start = settle(meter, start)
    return start


def fold_right(meter: Meter, procedure: Value, start: Value, values: Value = MISSING) -> Value:
    """The elements put together from the right: (procedure element result); needs a reversible sequence.

    Usage: (fold-right procedure [start] values)
    """
    folded = start if values is MISSING else values
    if type(folded) not in INDEXED:
        raise mismatch(folded, "reverser")
    return fold_right_any(meter, procedure, start, values)


def fold_right_any(meter: Meter, procedure: Value, start: Value, values: Value = MISSING) -> Value:
    """The elements of any finite sequence put together from the right: (procedure element result).

    Usage: (fold-right! procedure [start] values)
    """
    items = list(walk(meter, lenient(start if values is MISSING else values)))
    if values is MISSING:
        if not items:
            return invoke(meter, procedure)
        start = items.pop()
    for item in reversed(items):
        start = invoke(meter, procedure, item, start)
    return start


def spread(meter: Meter, procedure: Value, *arguments: Value) -> tuple[Value, ...]:
    """The pending call that `apply` makes; compiled code gives it back in tail position."""
    if not arguments:
        return (procedure,)
    return (procedure, *arguments[:-1], *walk(meter, arguments[-1]))


def apply(meter: Meter, procedure: Value, *arguments: Value) -> Value:
    """What the procedure gives for these arguments, the last of which is a sequence of more."""
    return settle(meter, spread(meter, procedure, *arguments))


def partial(meter: Meter, procedure: Value, *bound: Value) -> Value:
    """The procedure with its first arguments given."""
    if not bound:
        return procedure
    if type(procedure) is not Procedure:
        raise mismatch(procedure, "procedure")

    def call(meter: Meter, *arguments: Value) -> Value:
        return invoke(meter, procedure, *bound, *arguments)

    return call


def juxtapose(meter: Meter, procedure: Value, *procedures: Value) -> Value:
    """A procedure that gives the vector of what all these give."""

    def call(meter: Meter, *arguments: Value) -> Value:
        return Vector(tuple(invoke(meter, each, *arguments) for each in (procedure, *procedures)))

    return call


def identity(meter: Meter, value: Value) -> Value:
    """The value itself."""
    return value


def constantly(meter: Meter, value: Value) -> Value:
    """A procedure that gives this value whatever its arguments."""

    def call(meter: Meter, *arguments: Value) -> Value:
        return value

    return call


def do_nothing(meter: Meter, *arguments: Value) -> Value:
    """Null."""
    return None


# ---- errors and promises -----------------------------------------------------------------------


def raise_error(meter: Meter, *parts: Value) -> Value:
    """Nothing: an error with the text of all arguments."""
    raise AleRunError("".join(map(display, parts)))


def recover(meter: Meter, attempt: Value, handler: Value) -> Value:
    """What the first procedure gives, or what the handler makes of the text of its error."""
    try:
        return invoke(meter, attempt)
    except RUNTIME_ERRORS as error:
        reason = translate(error).reason
    return invoke(meter, handler, reason)


def defer(meter: Meter, attempt: Value, cleanup: Value) -> Value:
    """What the first procedure gives; the second is called afterwards in any case."""
    try:
        return invoke(meter, attempt)
    finally:
        invoke(meter, cleanup)


def delay(meter: Meter, thunk: Value) -> Value:
    """A promise of what the procedure gives."""
    return Promise(callee(thunk))


def delay_force(meter: Meter, thunk: Value) -> Value:
    """A promise of what the promise that the procedure gives has."""
    procedure = callee(thunk)

    def forced(meter: Meter) -> Value:
        return force(meter, invoke(meter, procedure))

    return Promise(forced)  # type: ignore[arg-type]  # promises hand the meter to their thunk


def force(meter: Meter, value: Value) -> Value:
    """The value of a promise; anything else is itself."""
    return call_promise(meter, value) if type(value) is Promise else value


def force_promise(meter: Meter, value: Value) -> Value:
    """The value of a promise; an error for anything else."""
    if type(value) is not Promise:
        raise mismatch(value, "promise")
    return call_promise(meter, value)


# ---- text and symbols --------------------------------------------------------------------------


def text(meter: Meter, *values: Value) -> Value:
    """The text of all arguments put together; null is nothing."""
    return _joined(meter, "", [display(value, meter.spend) for value in values])


def readable_text(meter: Meter, *values: Value) -> Value:
    """The text of all arguments as it would be read, with spaces between."""
    return _joined(meter, " ", [render(value, meter.spend) for value in values])


def _joined(meter: Meter, separator: str, parts: list[str]) -> str:
    meter.bulk(sum(map(len, parts)))
    return separator.join(parts)


def symbol(meter: Meter, value: Value) -> Value:
    """The symbol of this name."""
    if type(value) is Symbol:
        return value
    if type(value) is not str:
        raise mismatch(value, "string")
    if not value or any(character in ' \t\f\r\n()[]{}"' for character in value):
        raise AleRunError(f"not a symbol: {value}")
    return parse_symbol(value)


def generate_symbol(meter: Meter, value: Value = None) -> Value:
    """A symbol that is written nowhere."""
    return fresh_symbol("" if value is None else display(value) if type(value) is str else str(symbol(meter, value)))


def read_text(meter: Meter, value: Value) -> Value:
    """The last form of a text, as it is written; null if there is none."""
    if type(value) is not str:
        raise mismatch(value, "string")
    meter.bulk(len(value))
    forms = read(value, is_placed=False)
    return forms[-1] if forms else None


def make_macro(meter: Meter, procedure: Value) -> Value:
    """The macro that a procedure from forms to a form is."""
    if type(procedure) is not Procedure:
        raise mismatch(procedure, "procedure")
    return Macro(procedure)


PROCEDURES: Final[dict[str, Value]] = {
    "fold-left": fold_left, "foldl": fold_left, "reduce": fold_left, "fold-right": fold_right, "foldr": fold_right,
    "fold-right!": fold_right_any, "apply": apply, "partial": partial, "juxt": juxtapose, "identity": identity,
    "constantly": constantly, "no-op": do_nothing, "raise": raise_error, "recover": recover, "%defer": defer,
    "%delay": delay, "%delay-force": delay_force, "force": force, "force!": force_promise, "str": text,
    "str!": readable_text, "sym": symbol, "gensym": generate_symbol, "read": read_text, "macro": make_macro,
}  # fmt: skip
"""The procedures of this file, by name."""
