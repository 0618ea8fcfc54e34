# SPDX-License-Identifier: Apache-2.0
"""The text of a jpath script to the syntax tree of a query. Nothing is evaluated here; only `jpath.py` calls this.

The grammar is that of RFC 9535, read by python-jsonpath in its strict mode. Added are the expressions at top level
(the contract, scripts §4.2), positions in all errors, and a limit on nesting that holds on every stack alike: the
library reads by recursion, and a text that compiles in the API must compile in a worker.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from jsonpath import JSONPath, JSONPathEnvironment
from jsonpath.exceptions import JSONPathError, JSONPathSyntaxError
from jsonpath.filter import (
    BaseExpression,
    FilterExpressionLiteral,
    FunctionExtension,
    InfixExpression,
    Nil,
    PrefixExpression,
    RootFilterQuery,
)
from jsonpath.lex import Lexer
from jsonpath.parse import Parser
from jsonpath.segments import JSONPathChildSegment
from jsonpath.selectors import Filter
from jsonpath.stream import TokenStream
from jsonpath.token import (
    TOKEN_AND,
    TOKEN_COMMA,
    TOKEN_DDOT,
    TOKEN_EQ,
    TOKEN_FALSE,
    TOKEN_FILTER,
    TOKEN_FLOAT,
    TOKEN_FUNCTION,
    TOKEN_GE,
    TOKEN_GT,
    TOKEN_INT,
    TOKEN_LE,
    TOKEN_LG,
    TOKEN_LPAREN,
    TOKEN_LT,
    TOKEN_NAME,
    TOKEN_NE,
    TOKEN_NIL,
    TOKEN_NOT,
    TOKEN_OR,
    TOKEN_SINGLE_QUOTE_STRING,
    TOKEN_TRUE,
    TOKEN_WHITESPACE,
    Token,
)
from jsonpath.unescape import unescape_string

from argyll_engine.errors import ScriptCompileError

MAX_TEXT: Final = 65_536
"""Characters of a script."""

MAX_NESTING: Final = 600
"""Frames of the Python stack that reading a script may need, at most; Python stops at 1000."""

_FRAMES: Final = {
    **dict.fromkeys((TOKEN_AND, TOKEN_OR, TOKEN_NOT, TOKEN_LPAREN, TOKEN_FUNCTION), 3),
    **dict.fromkeys((TOKEN_EQ, TOKEN_NE, TOKEN_LT, TOKEN_LE, TOKEN_GT, TOKEN_GE), 3),
    TOKEN_FILTER: 8,
}
"""What each token may add to the depth of the stack, when it is read and when the query runs."""

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_TOKEN_NAME: Final = re.compile(r"'?TOKEN_(\w+)'?")
_CONTROL: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u00([01][0-9A-Fa-f])")
_WORDS: Final = frozenset({TOKEN_TRUE, TOKEN_FALSE, TOKEN_NIL})
_OPEN, _CLOSE = "$[?", "]"

VALUE_FUNCTIONS: Final = frozenset({"count", "length", "value"})
"""Functions that give a value; `match` and `search` are conditions. Source: RFC 9535 §2.4."""


class _Lexer(Lexer):
    """The library's tokens, put right where they depart from RFC 9535, and refused where they nest too deeply."""

    key_pattern = "[\u0080-\U0010ffffa-zA-Z_][\u0080-\U0010ffffa-zA-Z0-9_]*"

    def tokenize(self, path: str) -> Iterator[Token]:
        """The tokens of a text. Raises JSONPathSyntaxError."""
        frames, previous = 0, ""
        for token in super().tokenize(path):
            frames += _FRAMES.get(token.kind, 0)
            if frames > MAX_NESTING:
                raise JSONPathSyntaxError("too many operators, filters and parentheses", token=token)
            if previous == TOKEN_COMMA and token.kind != TOKEN_WHITESPACE:
                # Without a space the library takes the first index of `[1,:2]` for the start of a slice.
                yield Token(TOKEN_WHITESPACE, "", token.index, path)
            yield _mended(token, previous)
            previous = token.kind


class _Parser(Parser):
    """The library's trees, refused where an operator has operands that RFC 9535 does not allow it."""

    def parse_prefix_expression(self, stream: TokenStream) -> BaseExpression:
        """A negation. Raises JSONPathSyntaxError."""
        token = stream.current()
        expression = super().parse_prefix_expression(stream)
        assert isinstance(expression, PrefixExpression)
        _require_condition(expression.right, token)
        return expression

    def parse_infix_expression(self, stream: TokenStream, left: BaseExpression) -> BaseExpression:
        """A comparison, or two conditions. Raises JSONPathSyntaxError."""
        token = stream.current()
        expression = super().parse_infix_expression(stream, left)
        assert isinstance(expression, InfixExpression)
        require = _require_condition if expression.logical else _require_value
        require(expression.left, token)
        require(expression.right, token)
        return expression

    def _decode_string_literal(self, token: Token) -> str:
        """The text of a string; escaped control characters are read here, as the library refuses them."""
        quote = "'" if token.kind == TOKEN_SINGLE_QUOTE_STRING else '"'
        text, *others = _CONTROL.split(token.value)
        parts = []
        for backslashes, digits, following in zip(others[::3], others[1::3], others[2::3], strict=True):
            parts += [unescape_string(text + backslashes, token, quote), chr(int(digits, 16))]
            text = following
        return "".join([*parts, unescape_string(text, token, quote)])


class _Environment(JSONPathEnvironment):
    lexer_class = _Lexer
    parser_class = _Parser


_ENVIRONMENT: Final = _Environment(strict=True, filter_caching=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    """Why a text cannot be read, and where that shows (characters from the start)."""

    reason: str
    position: int

    def error(self, text: str) -> ScriptCompileError:
        """The error for this text, with line and column, both from 1."""
        before = text[: self.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        reason = f"jpath compile error: {self.reason} at line {line}, column {column}"
        return ScriptCompileError(reason, line=line, column=column)


def read_query(text: str) -> JSONPath:
    """The query that a script stands for: itself, or `$[?text]` where it is an expression.

    Raises:
        ScriptCompileError: With line and column. Source: the contract, scripts §1.3, §4.2 and §4.3.
    """
    result = _text_fault(text) or _read_either(text)
    if isinstance(result, _Fault):
        raise result.error(text)
    return result


def _text_fault(text: str) -> _Fault | None:
    """What is wrong with the text whatever it says."""
    if not text:
        return _Fault(reason="empty text", position=0)
    if len(text) > MAX_TEXT:
        return _Fault(reason=f"text is longer than {MAX_TEXT} characters", position=MAX_TEXT)
    if text[0].isspace():
        return _Fault(reason="leading whitespace", position=0)
    if text[-1].isspace():
        return _Fault(reason="trailing whitespace", position=len(text.rstrip()))
    return None


def _read_either(text: str) -> JSONPath | _Fault:
    """The text as a query or as an expression; where it is neither, the fault that says more.

    A text that begins like a query may have been meant as either: the fault that shows later is nearer to that.
    """
    as_query = _read(text, wrapped=False)
    if isinstance(as_query, JSONPath):
        return as_query
    as_expression = _read(text, wrapped=True)
    if isinstance(as_expression, JSONPath):
        return _unwrapped(as_expression)
    return max(as_expression, as_query, key=lambda fault: fault.position if text[0] == "$" else 0)


def _unwrapped(query: JSONPath) -> JSONPath | _Fault:
    """The query `$[?text]`, or the query that the text has in parentheses.

    The shape of the tree shows whether the text kept inside its brackets: anything that closes them itself makes
    further segments or selectors.
    """
    match query.segments:
        case [JSONPathChildSegment(selectors=[Filter(expression=filtering)])]:
            expression = filtering.expression
            return expression.path if isinstance(expression, RootFilterQuery) else query
    return _Fault(reason="brackets do not match", position=0)


def _read(text: str, *, wrapped: bool) -> JSONPath | _Fault:
    """The tree of the text or of `$[?text]`; positions of faults are those in the text itself."""
    source = f"{_OPEN}{text}{_CLOSE}" if wrapped else text
    try:
        query = _ENVIRONMENT.compile(source)
    except JSONPathError as exc:
        position = _position(exc, len(text), len(_OPEN) if wrapped else 0)
        return _Fault(reason=_TOKEN_NAME.sub(_plain_words, str(exc.args[0])), position=position)
    except ValueError:
        return _Fault(reason="an index has no exponent", position=0)
    except RecursionError:
        return _Fault(reason="nested too deeply", position=0)
    return query if isinstance(query, JSONPath) else _Fault(reason="more than one query", position=0)


def _plain_words(name: re.Match[str]) -> str:
    """The library's name for a kind of token, as people say it."""
    return name[1].lower().replace("_", " ")


def _position(error: JSONPathError, length: int, offset: int) -> int:
    """Where the error shows; the library puts the end of the text at -1, and some tokens among the arguments."""
    token = error.token or next((argument for argument in error.args if isinstance(argument, Token)), None)
    if token is None:
        return 0
    return length if token.index < 0 else min(max(token.index - offset, 0), length)


def _mended(token: Token, previous: str) -> Token:
    """The token, unless it is a number that RFC 9535 does not have, or a name that looks like a word (`$..true`)."""
    if token.kind in (TOKEN_INT, TOKEN_FLOAT):
        if not _NUMBER.fullmatch(token.value):
            raise JSONPathSyntaxError(f"malformed number {token.value}", token=token)
        if math.isinf(float(token.value)):
            raise JSONPathSyntaxError("number out of range", token=token)
    if token.kind == TOKEN_LG:
        raise JSONPathSyntaxError("unexpected '<>'", token=token)
    if previous == TOKEN_DDOT and token.kind in _WORDS:
        return Token(TOKEN_NAME, token.value, token.index, token.path)
    return token


def _require_condition(operand: BaseExpression, operator: Token) -> None:
    """Refuses an operand that is neither true nor false."""
    if isinstance(operand, (FilterExpressionLiteral, Nil)):
        raise JSONPathSyntaxError("a literal must be compared", token=operator)
    if isinstance(operand, FunctionExtension) and operand.name in VALUE_FUNCTIONS:
        raise JSONPathSyntaxError(f"result of {operand.name}() must be compared", token=operator)


def _require_value(operand: BaseExpression, operator: Token) -> None:
    """Refuses to compare what is true or false already: what `1 == 1 == true` means, readers disagree on."""
    if isinstance(operand, (InfixExpression, PrefixExpression)):
        raise JSONPathSyntaxError("a condition cannot be compared", token=operator)
