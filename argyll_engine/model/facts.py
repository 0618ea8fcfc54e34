# SPDX-License-Identifier: Apache-2.0
"""Everything a decision may know beyond the state: the time, fresh tokens, what scripts say, what is remembered.

Facts are fetched by the executor before it decides, once per command, and stay the same when a lost commit is
decided again.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol, TypeAlias

from msgspec import Struct

from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.model.ids import JSONValue, Name, StepID, Token
from argyll_engine.model.invocation import Succeeded

Matcher: TypeAlias = Callable[[ScriptConfig, JSONValue], bool]
"""Whether a match script accepts a candidate value; raises ScriptError."""

NewToken: TypeAlias = Callable[[StepID, int], Token]
"""The token of work item number `index` of a step: the same question gets the same answer within one command."""


class Scripts(Protocol):
    """Runs the scripts that decide: predicates, gates, mappings. Each raises ScriptError, with a text for people."""

    def predicate(self, script: ScriptConfig, names: tuple[Name, ...], inputs: Mapping[Name, JSONValue]) -> bool:
        """Whether the predicate holds for these inputs."""

    def match(self, script: ScriptConfig, candidate: JSONValue) -> bool:
        """Whether the gate accepts this candidate."""

    def map_input(
        self, script: ScriptConfig, names: tuple[Name, ...], name: Name, value: JSONValue
    ) -> tuple[bool, JSONValue]:
        """(found, mapped value) of one input; not found means that the original value stays."""

    def map_output(self, script: ScriptConfig, outputs: Mapping[str, JSONValue]) -> tuple[bool, JSONValue]:
        """(found, mapped value) of one output; not found means that the attribute is not set."""


class Facts(Struct, frozen=True, kw_only=True):
    """The world as one decision sees it.

    `memo` is the remembered result of the call that a `StartWork` is about; None where there is none.
    """

    now: datetime
    new_token: NewToken
    scripts: Scripts
    memo: Succeeded | None = None
