# SPDX-License-Identifier: Apache-2.0
"""The port `ScriptEngine` over a table of languages: which language, compiled once, and what its result means.

Nothing about any one language lives here. Called by decisions (through `Facts.scripts`), by `invoke/script.py`
and, to check texts, when a step is registered.
"""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, Protocol

from argyll_engine.errors import ScriptCompileError
from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.model.ids import JSONValue, Name
from argyll_engine.scripting.ale_language import AleLanguage
from argyll_engine.scripting.limits import MAX_RESULT_BYTES, MAX_STEPS, ScriptLimits
from argyll_engine.scripting.lua import LuaLanguage

if TYPE_CHECKING:
    from argyll_engine.scripting.jpath import JpathProgram

MAX_COMPILED: Final = 4_096
"""Compiled scripts kept per language. Source: the contract, scripts §1.3."""

JPATH: Final = "jpath"
"""The language whose programs see a document and no names, so it is no row among those that do."""

VALUE: Final = Name("value")
"""The one name that a match script and an output mapping see. Source: the contract, scripts §1.2 and D7."""

RESULT: Final = "result"
"""Output that holds the result of a script which gives back no object. Source: the contract, scripts §1.6."""


class Program(Protocol):
    """A compiled script; a name without a value is null. Safe to run from several threads at once."""

    def evaluate(self, values: Mapping[Name, JSONValue]) -> JSONValue:
        """What the script gives back. Raises ScriptRunError."""

    def holds(self, values: Mapping[Name, JSONValue]) -> bool:
        """Whether what the script gives back is true in its own language. Raises ScriptRunError."""


class Language(Protocol):
    """A language whose programs are functions of named arguments."""

    def compile(self, text: str, names: tuple[Name, ...]) -> Program:
        """The program. Raises ScriptCompileError."""


class Compile(Protocol):
    """`Language.compile` behind its cache."""

    def __call__(self, text: str, names: tuple[Name, ...]) -> Program:
        """The program. Raises ScriptCompileError."""


class ScriptRegistry:
    """Runs every script of every step. Implements `ports.ScriptEngine`; may be shared by threads.

    Args:
        timeout_ms: processor time that one run may use.
        memory_mb: memory that one run may use.
        max_steps: steps that one run may take, as each language counts them.
        max_result_bytes: size of one result.
    """

    def __init__(
        self,
        *,
        timeout_ms: int,
        memory_mb: int,
        max_steps: int = MAX_STEPS,
        max_result_bytes: int = MAX_RESULT_BYTES,
    ) -> None:
        limits = ScriptLimits(
            timeout_ms=timeout_ms, memory_mb=memory_mb, max_steps=max_steps, max_result_bytes=max_result_bytes
        )
        languages: dict[str, Language] = {
            "ale": AleLanguage(limits),
            "lua": LuaLanguage(limits),
            # the next language is a row here
        }
        self._compile: dict[str, Compile] = {
            name: lru_cache(maxsize=MAX_COMPILED)(language.compile) for name, language in languages.items()
        }
        self._compile_path = _late_jpath(limits)

    def check(self, script: ScriptConfig, names: tuple[Name, ...]) -> None:
        """Nothing for a program over these names.

        Raises:
            ScriptCompileError: The text is no program, is empty, or its language is not available.
        """
        if self._path(script) is None:
            self._program(script, names)

    def run(
        self, script: ScriptConfig, names: tuple[Name, ...], inputs: Mapping[Name, JSONValue]
    ) -> Mapping[str, JSONValue]:
        """Outputs of a script step: the members of an object, anything else as `result`.

        Source: the contract, scripts §1.6. Raises ScriptError.
        """
        return _outputs(self._program(script, names).evaluate(inputs))

    def predicate(self, script: ScriptConfig, names: tuple[Name, ...], inputs: Mapping[Name, JSONValue]) -> bool:
        """Whether the predicate holds, by the truth rules of its language. Raises ScriptError."""
        path = self._path(script)
        return path.matches(dict(inputs)) if path else self._program(script, names).holds(inputs)

    def match(self, script: ScriptConfig, candidate: JSONValue) -> bool:
        """Whether the gate accepts the candidate, which it sees as `value`. Raises ScriptError."""
        path = self._path(script)
        return path.matches(candidate) if path else self._program(script, (VALUE,)).holds({VALUE: candidate})

    def map_input(
        self, script: ScriptConfig, names: tuple[Name, ...], name: Name, value: JSONValue
    ) -> tuple[bool, JSONValue]:
        """(found, mapped value) of the input `name`; all other arguments are null. Raises ScriptError."""
        path = self._path(script)
        if path:
            return path.map(value)
        return True, _mapped(self._program(script, names).evaluate({name: value}))

    def map_output(self, script: ScriptConfig, outputs: Mapping[str, JSONValue]) -> tuple[bool, JSONValue]:
        """(found, mapped value) of an output; the script sees the raw outputs as `value`. Raises ScriptError."""
        path = self._path(script)
        if path:
            return path.map(dict(outputs))
        return True, _mapped(self._program(script, (VALUE,)).evaluate({VALUE: outputs}))

    def _path(self, script: ScriptConfig) -> "JpathProgram | None":
        """The program of a jpath script; None for the other languages. Raises ScriptCompileError."""
        return self._compile_path(script.script) if script.language == JPATH else None

    def _program(self, script: ScriptConfig, names: tuple[Name, ...]) -> Program:
        compile_script = self._compile.get(script.language)
        if compile_script is None:
            raise ScriptCompileError(_no_language(script.language))
        if not script.script:
            raise ScriptCompileError("script is empty")
        return compile_script(script.script, names)


def _late_jpath(limits: ScriptLimits) -> "Callable[[str], JpathProgram]":
    """Compiles jpath, which is loaded with the first of its scripts: it takes a tenth of a start, and few have any."""

    @cache
    def loaded() -> "Callable[[str], JpathProgram]":
        from argyll_engine.scripting.jpath import MAX_COMPILED, JpathLanguage

        return lru_cache(maxsize=MAX_COMPILED)(JpathLanguage(limits).compile)

    return lambda text: loaded()(text)


def _no_language(language: str) -> str:
    if language == JPATH:
        return "script language not valid for a script step: jpath"
    return f"invalid script language: {language}"


def _outputs(result: JSONValue) -> dict[str, JSONValue]:
    return result if isinstance(result, dict) else {RESULT: result}


def _mapped(result: JSONValue) -> JSONValue:
    """The one value that a mapping's result stands for. Source: the contract, scripts §1.6."""
    if not isinstance(result, dict):
        return result
    if not result:
        return None
    if VALUE in result:
        return result[VALUE]
    if len(result) == 1:
        return next(iter(result.values()))
    return result
