# SPDX-License-Identifier: Apache-2.0
"""The syntax tree of a jpath query to a function that selects. Only `jpath.py` calls this.

A compiled query is made of closures and keeps nothing between runs, so threads may share it. python-jsonpath's own
evaluation is not used: it has no limits, keeps insertion order, and builds a path for every value it visits.
Source: the contract, scripts §4; RFC 9535 §2.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from jsonpath import JSONPath
from jsonpath.filter import (
    BaseExpression,
    FilterExpressionLiteral,
    FilterQuery,
    FunctionExtension,
    InfixExpression,
    Nil,
    PrefixExpression,
    RootFilterQuery,
)
from jsonpath.segments import JSONPathRecursiveDescentSegment, JSONPathSegment
from jsonpath.selectors import (
    Filter,
    IndexSelector,
    JSONPathSelector,
    NameSelector,
    SliceSelector,
    WildcardSelector,
)

from argyll_engine.errors import ScriptCompileError
from argyll_engine.model.ids import JSONValue
from argyll_engine.scripting.jpath_regex import is_found, is_match
from argyll_engine.scripting.jpath_values import NOTHING, Run, children, descendants, is_equal, is_less, length

Query: TypeAlias = Callable[[JSONValue, Run], list[JSONValue]]
"""The values that a query selects, starting at a value."""

_Select: TypeAlias = Callable[[JSONValue, Run, list[JSONValue]], None]
"""Appends what a selector selects among the children of a value."""

_Value: TypeAlias = Callable[[JSONValue, Run], object]
"""The value of an expression at the current value, or NOTHING."""

_Test: TypeAlias = Callable[[JSONValue, Run], bool]
"""Whether a condition holds at the current value."""

_Compare: TypeAlias = Callable[[object, object, Run], bool]


# ---- queries ---------------------------------------------------------------------------------


def compile_query(query: JSONPath) -> Query:
    """The query as a function. Raises ScriptCompileError for what RFC 9535 does not have."""
    segments = [_segment(segment) for segment in query.segments]

    def select(start: JSONValue, run: Run) -> list[JSONValue]:
        nodes = [start]
        for segment in segments:
            nodes = segment(nodes, run)
        return nodes

    return select


def _segment(segment: JSONPathSegment) -> Callable[[list[JSONValue], Run], list[JSONValue]]:
    selectors = [_selector(selector) for selector in segment.selectors]
    is_descendant = isinstance(segment, JSONPathRecursiveDescentSegment)

    def step(nodes: list[JSONValue], run: Run) -> list[JSONValue]:
        selected: list[JSONValue] = []
        for node in nodes:
            for origin in descendants(node, run) if is_descendant else (node,):
                for select in selectors:
                    select(origin, run, selected)
                run.hold(selected)
        return selected

    return step


# ---- selectors -------------------------------------------------------------------------------


def _selector(selector: JSONPathSelector) -> _Select:
    match selector:
        case NameSelector():
            return _by_key(selector.name)
        case IndexSelector():
            return _by_key(selector.index)
        case SliceSelector():
            return _by_slice(selector.slice)
        case WildcardSelector():
            return _all
        case Filter():
            return _by_filter(_test(selector.expression.expression))
    raise ScriptCompileError(f"jpath compile error: not in RFC 9535: {selector}")


def _by_key(key: str | int) -> _Select:
    def select(node: JSONValue, run: Run, selected: list[JSONValue]) -> None:
        value = _child(node, key, run)
        if value is not NOTHING:
            selected.append(value)

    return select


def _child(node: JSONValue, key: str | int, run: Run) -> object:
    """The member of an object, or the element of an array, that a name or an index selects."""
    run.visit(1)
    if isinstance(key, str):
        return node.get(key, NOTHING) if isinstance(node, dict) else NOTHING
    return node[key] if isinstance(node, list) and -len(node) <= key < len(node) else NOTHING


def _by_slice(bounds: slice) -> _Select:
    def select(node: JSONValue, run: Run, selected: list[JSONValue]) -> None:
        if isinstance(node, list) and bounds.step != 0:
            elements = node[bounds]
            run.visit(len(elements))
            selected.extend(elements)

    return select


def _all(node: JSONValue, run: Run, selected: list[JSONValue]) -> None:
    selected.extend(children(node, run))


def _by_filter(test: _Test) -> _Select:
    def select(node: JSONValue, run: Run, selected: list[JSONValue]) -> None:
        selected.extend(child for child in children(node, run) if test(child, run))

    return select


# ---- conditions ------------------------------------------------------------------------------


def _test(expression: BaseExpression) -> _Test:
    match expression:
        case PrefixExpression():
            return _negation(_test(expression.right))
        case InfixExpression() if expression.logical:
            return _junction(_test(expression.left), expression.operator, _test(expression.right))
        case InfixExpression():
            return _comparison(_value(expression.left), _COMPARE[expression.operator], _value(expression.right))
        case FilterQuery():
            return _existence(_nodes(expression))
        case FunctionExtension() if expression.name in _CONDITIONS:
            return _comparison(_value(expression.args[0]), _CONDITIONS[expression.name], _value(expression.args[1]))
    raise ScriptCompileError(f"jpath compile error: not a condition: {expression}")


def _negation(test: _Test) -> _Test:
    return lambda node, run: not test(node, run)


def _junction(left: _Test, operator: str, right: _Test) -> _Test:
    if operator == "&&":
        return lambda node, run: left(node, run) and right(node, run)
    return lambda node, run: left(node, run) or right(node, run)


def _comparison(left: _Value, compare: _Compare, right: _Value) -> _Test:
    return lambda node, run: compare(left(node, run), right(node, run), run)


def _existence(nodes: Query) -> _Test:
    return lambda node, run: bool(nodes(node, run))


_COMPARE: Final[Mapping[str, _Compare]] = {
    "==": is_equal,
    "!=": lambda left, right, run: not is_equal(left, right, run),
    "<": lambda left, right, _: is_less(left, right),
    ">": lambda left, right, _: is_less(right, left),
    "<=": lambda left, right, run: is_less(left, right) or is_equal(left, right, run),
    ">=": lambda left, right, run: is_less(right, left) or is_equal(left, right, run),
}

_CONDITIONS: Final[Mapping[str, _Compare]] = {"match": is_match, "search": is_found}


# ---- values ----------------------------------------------------------------------------------


def _value(expression: BaseExpression) -> _Value:
    match expression:
        case Nil():
            return lambda _node, _run: None
        case FilterExpressionLiteral():
            return _literal(expression.value)
        case FilterQuery():
            return _singular(expression)
        case FunctionExtension():
            return _function(expression.name, expression.args)
    raise ScriptCompileError(f"jpath compile error: not a value: {expression}")


def _literal(value: object) -> _Value:
    return lambda _node, _run: value


def _singular(query: FilterQuery) -> _Value:
    """The value of a query that can select one value at most, which is followed without building lists."""
    keys = [_key(segment.selectors) for segment in query.path.segments]
    is_absolute = isinstance(query, RootFilterQuery)

    def follow(node: JSONValue, run: Run) -> object:
        value = run.root if is_absolute else node
        for key in keys:
            value = _child(value, key, run)
        return value

    return follow


def _key(selectors: Sequence[JSONPathSelector]) -> str | int:
    match selectors:
        case [NameSelector(name=name)]:
            return name
        case [IndexSelector(index=index)]:
            return index
    raise ScriptCompileError("jpath compile error: a query that can select several values is not comparable")


def _function(name: str, arguments: Sequence[BaseExpression]) -> _Value:
    match name, arguments:
        case "length", [argument]:
            value = _value(argument)
            return lambda node, run: length(value(node, run))
        case "count", [FilterQuery() as query]:
            counted = _nodes(query)
            return lambda node, run: len(counted(node, run))
        case "value", [FilterQuery() as query]:
            return _single(_nodes(query))
    raise ScriptCompileError(f"jpath compile error: {name}() gives no value")


def _single(nodes: Query) -> _Value:
    def single(node: JSONValue, run: Run) -> object:
        selected = nodes(node, run)
        return selected[0] if len(selected) == 1 else NOTHING

    return single


def _nodes(query: FilterQuery) -> Query:
    """What a query inside a filter selects, from the current value or from the document."""
    select = compile_query(query.path)
    if isinstance(query, RootFilterQuery):
        return lambda _node, run: select(run.root, run)
    return select
