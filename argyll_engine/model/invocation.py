# SPDX-License-Identifier: Apache-2.0
"""One call of a step, and how it ended. Calling is `invoke/`, reading an HTTP answer is `policy/outcome.py`."""

from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct

from argyll_engine.model.ids import FlowID, JSONValue, Name, StepID, Token
from argyll_engine.model.step import Step


class Invocation(Struct, frozen=True, kw_only=True):
    """A work item ready to be called.

    `arguments` by inner name, complete (const and meta included); `webhook_url` is empty unless the step is
    asynchronous; `traceparent` is empty unless the call is traced.
    """

    flow_id: FlowID
    step_id: StepID
    token: Token
    attempt: int
    step: Step
    arguments: Mapping[Name, JSONValue]
    webhook_url: str = ""
    traceparent: str = ""


class Compensation(Struct, frozen=True, kw_only=True):
    """A succeeded work item to be undone: what it was called with, and what it gave (None for nothing)."""

    flow_id: FlowID
    step_id: StepID
    token: Token
    step: Step
    inputs: Mapping[Name, JSONValue]
    outputs: Mapping[str, JSONValue] | None
    traceparent: str = ""


class Succeeded(Struct, frozen=True, kw_only=True):
    """The step answered; `outputs` are raw, None where the answer was empty or null."""

    outputs: Mapping[str, JSONValue] | None


class Accepted(Struct, frozen=True, kw_only=True):
    """An asynchronous step took the call; its webhook will bring the outcome."""


class NotCompleted(Struct, frozen=True, kw_only=True):
    """No answer, or one that says "try again"; the retry policy decides what follows."""

    error: str


class Failed(Struct, frozen=True, kw_only=True):
    """The step refused for good."""

    error: str


Outcome: TypeAlias = Succeeded | Accepted | NotCompleted | Failed
