# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for the world outside: a clock that tests move, scripts that say what their text says."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from argyll_engine.errors import ScriptRunError
from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.model.facts import Facts
from argyll_engine.model.ids import JSONValue, Name, StepID, Token
from argyll_engine.model.invocation import Succeeded

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def now(self) -> datetime:
        """The time it was set to."""
        return self.at

    def move(self, **by: float) -> datetime:
        """Move on by the fields of a timedelta; the new time."""
        self.at += timedelta(**by)
        return self.at


class TextScripts:
    """Scripts whose text is their meaning.

    `true` and `false` are themselves, `raise X` fails with X, any other text of a predicate or gate is the value that
    it accepts (as str), of a mapping the name of the member that it picks.
    """

    def predicate(self, script: ScriptConfig, names: tuple[Name, ...], inputs: Mapping[Name, JSONValue]) -> bool:
        """Whether the text is `true`, or the value of some input."""
        return self._says(script, [str(value) for value in inputs.values()])

    def match(self, script: ScriptConfig, candidate: JSONValue) -> bool:
        """Whether the text is `true`, or the candidate."""
        return self._says(script, [str(candidate)])

    def map_input(
        self, script: ScriptConfig, names: tuple[Name, ...], name: Name, value: JSONValue
    ) -> tuple[bool, JSONValue]:
        """The member of the value that the text names."""
        return self._pick(script, value)

    def map_output(self, script: ScriptConfig, outputs: Mapping[str, JSONValue]) -> tuple[bool, JSONValue]:
        """The member of the outputs that the text names."""
        return self._pick(script, outputs)

    def _says(self, script: ScriptConfig, accepted: list[str]) -> bool:
        self._fail_if_told(script)
        return script.script == "true" or script.script in accepted

    def _pick(self, script: ScriptConfig, value: JSONValue) -> tuple[bool, JSONValue]:
        self._fail_if_told(script)
        found = isinstance(value, Mapping) and script.script in value
        return found, value[script.script] if found else None

    def _fail_if_told(self, script: ScriptConfig) -> None:
        if script.script.startswith("raise "):
            raise ScriptRunError(script.script.removeprefix("raise "))


def token_of(step_id: str, index: int = 0) -> Token:
    """The token that facts of tests give to a work item."""
    return Token(f"{step_id}#{index}")


def facts_at(at: datetime, memo: Succeeded | None = None) -> Facts:
    """The world of a decision at this time; `memo` is the result that is remembered."""
    return Facts(
        now=at, new_token=lambda step_id, index: token_of(StepID(step_id), index), scripts=TextScripts(), memo=memo
    )
