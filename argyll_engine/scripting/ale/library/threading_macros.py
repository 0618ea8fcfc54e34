# SPDX-License-Identifier: Apache-2.0
"""The threading macros, and quasi-quotation.

Source: the contract, scripts §2.13 and §2.14.
"""

from collections.abc import Callable
from typing import Final

from argyll_engine.scripting.ale.errors import AleCompileError
from argyll_engine.scripting.ale.keys import decode
from argyll_engine.scripting.ale.library.macros import fresh_symbol
from argyll_engine.scripting.ale.meter import Meter
from argyll_engine.scripting.ale.values import (
    CORE,
    AleObject,
    AleSet,
    Cons,
    List,
    Macro,
    Symbol,
    Value,
    Vector,
    core,
    form,
)

Insert = Callable[[Value, Value], List]
"""(value, step) → the step with the value as an argument."""


def _as_first(value: Value, step: Value) -> List:
    return form(step.head, value, *(step.tail or ())) if type(step) is List else form(step, value)


def _as_last(value: Value, step: Value) -> List:
    return form(*step, value) if type(step) is List else form(step, value)


def _help_of(meaning: str, usage: str, name: str, insert: Insert) -> str:
    place = "first" if insert is _as_first else "last"
    return f"{meaning.format(place=place)}\n\nUsage: {usage.format(name=name)}"


def _thread(name: str, insert: Insert) -> Callable[..., Value]:
    def expand(meter: Meter, value: Value, *steps: Value) -> Value:
        for step in steps:
            value = insert(value, step)
            value.at = getattr(step, "at", None)
        return value

    expand.__doc__ = _help_of(
        "The value put through the steps as their {place} argument.", "({name} value step*)", name, insert
    )
    return expand


def _thread_some(name: str, insert: Insert) -> Callable[..., Value]:
    def expand(meter: Meter, value: Value, *steps: Value) -> Value:
        names = [fresh_symbol("some") for _ in steps]
        values = [value, *(insert(name, step) for name, step in zip(names, steps, strict=True))]
        result = values[-1]
        for name, current in zip(reversed(names), reversed(values[:-1]), strict=True):
            checked = form(core("if"), form(core("null?"), name), None, result)
            result = form(core("let"), Vector((name, current)), checked)
        return result

    expand.__doc__ = _help_of(
        "The value put through the steps as their {place} argument, until one gives null.",
        "({name} value step*)",
        name,
        insert,
    )
    return expand


def _thread_if(name: str, insert: Insert) -> Callable[..., Value]:
    def expand(meter: Meter, value: Value, *clauses: Value) -> Value:
        names = [fresh_symbol("cond") for _ in clauses]
        result: Value = value
        steps: list[tuple[Symbol, Value]] = []
        for name, clause in zip(names, clauses, strict=True):
            if type(clause) is not Vector or clause.length != 2:
                raise AleCompileError("a clause is a vector of a test and a step", getattr(clause, "at", None))
            steps.append((name, result))
            test, step = clause.all()
            result = form(core("if"), insert(name, test), insert(name, step), name)
        for name, current in reversed(steps):
            result = form(core("let"), Vector((name, current)), result)
        return result

    expand.__doc__ = _help_of(
        "The value put as {place} argument through the steps whose test, put through likewise, is not false.",
        "({name} value [test step]*)",
        name,
        insert,
    )
    return expand


def _thread_by_name(meter: Meter, binding: Value, first: Value, *steps: Value) -> Value:
    """The last step; the name stands for the value in the first and for the result of the one before in the others.

    Usage: (let-> [name value] step+)
    """
    if type(binding) is not Vector or binding.length != 2:
        raise AleCompileError("a binding is a vector of a name and an expression")
    name, value = binding.all()
    values = [value, first, *steps]
    result = values[-1]
    for current in reversed(values[:-1]):
        result = form(core("let"), Vector((name, current)), result)
    return result


# ---- quasi-quotation ---------------------------------------------------------------------------


class Template:
    """One quasi-quotation: what is unquoted is evaluated, symbols of the core get their namespace.

    Args:
        is_core: whether the core binds a name.
    """

    def __init__(self, is_core: Callable[[str], bool]) -> None:
        self._is_core = is_core
        self._fresh: dict[str, Symbol] = {}

    def build(self, value: Value) -> Value:
        """A form that makes the value."""
        kind = type(value)
        if kind is Symbol:
            return form(core("quote"), self._symbol(value))
        if kind is List:
            return self._sequence("list", "concat!", tuple(value))
        if kind is Vector:
            return self._sequence("vector", "seq->vector", value.all())
        if kind is AleSet:
            return self._sequence("set", "seq->set", tuple(map(decode, value.map)))
        if kind is AleObject:
            parts = tuple(part for key, item in value.map.items() for part in (decode(key), item))
            return self._sequence("object", "seq->object", parts)
        if kind is Cons:
            return form(core("cons"), self._member(value.car), self._member(value.cdr))
        return value

    def _symbol(self, symbol: Symbol) -> Symbol:
        if symbol.namespace is not None:
            return symbol
        if symbol.name.endswith("#") and len(symbol.name) > 1:
            return self._fresh.setdefault(symbol.name, fresh_symbol(symbol.name[:-1]))
        return Symbol(symbol.name, CORE) if self._is_core(symbol.name) else Symbol(symbol.name)

    def _sequence(self, build: str, join: str, items: tuple[Value, ...]) -> Value:
        if not any(_is_form(item, "unquote-splicing") for item in items):
            return form(core(build), *map(self._member, items))
        parts: list[Value] = []
        run: list[Value] = []
        for item in items:
            if _is_form(item, "unquote-splicing"):
                parts += (form(core("list"), *run), item.tail.head)
                run = []
            else:
                run.append(self._member(item))
        return form(core(join), *parts, form(core("list"), *run))

    def _member(self, value: Value) -> Value:
        return value.tail.head if _is_form(value, "unquote") else self.build(value)


def _is_form(value: Value, name: str) -> bool:
    """Whether the value is a form of one argument with this head."""
    return type(value) is List and value.length == 2 and value.head in (core(name), Symbol(name))


_EXPANDERS: Final[dict[str, Callable[..., Value]]] = {
    "->": _thread("->", _as_first), "->>": _thread("->>", _as_last), "some->": _thread_some("some->", _as_first),
    "some->>": _thread_some("some->>", _as_last), "cond->": _thread_if("cond->", _as_first),
    "cond->>": _thread_if("cond->>", _as_last),
    "let->": _thread_by_name,
}  # fmt: skip

MACROS: Final = {name: Macro(expand) for name, expand in _EXPANDERS.items()}
"""The macros of this file, by name; `syntax-quote` needs the core and is added there."""
