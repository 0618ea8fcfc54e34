# SPDX-License-Identifier: Apache-2.0
"""The forms under `define`: bindings of a program, or local variables of a script.

A program is compiled form by form, each run before the next is read; its definitions live in its namespace. A
script is compiled whole before it runs and may run many times at once, so its definitions are variables of the run.
Source: the contract, scripts §2.5 and D5.
"""

import ast
from collections.abc import Callable
from typing import Final

from argyll_engine.scripting.ale import nodes
from argyll_engine.scripting.ale.compiler import Compiler, Rule
from argyll_engine.scripting.ale.procedures import compile_named, compile_procedure, is_procedure_form
from argyll_engine.scripting.ale.scope import Scope
from argyll_engine.scripting.ale.special_forms import arguments_of
from argyll_engine.scripting.ale.values import List, Symbol, Value


def local_name(compiler: Compiler, value: Value) -> Symbol:
    """The value, which is a name that can be defined. Raises AleCompileError."""
    if type(value) is not Symbol or value.namespace is not None:
        raise compiler.fault("only a local name can be defined")
    return value


def _define(compiler: Compiler, form: List) -> ast.expr:
    """What `define` of a value stands for.

    Usage: (%define name value)
    """
    name, value = arguments_of(compiler, form, 2, 2)
    symbol = local_name(compiler, name)
    if compiler.namespace.is_script:
        return _define_variable(compiler, symbol, value)
    if symbol.name not in compiler.namespace.core:
        compiler.namespace.declare(symbol.name)
    return _bind(compiler, symbol, compile_named(compiler, symbol, compiler.variable(symbol), value))


def _define_procedure(compiler: Compiler, form: List) -> ast.expr:
    """What `define` of a procedure stands for.

    Usage: (%define-lambda name procedure)
    """
    name, value = arguments_of(compiler, form, 2, 2)
    symbol = local_name(compiler, name)
    if compiler.namespace.is_script:
        return _define_variable(compiler, symbol, value)
    variable = compiler.namespace.declare(symbol.name)
    value = compiler.expand(value)
    if not is_procedure_form(compiler, value):
        return _bind(compiler, symbol, compiler.expression(value))
    python = compiler.namespace.fresh(symbol.name)
    compile_procedure(compiler, value, python, variable)
    return _bind(compiler, symbol, nodes.name(python))


def _bind(compiler: Compiler, symbol: Symbol, value: ast.expr) -> ast.expr:
    compiler.namespace.declare(symbol.name)
    bind = ast.Attribute(value=nodes.name("namespace"), attr="bind", ctx=ast.Load())
    return nodes.call(bind, nodes.constant(symbol.name), value)


def _define_variable(compiler: Compiler, symbol: Symbol, value: Value) -> ast.expr:
    variable = compiler.top.names.get(symbol)
    if variable is None or compiler.scope is not compiler.top:
        raise compiler.fault(f"define belongs at the top of a script: {symbol}")
    value = compiler.expand(value)
    if not is_procedure_form(compiler, value):
        return nodes.bind(variable.python, compiler.expression(value))
    compile_procedure(compiler, value, variable.python, variable)
    return nodes.name(variable.python)


def _define_macro(compiler: Compiler, form: List) -> ast.expr:
    """What `define-macro` stands for.

    Usage: (%define-macro name procedure)
    """
    name, value = arguments_of(compiler, form, 2, 2)
    if compiler.namespace.is_script:
        raise compiler.fault(f"define-macro belongs at the top of a script: {name}")
    return _bind(compiler, local_name(compiler, name), nodes.call("Macro", compiler.expression(value)))


def _declare(compiler: Compiler, form: List) -> ast.expr:
    """What `declare` and `private` stand for.

    Usage: (%public name+)
    """
    for name in arguments_of(compiler, form, 1):
        symbol = local_name(compiler, name)
        if not compiler.namespace.is_script:
            compiler.namespace.declare(symbol.name)
    return nodes.constant(None)


def declare_all(compiler: Compiler, forms: list[Value], define_macro: Callable[[Symbol, Value], None]) -> list[Value]:
    """The forms of a script, expanded, with all names that they define in scope.

    Macros are handed to `define_macro` on the way, so that the forms after them can use them.

    Raises:
        AleCompileError: A name is defined twice.
    """
    result: list[Value] = []
    for form in forms:
        compiler.span = getattr(form, "at", None) or compiler.span
        expanded = compiler.expand(form)
        is_macro = compiler.is_special(expanded, "%define-macro")
        if is_macro or compiler.is_special(expanded, "%define") or compiler.is_special(expanded, "%define-lambda"):
            name, value = arguments_of(compiler, expanded, 2, 2)
            symbol = local_name(compiler, name)
            if symbol in compiler.top.names or compiler.namespace.find(symbol):
                raise compiler.fault(f"name is already bound: {symbol}")
            if is_macro:
                define_macro(symbol, value)
                continue
            compiler.top.names[symbol] = compiler.variable(symbol)
        result.append(expanded)
    return result


def enter_arguments(compiler: Compiler, names: list[Symbol]) -> tuple[str, ...]:
    """The Python names of the arguments of a script, which are in scope now; its definitions come inside of them."""
    variables = {name: compiler.variable(name) for name in names}
    compiler.top = compiler.scope = Scope(Scope(None, dict(variables)))
    return tuple(variables[name].python for name in names)


RULES: Final[dict[str, Rule]] = {
    "%define": Rule(expression=_define),
    "%define-lambda": Rule(expression=_define_procedure),
    "%define-macro": Rule(expression=_define_macro),
    "%public": Rule(expression=_declare),
    "%private": Rule(expression=_declare),
}
"""The rules of these forms, by name."""
