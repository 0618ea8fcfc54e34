# SPDX-License-Identifier: Apache-2.0
"""jpath, JSONPath with expressions at top level: the language row `jpath`. Only `registry.py` calls this.

A program sees one document and no names; what it selects is all it gives. Texts are read by `jpath_syntax.py`,
compiled by `jpath_queries.py`, and run on `jpath_values.py`.
Source: the contract, scripts §4; RFC 9535.
"""

from typing import Final

from argyll_engine.errors import ScriptRunError
from argyll_engine.model.ids import JSONValue
from argyll_engine.scripting.jpath_queries import Query, compile_query
from argyll_engine.scripting.jpath_syntax import read_query
from argyll_engine.scripting.jpath_values import Run, measure
from argyll_engine.scripting.limits import ScriptLimits

MAX_COMPILED: Final = 10_240
"""Compiled programs worth keeping. Source: the contract, scripts §1.3."""


class JpathLanguage:
    """Compiles jpath; may be shared by threads."""

    def __init__(self, limits: ScriptLimits) -> None:
        self._limits = limits

    def compile(self, text: str) -> "JpathProgram":
        """The program of a text.

        Raises:
            ScriptCompileError: The text is neither a query nor an expression; with line and column.
        """
        return JpathProgram(self, compile_query(read_query(text)))

    def start(self, document: JSONValue) -> Run:
        """A run over the document, with its limits."""
        return Run(document, self._limits)


class JpathProgram:
    """A compiled query or expression, safe to run from several threads at once. Made by `JpathLanguage.compile`."""

    __slots__ = ("_language", "_query")

    def __init__(self, language: JpathLanguage, query: Query) -> None:
        self._language, self._query = language, query

    def matches(self, document: JSONValue) -> bool:
        """Whether the program selects anything, be it null or false. Raises ScriptRunError at a limit."""
        return bool(self._select(self._language.start(document)))

    def map(self, document: JSONValue) -> tuple[bool, JSONValue]:
        """(found, value): nothing selected is not found, one value stands for itself, several are an array.

        Raises ScriptRunError at a limit. Source: the contract, scripts §4.1.
        """
        run = self._language.start(document)
        selected = self._select(run)
        if len(selected) > 1:
            measure(selected, run)
            return True, selected
        return (True, selected[0]) if selected else (False, None)

    def _select(self, run: Run) -> list[JSONValue]:
        try:
            return self._query(run.root, run)
        except RecursionError as exc:  # the caller's stack was nearly full: a program alone never fills it
            raise ScriptRunError("script exceeded its limit of nesting") from exc
