# SPDX-License-Identifier: Apache-2.0
"""How calls are compiled: straight to a builtin where it is known, inline for two integers, else by what is called.

A procedure of the program may give back a tail call (a raw tuple, see `calling.py`), builtins never do.
Source: the contract, scripts §2.3 and §2.5.
"""

import ast
from typing import Final

from argyll_engine.scripting.ale import nodes
from argyll_engine.scripting.ale.calling import arity_of_call
from argyll_engine.scripting.ale.compiler import Calls, Compiler
from argyll_engine.scripting.ale.nodes import METER
from argyll_engine.scripting.ale.scope import Variable
from argyll_engine.scripting.ale.values import Keyword, List, Procedure, Symbol, Value

_ARITHMETIC: Final[dict[str, tuple[type[ast.operator], str]]] = {"+": (ast.Add, "add"), "-": (ast.Sub, "subtract")}
_FOLDED: Final = {"*": "multiply", "/": "divide", "mod": "modulo", "modulo": "modulo"}
_COMPARISONS: Final[dict[str, tuple[type[ast.cmpop], str]]] = {
    "=": (ast.Eq, "is_equal"),
    "<": (ast.Lt, "is_less"),
    "<=": (ast.LtE, "is_at_most"),
    ">": (ast.Gt, "is_greater"),
    ">=": (ast.GtE, "is_at_least"),
}
_MOST_INLINE: Final = 8  # operands; each takes a level of nesting
_STEPS: Final = {"inc": "+", "dec": "-"}
_DIRECT: Final = {"first": "first", "car": "first", "rest": "rest", "cdr": "rest"}

BOOLEAN: Final = frozenset({"=", "!=", "<", "<=", ">", ">=", "eq", "!eq", "not", "contains?", "is-a"})
"""Builtins that give true or false, besides all whose name ends in a question mark."""


def arity_of(procedure: Procedure) -> tuple[int, int | None]:
    """Least and most arguments of a procedure, without the meter; None for any number."""
    code = procedure.__code__
    most = code.co_argcount - 1
    has_rest = code.co_flags & 0x04
    return most - len(procedure.__defaults__ or ()), None if has_rest else most


def _expression(compiler: Compiler, form: List) -> ast.expr:
    known = _builtin(compiler, form.head)
    if known is not None:
        return _call_builtin(compiler, form, *known)
    literal = _call_literal(compiler, form)
    if literal is not None:
        return literal
    compiler.function.has_calls = True
    result = compiler.namespace.fresh("result")
    target = _target(compiler, form.head)
    made = nodes.bind(result, nodes.call(target, nodes.name(METER), *_arguments(compiler, form)))
    is_value = nodes.compare(nodes.call("type", made), ast.IsNot(), nodes.name("tuple"))
    return nodes.choose(is_value, nodes.name(result), nodes.call("settle", nodes.name(METER), nodes.name(result)))


def _tail(compiler: Compiler, form: List) -> None:
    known = _builtin(compiler, form.head)
    if known is not None and known[0] == "apply" and form.tail is not None:
        spread = nodes.call("spread", nodes.name(METER), *_arguments(compiler, form))
        compiler.write(ast.Return(value=spread))
        return
    literal = None if known else _call_literal(compiler, form)
    if known is not None or literal is not None:
        compiler.write(ast.Return(value=literal or _expression(compiler, form)))
        return
    variable = compiler.resolve(form.head) if type(form.head) is Symbol else None
    arguments = _arguments(compiler, form)
    function = compiler.function
    if variable is not None and variable is function.itself and _loop(compiler, arguments):
        return
    target = _target(compiler, form.head)
    compiler.write(ast.Return(value=nodes.tuple_of([target, *arguments])))


def _loop(compiler: Compiler, arguments: list[ast.expr]) -> bool:
    """Set the parameters anew and go back to the start, unless the arguments do not fit."""
    function = compiler.function
    fixed = len(function.parameters)
    if len(arguments) < fixed or (len(arguments) > fixed and function.rest is None):
        return False
    names, values = list(function.parameters), arguments[:fixed]
    if function.rest is not None:
        names.append(function.rest)
        values = [*values, nodes.tuple_of(arguments[fixed:])]
    function.loops.append((function.block, len(function.block), arguments))
    if names:
        compiler.write(nodes.assign_all(names, nodes.tuple_of(values)))
    else:
        compiler.write(ast.Pass())
    compiler.write(ast.Continue())
    return True


def _builtin(compiler: Compiler, head: Value) -> tuple[str, Procedure] | None:
    """The builtin procedure that the head names."""
    if type(head) is not Symbol or compiler.resolve(head) is not None:
        return None
    value = compiler.namespace.core[head.name]
    return (head.name, value) if type(value) is Procedure else None


def _arguments(compiler: Compiler, form: List) -> list[ast.expr]:
    return [compiler.expression(argument) for argument in form.tail or ()]


def _check_arity(compiler: Compiler, form: List, least: int, most: int | None) -> None:
    given = form.length - 1
    if given < least or (most is not None and given > most):
        wanted = str(least) if least == most else f"at least {least}" if most is None else f"{least} to {most}"
        raise compiler.fault(f"got {given} arguments, expected {wanted}")


def _call_builtin(compiler: Compiler, form: List, name: str, procedure: Procedure) -> ast.expr:
    _check_arity(compiler, form, *arity_of(procedure))
    if name == "not":
        return ast.UnaryOp(op=ast.Not(), operand=compiler.test(form.tail.head if form.tail else None))
    arguments = _arguments(compiler, form)
    count = len(arguments)
    if name in _STEPS:
        return _add(compiler, _STEPS[name], arguments[0], nodes.constant(1))
    if 2 <= count <= _MOST_INLINE and name in _ARITHMETIC:
        result = arguments[0]
        for argument in arguments[1:]:
            result = _add(compiler, name, result, argument)
        return result
    if 2 <= count <= _MOST_INLINE and name in _FOLDED:
        result = arguments[0]
        for argument in arguments[1:]:
            result = nodes.call(_FOLDED[name], result, argument)
        return result
    if count == 2 and name in _COMPARISONS:
        operator, slow = _COMPARISONS[name]
        test, left, right = _integers(compiler, arguments[0], arguments[1])
        return nodes.choose(test, nodes.compare(left, operator(), right), nodes.call(slow, left, right))
    if count == 2 and name == "eq":
        return nodes.call("equal", nodes.name(METER), *arguments)
    if count == 1 and name == "null?":
        return nodes.is_same(arguments[0], None)
    if count == 1 and name in _DIRECT:
        return nodes.call(_DIRECT[name], arguments[0])
    compiler.function.has_calls = True
    return nodes.call(compiler.builtin(name), nodes.name(METER), *arguments)


def _add(compiler: Compiler, name: str, left: ast.expr, right: ast.expr) -> ast.expr:
    operator, slow = _ARITHMETIC[name]
    test, left, right = _integers(compiler, left, right)
    return nodes.choose(test, ast.BinOp(left=left, op=operator(), right=right), nodes.call(slow, left, right))


def _integers(compiler: Compiler, left: ast.expr, right: ast.expr) -> tuple[ast.expr, ast.expr, ast.expr]:
    """A test whether both are integers, which evaluates both, and two names for them afterwards."""
    first, left = _named(compiler, left)
    second, right = _named(compiler, right)
    if isinstance(right, ast.Constant) and type(right.value) is int:
        return nodes.is_type(first, "int"), left, right
    if isinstance(left, ast.Constant) and type(left.value) is int:
        return nodes.is_type(second, "int"), left, right
    types = [nodes.call("type", second), nodes.name("int")]
    return ast.Compare(left=nodes.call("type", first), ops=[ast.Is(), ast.Is()], comparators=types), left, right


def _named(compiler: Compiler, node: ast.expr) -> tuple[ast.expr, ast.expr]:
    """The expression for its first use, and one without cost for every other."""
    if isinstance(node, ast.Name | ast.Constant):
        return node, node
    temporary = compiler.namespace.fresh("operand")
    return nodes.bind(temporary, node), nodes.name(temporary)


def _call_literal(compiler: Compiler, form: List) -> ast.expr | None:
    """A call of a keyword, a number or a string that is written down; None for any other head."""
    head = form.head
    if type(head) is Symbol and compiler.resolve(head) is None:
        head = compiler.namespace.core[head.name]
    if type(head) in (List, Symbol, Procedure):
        return None
    arity = arity_of_call(head)
    if arity is None:
        return None
    _check_arity(compiler, form, *arity)
    compiler.function.has_calls = True
    if type(head) is Keyword:
        return _look_up(compiler, head, _arguments(compiler, form))
    kind = type(head).__name__
    target = compiler.expression(head)
    return nodes.call(f"call_{kind}", nodes.name(METER), target, *_arguments(compiler, form))


def _look_up(compiler: Compiler, keyword: Keyword, arguments: list[ast.expr]) -> ast.expr:
    """The member of an object, straight from its map."""
    first, value = _named(compiler, arguments[0])
    key, rest = nodes.constant(keyword.name), arguments[1:]
    get = ast.Attribute(value=ast.Attribute(value=value, attr="map", ctx=ast.Load()), attr="get", ctx=ast.Load())
    slow = nodes.call("look_up", value, key, *rest)
    return nodes.choose(nodes.is_type(first, "AleObject"), nodes.call(get, key, *rest), slow)


def _target(compiler: Compiler, head: Value) -> ast.expr:
    """What is called: the procedure itself, or a procedure that stands for the value."""
    variable: Variable | None = compiler.resolve(head) if type(head) is Symbol else None
    node = compiler.expression(head)
    if variable is not None and variable.is_procedure:
        return node
    first, other = _named(compiler, node)
    return nodes.choose(nodes.is_type(first, "Procedure"), other, nodes.call("callee", other))


def _is_boolean(compiler: Compiler, form: Value) -> bool:
    """Whether the form calls a builtin that gives nothing but true or false."""
    known = _builtin(compiler, form.head) if type(form) is List else None
    return known is not None and (known[0] in BOOLEAN or known[0].endswith("?"))


CALLS: Final = Calls(expression=_expression, tail=_tail, is_boolean=_is_boolean)
"""The rules of calls, for the compiler."""
