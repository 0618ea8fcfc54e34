# SPDX-License-Identifier: Apache-2.0
"""Forms to Python's syntax tree: expressions, tests, and statements in tail position.

One Ale procedure becomes one Python function; `if`, `let` and arithmetic become what Python has for them. Every node
carries the place of its form as its own, so that a traceback says where an Ale program failed at no cost in running.
The rules of single special forms live in `special_forms.py` and `definitions.py`, those of calls in `calls.py`;
they come in as a table.
"""

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from argyll_engine.scripting.ale import nodes
from argyll_engine.scripting.ale.calling import settle
from argyll_engine.scripting.ale.errors import NOWHERE, AleCompileError, AleError, Span
from argyll_engine.scripting.ale.keys import decode
from argyll_engine.scripting.ale.scope import UNAVAILABLE, Function, Namespace, Scope, Variable
from argyll_engine.scripting.ale.values import (
    CORE,
    AleObject,
    AleSet,
    Cons,
    Keyword,
    List,
    Special,
    Symbol,
    Value,
    Vector,
)

MAX_EXPANSIONS: Final = 10_000
"""Times that one form is expanded in a row."""

_SIMPLE: Final = (str, int, float, bool, type(None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How a special form is compiled: as an expression, in tail position, and as a test, where that differs."""

    expression: "Callable[[Compiler, List], ast.expr]"
    tail: "Callable[[Compiler, List], None] | None" = None
    test: "Callable[[Compiler, List], ast.expr] | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """How calls are compiled."""

    expression: "Callable[[Compiler, List], ast.expr]"
    tail: "Callable[[Compiler, List], None]"
    is_boolean: "Callable[[Compiler, Value], bool]"


class Compiler:
    """Compiles one text, or one form of it, into the function that `function` stands for."""

    def __init__(self, namespace: Namespace, rules: Mapping[str, Rule], calls: Calls, function: Function) -> None:
        self.namespace, self.function, self.scope = namespace, function, Scope()
        self.top = self.scope
        self._rules, self._calls = rules, calls
        self.span: Span = NOWHERE

    # ---- forms ---------------------------------------------------------------------------------

    def expression(self, form: Value) -> ast.expr:
        """The expression that has the value of the form."""
        before = self._enter(form)
        form = self.expand(form)
        self._enter(form)
        kind = type(form)
        if kind is List:
            rule = self.rule_of(form)
            node = rule.expression(self, form) if rule else self._calls.expression(self, form)
        elif kind is Symbol:
            node = self._symbol(form)
        elif kind in _COLLECTIONS:
            node = _COLLECTIONS[kind](self, form)
        else:
            node = self.quote(form)
        nodes.locate(node, self.span)
        self.span = before
        return node

    def tail(self, form: Value) -> None:
        """Write statements that return the value of the form, or a tail call."""
        before = self._enter(form)
        form = self.expand(form)
        self._enter(form)
        rule = self.rule_of(form)
        if rule and rule.tail:
            rule.tail(self, form)
        elif rule is None and type(form) is List:
            self._calls.tail(self, form)
        else:
            self.write(ast.Return(value=self.expression(form)))
        self.span = before

    def test(self, form: Value) -> ast.expr:
        """The expression that is true in Python where the form is true in Ale."""
        before = self._enter(form)
        form = self.expand(form)
        self._enter(form)
        rule = self.rule_of(form)
        if rule and rule.test:
            node = rule.test(self, form)
        elif self._calls.is_boolean(self, form):
            node = self.expression(form)
        else:
            node = nodes.is_true(self.expression(form))
        nodes.locate(node, self.span)
        self.span = before
        return node

    def body(self, forms: Iterable[Value]) -> None:
        """Write statements for all forms, the last in tail position; there is at least one."""
        *before, last = forms
        for form in before:
            self.write(ast.Expr(value=self.expression(form)))
        self.tail(last)

    # ---- expanding and resolving ---------------------------------------------------------------

    def expand(self, form: Value) -> Value:
        """The form after all macros at its head. Raises AleCompileError."""
        for _ in range(MAX_EXPANSIONS):
            expanded = self.expand_once(form)
            if expanded is form:
                return form
            form = expanded
        raise self.fault("macro expands for ever")

    def expand_once(self, form: Value) -> Value:
        """The form after the macro at its head, or the form itself."""
        macro = self.namespace.macro_of(form.head) if type(form) is List else None
        if macro is None:
            return form
        meter = self.namespace.meter
        meter.spend(1)
        try:
            result = macro.expand(meter, *(form.tail or ()))
            result = settle(meter, result) if type(result) is tuple else result
        except AleError as error:
            if error.span is None and self.span != NOWHERE:
                error.span = self.span
            raise
        except TypeError as exc:
            raise self.fault(f"wrong number of forms for macro {form.head}") from exc
        if type(result) is List and result.at is None:
            result.at = self.span
        return result

    def rule_of(self, form: Value) -> Rule | None:
        """The rule of a special form; None for any other."""
        if type(form) is not List or type(form.head) is not Symbol or self.scope.find(form.head):
            return None
        try:
            special = self.namespace.value_of(form.head)
        except KeyError:
            return None
        return self._rules[special.name] if type(special) is Special else None

    def is_special(self, form: Value, name: str) -> bool:
        """Whether this is the special form of that name."""
        return self.rule_of(form) is self._rules[name]

    def resolve(self, symbol: Symbol) -> Variable | None:
        """The variable that the symbol names; None if the core has it. Raises AleCompileError for neither."""
        variable = self.scope.find(symbol)
        if variable is not None:
            if variable.owner is not self.function and variable.owner is not None:
                variable.owner.is_captured = True
            return variable
        variable = self.namespace.find(symbol)
        if variable is not None or (symbol.namespace in (None, CORE) and symbol.name in self.namespace.core):
            return variable
        if symbol.name in UNAVAILABLE and symbol.namespace in (None, CORE):
            raise self.fault(f"not available to scripts: {symbol}", symbol.at)
        hint = " (a comma does not separate, it unquotes)" if symbol.name.startswith("unquote") else ""
        raise self.fault(f"name not declared: {symbol}{hint}", symbol.at)

    # ---- writing -------------------------------------------------------------------------------

    def write(self, statement: ast.stmt) -> None:
        """Put a statement after those that are there."""
        nodes.locate(statement, self.span)
        self.function.block.append(statement)

    def branch(self, write: Callable[[], None]) -> list[ast.stmt]:
        """The statements that `write` writes, apart from those that are there."""
        before, self.function.block = self.function.block, []
        write()
        written, self.function.block = self.function.block, before
        return written

    def quote(self, value: Value) -> ast.expr:
        """The expression that is this very value."""
        return nodes.constant(value) if type(value) in _SIMPLE else nodes.name(self.namespace.keep(value))

    def builtin(self, name: str) -> ast.expr:
        """The expression that is what the core binds the name to."""
        python = f"{CORE}/{name}"
        self.namespace.globals.setdefault(python, self.namespace.core[name])
        return nodes.name(python)

    def variable(self, symbol: Symbol) -> Variable:
        """A new variable of the function, not yet in any scope."""
        if symbol.namespace is not None:
            raise self.fault(f"not a local name: {symbol}", symbol.at)
        return Variable(self.namespace.fresh(symbol.name), self.function)

    def fault(self, reason: str, at: Span | None = None) -> AleCompileError:
        """An error at this place, or at the form that is being compiled."""
        return AleCompileError(reason, at or self.span)

    def _enter(self, form: Value) -> Span:
        before = self.span
        self.span = getattr(form, "at", None) or before
        return before

    def _symbol(self, symbol: Symbol) -> ast.expr:
        variable = self.resolve(symbol)
        if variable is not None:
            return nodes.name(variable.python)
        value = self.namespace.core[symbol.name]
        if type(value) in _SIMPLE and value == value:
            return nodes.constant(value)
        return self.builtin(symbol.name)


def _vector(compiler: Compiler, form: Vector) -> ast.expr:
    if all(map(_is_constant, form.all())):
        return compiler.quote(form)
    return nodes.call("Vector", nodes.tuple_of([compiler.expression(item) for item in form.all()]))


def _object(compiler: Compiler, form: AleObject) -> ast.expr:
    if all(type(key) is str for key in form.map):
        if all(map(_is_constant, form.map.values())):
            return compiler.quote(form)
        keys: list[ast.expr | None] = [nodes.constant(key) for key in form.map]
        return nodes.call("AleObject", ast.Dict(keys=keys, values=list(map(compiler.expression, form.map.values()))))
    parts = [part for key, value in form.map.items() for part in (decode(key), value)]
    return nodes.call("object_of", nodes.tuple_of(list(map(compiler.expression, parts))))


def _set(compiler: Compiler, form: AleSet) -> ast.expr:
    return nodes.call("set_of", nodes.tuple_of([compiler.expression(decode(key)) for key in form.map]))


def _pair(compiler: Compiler, form: Cons) -> ast.expr:
    return nodes.call("prepend", compiler.expression(form.car), compiler.expression(form.cdr))


def _is_constant(form: Value) -> bool:
    return type(form) in (*_SIMPLE, Fraction, Keyword, bytes)


_COLLECTIONS: Final[dict[type, Callable[[Compiler, Value], ast.expr]]] = {
    Vector: _vector,
    AleObject: _object,
    AleSet: _set,
    Cons: _pair,
}
