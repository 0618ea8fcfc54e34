# SPDX-License-Identifier: Apache-2.0
"""Short constructors for the nodes of Python's syntax tree, and their places. Knows nothing of Ale's forms."""

import ast
from collections.abc import Sequence
from typing import Final

from argyll_engine.scripting.ale.errors import Span

METER: Final = "M"
"""The first parameter of every compiled procedure."""

_LOAD: Final = ast.Load()
_STORE: Final = ast.Store()
_PLACED: Final = (ast.expr, ast.stmt, ast.arg, ast.excepthandler)


def name(identifier: str) -> ast.Name:
    """A variable that is read."""
    return ast.Name(id=identifier, ctx=_LOAD)


def constant(value: str | int | float | bool | None) -> ast.Constant:
    """A value that Python can hold in its code."""
    return ast.Constant(value=value)


def call(function: str | ast.expr, *arguments: ast.expr) -> ast.Call:
    """A call."""
    target = name(function) if isinstance(function, str) else function
    return ast.Call(func=target, args=list(arguments), keywords=[])


def bind(identifier: str, value: ast.expr) -> ast.NamedExpr:
    """The value, also bound to a variable."""
    return ast.NamedExpr(target=ast.Name(id=identifier, ctx=_STORE), value=value)


def assign(identifier: str, value: ast.expr) -> ast.Assign:
    """A statement that sets a variable."""
    return ast.Assign(targets=[ast.Name(id=identifier, ctx=_STORE)], value=value)


def assign_all(identifiers: Sequence[str], value: ast.expr) -> ast.Assign:
    """A statement that takes a tuple apart."""
    targets: list[ast.expr] = [ast.Name(id=identifier, ctx=_STORE) for identifier in identifiers]
    return ast.Assign(targets=[ast.Tuple(elts=targets, ctx=_STORE)], value=value)


def tuple_of(items: Sequence[ast.expr]) -> ast.Tuple:
    """A tuple."""
    return ast.Tuple(elts=list(items), ctx=_LOAD)


def last_of(items: Sequence[ast.expr]) -> ast.expr:
    """All of them evaluated in order, the value of the last."""
    if len(items) == 1:
        return items[0]
    return ast.Subscript(value=tuple_of(items), slice=constant(len(items) - 1), ctx=_LOAD)


def choose(test: ast.expr, then: ast.expr, otherwise: ast.expr) -> ast.IfExp:
    """One of two values."""
    return ast.IfExp(test=test, body=then, orelse=otherwise)


def compare(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ast.Compare:
    """A comparison."""
    return ast.Compare(left=left, ops=[operator], comparators=[right])


def is_same(value: ast.expr, wanted: bool | None) -> ast.expr:
    """Whether a value is null, true or false."""
    if isinstance(value, ast.Constant):
        return constant(value.value is wanted)
    return compare(value, ast.Is(), constant(wanted))


def is_true(value: ast.expr) -> ast.expr:
    """Whether a value counts as true: all but false."""
    if isinstance(value, ast.Constant):
        return constant(value.value is not False)
    return compare(value, ast.IsNot(), constant(False))


def is_type(value: ast.expr, kind: str) -> ast.Compare:
    """Whether the type of a value is exactly this one."""
    return compare(call("type", value), ast.Is(), name(kind))


def when(test: ast.expr, body: list[ast.stmt]) -> ast.If:
    """A statement that runs others if a test holds."""
    return ast.If(test=test, body=body, orelse=[])


def tick() -> list[ast.stmt]:
    """Takes one step from the meter."""
    left = ast.Attribute(value=name(METER), attr="left", ctx=_LOAD)
    check = ast.Attribute(value=name(METER), attr="check", ctx=_LOAD)
    return [
        ast.AugAssign(
            target=ast.Attribute(value=name(METER), attr="left", ctx=_STORE), op=ast.Sub(), value=constant(1)
        ),
        when(compare(left, ast.Lt(), constant(0)), [ast.Expr(value=call(check))]),
    ]


def on_recursion_error(body: list[ast.stmt], handler: list[ast.stmt]) -> list[ast.stmt]:
    """The body, and what is done when Python's stack is used up."""
    caught = ast.ExceptHandler(type=name("RecursionError"), name=None, body=handler)
    return [ast.Try(body=body, handlers=[caught], orelse=[], finalbody=[])]


def function(identifier: str, parameters: Sequence[str], rest: str | None, body: list[ast.stmt]) -> ast.FunctionDef:
    """A function whose first parameter is the meter."""
    arguments = ast.arguments(
        posonlyargs=[],
        args=[ast.arg(arg=METER), *(ast.arg(arg=parameter) for parameter in parameters)],
        vararg=ast.arg(arg=rest) if rest else None,
        kwonlyargs=[],
        kw_defaults=[],
        kwarg=None,
        defaults=[],
    )
    return ast.FunctionDef(name=identifier, args=arguments, body=body, decorator_list=[])


def locate(node: ast.AST, span: Span) -> None:
    """Give a node, and all below it that have none, this place."""
    pending: list[ast.AST] = [node]
    while pending:
        current = pending.pop()
        if isinstance(current, _PLACED):
            if hasattr(current, "lineno"):
                continue
            current.lineno, current.end_lineno = span[0], span[2]
            current.col_offset, current.end_col_offset = span[1] - 1, span[3] - 1
        pending.extend(ast.iter_child_nodes(current))
