# SPDX-License-Identifier: Apache-2.0
"""`lambda`: from parameters and cases to a Python function, written before the statement that needs it.

Source: the contract, scripts §2.5.
"""

import ast
from dataclasses import dataclass
from functools import partial
from typing import Final

from argyll_engine.scripting.ale import nodes
from argyll_engine.scripting.ale.compiler import Compiler, Rule
from argyll_engine.scripting.ale.nodes import METER
from argyll_engine.scripting.ale.scope import Function, Scope, Variable
from argyll_engine.scripting.ale.values import Cons, List, Symbol, Value, Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way to call a procedure: its parameters, the name of the rest if there is one, and what it does."""

    fixed: tuple[Symbol, ...]
    rest: Symbol | None
    body: tuple[Value, ...]

    def covers(self, count: int) -> bool:
        """Whether it takes this many arguments."""
        return count >= len(self.fixed) if self.rest is not None else count == len(self.fixed)


def is_procedure_form(compiler: Compiler, form: Value) -> bool:
    """Whether an expanded form is a `lambda`."""
    return compiler.rule_of(form) is RULES["lambda"]


def compile_procedure(compiler: Compiler, form: List, python: str, itself: Variable | None) -> None:
    """Write the function that a `lambda` form makes, under this Python name.

    `itself` is the variable that the procedure is bound to, if it can call itself by it.
    """
    before, compiler.span = compiler.span, form.at or compiler.span
    cases = _cases(compiler, form)
    outer, function = compiler.function, Function(itself=itself)
    outer_scope, compiler.function = compiler.scope, function
    if len(cases) == 1:
        _write_case(compiler, cases[0])
    else:
        _write_cases(compiler, cases, python)
    body = _finish(compiler, function)
    compiler.function, compiler.scope = outer, outer_scope
    compiler.write(nodes.function(python, function.parameters, function.rest, body))
    compiler.span = before


def compile_named(compiler: Compiler, symbol: Symbol, variable: Variable, form: Value) -> ast.expr:
    """The value of a form that is bound to a name it does not know; errors call a procedure by that name."""
    before, compiler.span = compiler.span, getattr(form, "at", None) or compiler.span
    expanded = compiler.expand(form)
    variable.is_procedure = is_procedure_form(compiler, expanded)
    if not variable.is_procedure:
        compiler.span = before
        return compiler.expression(form if type(form) is not List else expanded)
    python = compiler.namespace.fresh(symbol.name)
    compile_procedure(compiler, expanded, python, None)
    compiler.span = before
    return nodes.name(python)


def _procedure(compiler: Compiler, form: List) -> ast.expr:
    """A procedure; `. rest` takes further arguments as a vector, and cases are tried by their number of arguments.

    Usage: (lambda (parameter*) body+) or (lambda [(parameter*) body+]+)
    """
    python = compiler.namespace.fresh("lambda")
    compile_procedure(compiler, form, python, None)
    return nodes.name(python)


def _write_case(compiler: Compiler, case: Case) -> None:
    function = compiler.function
    names = _enter(compiler, case)
    function.parameters = tuple(names)
    if case.rest is not None:
        function.rest = compiler.namespace.fresh("rest")
        _write_rest(compiler, case, nodes.name(function.rest))
    compiler.body(case.body)


def _write_cases(compiler: Compiler, cases: list[Case], python: str) -> None:
    """All arguments come as one tuple; the first case that covers their number takes it apart."""
    function, outer = compiler.function, compiler.scope
    function.rest = compiler.namespace.fresh("arguments")
    count = nodes.call("len", nodes.name(function.rest))
    for case in cases:
        compiler.scope = outer
        fits: ast.cmpop = ast.Eq() if case.rest is None else ast.GtE()
        test = nodes.compare(count, fits, nodes.constant(len(case.fixed)))
        compiler.write(nodes.when(test, compiler.branch(partial(_write_branch, compiler, case))))
    compiler.write(ast.Return(value=nodes.call("refuse_arguments", nodes.constant(python), count)))


def _write_branch(compiler: Compiler, case: Case) -> None:
    given = nodes.name(str(compiler.function.rest))
    names = _enter(compiler, case)
    size = nodes.constant(len(names))
    if names:
        head = ast.Subscript(value=given, slice=ast.Slice(lower=None, upper=size, step=None), ctx=ast.Load())
        compiler.write(nodes.assign_all(names, head))
    if case.rest is not None:
        tail = ast.Subscript(value=given, slice=ast.Slice(lower=size, upper=None, step=None), ctx=ast.Load())
        _write_rest(compiler, case, tail)
    compiler.body(case.body)


def _enter(compiler: Compiler, case: Case) -> list[str]:
    """Enter a scope with the parameters. Returns the Python names of the fixed ones."""
    variables = {symbol: compiler.variable(symbol) for symbol in case.fixed}
    compiler.scope = Scope(compiler.scope, dict(variables))
    return [compiler.scope.names[symbol].python for symbol in case.fixed]


def _write_rest(compiler: Compiler, case: Case, value: ast.expr) -> None:
    if case.rest is not None:
        variable = compiler.variable(case.rest)
        compiler.scope.names[case.rest] = variable
        compiler.write(nodes.assign(variable.python, nodes.call("Vector", value)))


def _finish(compiler: Compiler, function: Function) -> list[ast.stmt]:
    """The body with what stands around it: a step, the loop of a procedure that calls itself, and more depth."""
    itself = function.itself
    if itself is None:
        return nodes.tick() + function.block
    if function.is_captured:
        for block, place, arguments in function.loops:
            back = ast.Return(value=nodes.tuple_of([nodes.name(itself.python), *arguments]))
            nodes.locate(back, compiler.span)
            block[place : place + 2] = [back]
    body = nodes.tick() + function.block
    if function.loops and not function.is_captured:
        body = [ast.While(test=nodes.constant(True), body=body, orelse=[])]
    if function.has_calls:
        body = nodes.on_recursion_error(body, [ast.Return(value=_deepen(function, itself))])
    if (function.has_calls or function.is_captured) and itself.owner is not None:
        itself.owner.is_captured = True
    return body


def _deepen(function: Function, itself: Variable) -> ast.expr:
    given: list[ast.expr] = [nodes.name(parameter) for parameter in function.parameters]
    if function.rest is not None:
        given.append(ast.Starred(value=nodes.name(function.rest), ctx=ast.Load()))
    deepen = ast.Attribute(value=nodes.name(METER), attr="deepen", ctx=ast.Load())
    return nodes.call(deepen, nodes.name(itself.python), nodes.tuple_of(given))


# ---- reading parameters ------------------------------------------------------------------------


def _cases(compiler: Compiler, form: List) -> list[Case]:
    parts = list(form.tail or ())
    if not parts:
        raise compiler.fault("a procedure needs parameters and a body")
    if type(parts[0]) is not Vector:
        return [_case(compiler, parts)]
    cases: list[Case] = []
    for part in parts:
        if type(part) is not Vector or not part.length:
            raise compiler.fault("a case is a vector of parameters and a body")
        case = _case(compiler, list(part.all()))
        if _is_covered(case, cases):
            raise compiler.fault("a case can never be reached", part.at)
        cases.append(case)
    return cases


def _case(compiler: Compiler, parts: list[Value]) -> Case:
    parameters, *body = parts
    if not body:
        raise compiler.fault("a procedure needs a body")
    fixed: list[Symbol] = []
    rest: Value = parameters
    while type(rest) in (List, Cons):
        fixed.append(rest.head if type(rest) is List else rest.car)
        rest = rest.tail if type(rest) is List else rest.cdr
    for symbol in (*fixed, *([] if rest is None else [rest])):
        if type(symbol) is not Symbol or symbol.namespace is not None:
            raise compiler.fault("a parameter is a local name")
    if len({*fixed, rest}) <= len(fixed):
        raise compiler.fault("a parameter comes twice")
    return Case(fixed=tuple(fixed), rest=rest, body=tuple(body))


def _is_covered(case: Case, earlier: list[Case]) -> bool:
    """Whether the cases before take every number of arguments that this one takes."""
    counts = range(len(case.fixed), len(case.fixed) + 1)
    if case.rest is not None:
        open_ends = [len(other.fixed) for other in earlier if other.rest is not None]
        if not open_ends:
            return False
        counts = range(len(case.fixed), max(min(open_ends), len(case.fixed)) + 1)
    return all(any(other.covers(count) for other in earlier) for count in counts)


RULES: Final[dict[str, Rule]] = {"lambda": Rule(expression=_procedure)}
"""The rule of `lambda`."""
