# SPDX-License-Identifier: Apache-2.0
"""Script languages whose limits are counted when a run meets one. Wraps the registry; made by wiring."""

from collections.abc import Mapping
from typing import Final

from argyll_engine.errors import ScriptError
from argyll_engine.metrics import instruments as all_metrics
from argyll_engine.metrics.labels import Children
from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.model.ids import JSONValue, Name
from argyll_engine.ports import ScriptEngine
from argyll_engine.scripting.limits import limit_of

_met: Final = Children(all_metrics.SCRIPT_LIMITS)


class MeteredScriptEngine:
    """Implements `ports.ScriptEngine` by another one."""

    def __init__(self, scripts: ScriptEngine) -> None:
        self._scripts = scripts

    def check(self, script: ScriptConfig, names: tuple[Name, ...]) -> None:
        """Raises ScriptCompileError unless the text is a program over these argument names."""
        self._scripts.check(script, names)

    def run(
        self, script: ScriptConfig, names: tuple[Name, ...], inputs: Mapping[Name, JSONValue]
    ) -> Mapping[str, JSONValue]:
        """Outputs of a script step. Raises ScriptError."""
        try:
            return self._scripts.run(script, names, inputs)
        except ScriptError as exc:
            _count(script, exc)
            raise

    def predicate(self, script: ScriptConfig, names: tuple[Name, ...], inputs: Mapping[Name, JSONValue]) -> bool:
        """Whether the predicate holds for these inputs."""
        try:
            return self._scripts.predicate(script, names, inputs)
        except ScriptError as exc:
            _count(script, exc)
            raise

    def match(self, script: ScriptConfig, candidate: JSONValue) -> bool:
        """Whether the gate accepts this candidate."""
        try:
            return self._scripts.match(script, candidate)
        except ScriptError as exc:
            _count(script, exc)
            raise

    def map_input(
        self, script: ScriptConfig, names: tuple[Name, ...], name: Name, value: JSONValue
    ) -> tuple[bool, JSONValue]:
        """(found, mapped value) of one input."""
        try:
            return self._scripts.map_input(script, names, name, value)
        except ScriptError as exc:
            _count(script, exc)
            raise

    def map_output(self, script: ScriptConfig, outputs: Mapping[str, JSONValue]) -> tuple[bool, JSONValue]:
        """(found, mapped value) of one output."""
        try:
            return self._scripts.map_output(script, outputs)
        except ScriptError as exc:
            _count(script, exc)
            raise


def _count(script: ScriptConfig, error: ScriptError) -> None:
    limit = limit_of(str(error))
    if limit:
        _met.of(script.language, limit).inc()
