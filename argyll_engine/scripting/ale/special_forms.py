# SPDX-License-Identifier: Apache-2.0
"""The special forms that are no definitions: conditions, logic, sequences of forms, local binding, quoting.

`%and` and `%or` are what `and` and `or` expand to; Python's own logic stands behind them.
Source: the contract, scripts §2.4, §2.6 and §2.7.
"""

import ast
from collections.abc import Callable, Sequence
from typing import Final

from argyll_engine.scripting.ale import nodes
from argyll_engine.scripting.ale.compiler import Compiler, Rule
from argyll_engine.scripting.ale.nodes import METER
from argyll_engine.scripting.ale.procedures import compile_named, compile_procedure, is_procedure_form
from argyll_engine.scripting.ale.scope import Scope, Variable
from argyll_engine.scripting.ale.values import List, Symbol, Value, Vector


def arguments_of(compiler: Compiler, form: List, least: int, most: int | None = None) -> list[Value]:
    """The forms after the head. Raises AleCompileError when there are too few or too many."""
    arguments = list(form.tail or ())
    if len(arguments) < least or (most is not None and len(arguments) > most):
        raise compiler.fault(f"wrong number of forms for {form.head}")
    return arguments


# ---- conditions and logic ----------------------------------------------------------------------


def _if(compiler: Compiler, form: List) -> ast.expr:
    """`then` if the test is anything but false, else `otherwise`, which is null if left out.

    Usage: (if test then [otherwise])
    """
    chain: list[tuple[ast.expr, ast.expr]] = []
    otherwise: Value = form
    while compiler.is_special(otherwise, "if"):
        test, then, *rest = arguments_of(compiler, otherwise, 2, 3)
        chain.append((compiler.test(test), compiler.expression(then)))
        otherwise = compiler.expand(rest[0]) if rest else None
    result = compiler.expression(otherwise)
    for test_node, then_node in reversed(chain):
        result = nodes.choose(test_node, then_node, result)
    return result


def _if_tail(compiler: Compiler, form: List) -> None:
    otherwise: Value = form
    while compiler.is_special(otherwise, "if"):
        test, then, *rest = arguments_of(compiler, otherwise, 2, 3)
        test_node = compiler.test(test)
        compiler.write(nodes.when(test_node, compiler.branch(_tail_of(compiler, then))))
        otherwise = compiler.expand(rest[0]) if rest else None
    compiler.tail(otherwise)


def _tail_of(compiler: Compiler, form: Value) -> Callable[[], None]:
    return lambda: compiler.tail(form)


def _and(compiler: Compiler, form: List) -> ast.expr:
    """What `and` stands for: the first value that is false, else the last.

    Usage: (%and value+)
    """
    *before, last = arguments_of(compiler, form, 1)
    result = compiler.expression(last)
    for item in reversed(before):
        result = nodes.choose(compiler.test(item), result, nodes.constant(False))
    return result


def _and_tail(compiler: Compiler, form: List) -> None:
    *before, last = arguments_of(compiler, form, 1)
    for item in before:
        test = ast.UnaryOp(op=ast.Not(), operand=compiler.test(item))
        compiler.write(nodes.when(test, [ast.Return(value=nodes.constant(False))]))
    compiler.tail(last)


def _or(compiler: Compiler, form: List) -> ast.expr:
    """What `or` stands for: the first value that is not false, else the last.

    Usage: (%or value+)
    """
    *before, last = arguments_of(compiler, form, 1)
    result = compiler.expression(last)
    for item in reversed(before):
        value = compiler.namespace.fresh("either")
        test = nodes.is_true(nodes.bind(value, compiler.expression(item)))
        result = nodes.choose(test, nodes.name(value), result)
    return result


def _or_tail(compiler: Compiler, form: List) -> None:
    *before, last = arguments_of(compiler, form, 1)
    for item in before:
        value = compiler.namespace.fresh("either")
        test = nodes.is_true(nodes.bind(value, compiler.expression(item)))
        compiler.write(nodes.when(test, [ast.Return(value=nodes.name(value))]))
    compiler.tail(last)


def _logic_test(operator: ast.boolop) -> Callable[[Compiler, List], ast.expr]:
    def test(compiler: Compiler, form: List) -> ast.expr:
        tests = [compiler.test(item) for item in arguments_of(compiler, form, 1)]
        return tests[0] if len(tests) == 1 else ast.BoolOp(op=operator, values=tests)

    return test


# ---- sequences of forms and quoting ------------------------------------------------------------


def _begin(compiler: Compiler, form: List) -> ast.expr:
    """The last of the forms, all of which are evaluated; null of none.

    Usage: (begin form*)
    """
    return nodes.last_of([compiler.expression(item) for item in form.tail or (None,)])


def _begin_tail(compiler: Compiler, form: List) -> None:
    compiler.body(form.tail or (None,))


def _quote(compiler: Compiler, form: List) -> ast.expr:
    """The form itself, not evaluated.

    Usage: (quote form) or 'form
    """
    return compiler.quote(arguments_of(compiler, form, 1, 1)[0])


def _with_namespace(function: str, meaning: str) -> Callable[[Compiler, List], ast.expr]:
    """A form whose one argument is evaluated and handed, with the namespace, to a function of the runtime."""

    def rule(compiler: Compiler, form: List) -> ast.expr:
        argument = compiler.expression(arguments_of(compiler, form, 1, 1)[0])
        return nodes.call(function, nodes.name(METER), nodes.name("namespace"), argument)

    rule.__doc__ = meaning
    return rule


# ---- local binding -----------------------------------------------------------------------------


def bindings_of(compiler: Compiler, form: Value) -> list[tuple[Symbol, Value]]:
    """Names and expressions of a binding list: one vector, or a list of vectors.

    Raises:
        AleCompileError: It is something else, or a name comes twice.
    """
    pairs = [form] if type(form) is Vector else list(form) if type(form) is List else [] if form is None else [None]
    result: list[tuple[Symbol, Value]] = []
    for pair in pairs:
        if type(pair) is not Vector or pair.length != 2 or type(pair.all()[0]) is not Symbol:
            raise compiler.fault("a binding is a vector of a name and an expression")
        name, expression = pair.all()
        result.append((name, expression))
    if len({name for name, _ in result}) < len(result):
        raise compiler.fault("a name is bound twice")
    return result


def _let(compiler: Compiler, form: List) -> ast.expr:
    """The last of the body with names bound; the values do not see the names.

    Usage: (let ([name value]*) body+)
    """
    binding, *body = arguments_of(compiler, form, 2)
    pairs = bindings_of(compiler, binding)
    variables = {name: compiler.variable(name) for name, _ in pairs}
    bound = [(name, compile_named(compiler, name, variables[name], value)) for name, value in pairs]
    outer, compiler.scope = compiler.scope, Scope(compiler.scope, variables)
    items: list[ast.expr] = [nodes.bind(variables[name].python, value) for name, value in bound]
    items += [compiler.expression(item) for item in body]
    compiler.scope = outer
    return nodes.last_of(items)


def _let_tail(compiler: Compiler, form: List) -> None:
    binding, *body = arguments_of(compiler, form, 2)
    pairs = bindings_of(compiler, binding)
    variables = {name: compiler.variable(name) for name, _ in pairs}
    bound = [(name, compile_named(compiler, name, variables[name], value)) for name, value in pairs]
    for name, value in bound:
        compiler.write(nodes.assign(variables[name].python, value))
    outer, compiler.scope = compiler.scope, Scope(compiler.scope, variables)
    compiler.body(body)
    compiler.scope = outer


def _let_rec(compiler: Compiler, form: List) -> ast.expr:
    """The last of the body with names bound that all values see: for procedures that call each other.

    Usage: (let-rec ([name value]*) body+)
    """
    binding, *body = arguments_of(compiler, form, 2)
    outer, items = compiler.scope, _bind_recursively(compiler, binding)
    values: list[ast.expr] = [nodes.bind(variable.python, value) for variable, value in items]
    values += [compiler.expression(item) for item in body]
    compiler.scope = outer
    return nodes.last_of(values)


def _let_rec_tail(compiler: Compiler, form: List) -> None:
    binding, *body = arguments_of(compiler, form, 2)
    outer, items = compiler.scope, _bind_recursively(compiler, binding)
    for variable, value in items:
        compiler.write(nodes.assign(variable.python, value))
    compiler.body(body)
    compiler.scope = outer


def _bind_recursively(compiler: Compiler, binding: Value) -> Sequence[tuple[Variable, ast.expr]]:
    """Enter a scope with all names. Procedures are written at once; what is left is to be assigned."""
    pairs = bindings_of(compiler, binding)
    variables = {name: compiler.variable(name) for name, _ in pairs}
    compiler.scope = Scope(compiler.scope, variables)
    expanded = [(variables[name], compiler.expand(value)) for name, value in pairs]
    for variable, value in expanded:
        variable.is_procedure = is_procedure_form(compiler, value)
    left = []
    for variable, value in expanded:
        if variable.is_procedure:
            compile_procedure(compiler, value, variable.python, variable)
        else:
            left.append((variable, compiler.expression(value)))
    return left


RULES: Final[dict[str, Rule]] = {
    "if": Rule(expression=_if, tail=_if_tail),
    "%and": Rule(expression=_and, tail=_and_tail, test=_logic_test(ast.And())),
    "%or": Rule(expression=_or, tail=_or_tail, test=_logic_test(ast.Or())),
    "begin": Rule(expression=_begin, tail=_begin_tail),
    "quote": Rule(expression=_quote),
    "let": Rule(expression=_let, tail=_let_tail),
    "let-rec": Rule(expression=_let_rec, tail=_let_rec_tail),
    "eval": Rule(
        expression=_with_namespace(
            "evaluate_form",
            "What the form gives that the argument gives; it sees no local names.\n\nUsage: (eval form)",
        )
    ),
    "macroexpand": Rule(
        expression=_with_namespace(
            "expand_form",
            "The form that the argument gives, after all macros at its head.\n\nUsage: (macroexpand form)",
        )
    ),
    "macroexpand-1": Rule(
        expression=_with_namespace(
            "expand_form_once",
            "The form that the argument gives, after the macro at its head.\n\nUsage: (macroexpand-1 form)",
        )
    ),
}
"""The rules of these forms, by name."""
