# SPDX-License-Identifier: Apache-2.0
"""The language row `ale`: Ale with the limits of the engine, and its errors as ours. Only `registry.py` calls this.

The language itself is the package `ale/`, which knows nothing of the engine.
Source: the contract, scripts §1.2–1.7.
"""

from collections.abc import Mapping

from argyll_engine.errors import ScriptCompileError, ScriptRunError
from argyll_engine.model.ids import JSONValue, Name
from argyll_engine.scripting.ale import AleError, Limits, Meter, Script, compile_script
from argyll_engine.scripting.ale.json_values import from_json, to_json
from argyll_engine.scripting.limits import ScriptLimits


class AleLanguage:
    """Compiles Ale; its programs may be shared by threads."""

    def __init__(self, limits: ScriptLimits) -> None:
        self._limits = Limits(
            timeout_ms=limits.timeout_ms,
            memory_mb=limits.memory_mb,
            max_steps=limits.max_steps,
            max_result_bytes=limits.max_result_bytes,
        )

    def compile(self, text: str, names: tuple[Name, ...]) -> "AleProgram":
        """The program; its arguments are local variables of these names.

        Raises:
            ScriptCompileError: The text is no script, or a name is no symbol.
        """
        try:
            return AleProgram(compile_script(text, names, self._limits), names, self._limits)
        except AleError as error:
            raise ScriptCompileError(str(error), line=error.line, column=error.column) from error


class AleProgram:
    """A compiled script. Made by `AleLanguage.compile`."""

    __slots__ = ("_limits", "_names", "_script")

    def __init__(self, script: Script, names: tuple[Name, ...], limits: Limits) -> None:
        self._script, self._names, self._limits = script, names, limits

    def evaluate(self, values: Mapping[Name, JSONValue]) -> JSONValue:
        """The value of the last form, as JSON. Raises ScriptRunError."""
        meter = Meter(self._limits)
        try:
            result: JSONValue = to_json(meter, self._script.run(meter, self._arguments(values)))
        except AleError as error:
            raise ScriptRunError(str(error), line=error.line, column=error.column) from error
        return result

    def holds(self, values: Mapping[Name, JSONValue]) -> bool:
        """Whether the value of the last form is anything but false. Raises ScriptRunError."""
        try:
            return self._script.run(Meter(self._limits), self._arguments(values)) is not False
        except AleError as error:
            raise ScriptRunError(str(error), line=error.line, column=error.column) from error

    def _arguments(self, values: Mapping[Name, JSONValue]) -> list[object]:
        return [from_json(values.get(name)) for name in self._names]
