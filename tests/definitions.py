# SPDX-License-Identifier: Apache-2.0
"""Smallest valid definitions, and catalogs of them. Keywords override; nothing here asserts.

Called by tests of planning, of definition rules and of the catalog.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from argyll_engine.evolve.catalog import replay_catalog
from argyll_engine.model.attribute import (
    AttributeSpec,
    ConstConfig,
    InputConfig,
    MetaConfig,
    OutputConfig,
    Role,
    ScriptConfig,
)
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.events import Recorded, StepRegistered
from argyll_engine.model.ids import JSONValue, Name, StepID
from argyll_engine.model.step import FlowConfig, HttpConfig, Step, StepType, WorkConfig, WorkDefaults

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
"""A moment."""


def required(type: str = "", **config: Any) -> AttributeSpec:
    """A required input; keywords are its settings."""
    return AttributeSpec(role=Role.REQUIRED, type=type, required=InputConfig(**config) if config else None)


def optional(type: str = "", **config: Any) -> AttributeSpec:
    """An optional input; keywords are its settings."""
    return AttributeSpec(role=Role.OPTIONAL, type=type, optional=InputConfig(**config) if config else None)


def output(type: str = "", **config: Any) -> AttributeSpec:
    """An output; keywords are its settings."""
    return AttributeSpec(role=Role.OUTPUT, type=type, output=OutputConfig(**config) if config else None)


def const(value: str, type: str = "") -> AttributeSpec:
    """A const of a JSON text."""
    return AttributeSpec(role=Role.CONST, type=type, const=ConstConfig(value=value))


def meta(key: str, type: str = "") -> AttributeSpec:
    """A meta attribute."""
    return AttributeSpec(role=Role.META, type=type, meta=MetaConfig(key=key))


def lua(text: str) -> ScriptConfig:
    """A Lua script; tests of pure code never run it."""
    return ScriptConfig(language="lua", script=text)


def equals(text: str) -> ScriptConfig:
    """A gate for `match_text`: accepts candidates whose text this is."""
    return lua(text)


def match_text(script: ScriptConfig, candidate: JSONValue) -> bool:
    """A matcher without a script language: whether the script's text is the candidate's."""
    return bool(script.script == str(candidate))


def a_step(step_id: str = "s", attributes: dict[str, AttributeSpec] | None = None, **fields: Any) -> Step:
    """A synchronous step in its stored form."""
    defaults: dict[str, Any] = {
        "name": step_id,
        "type": StepType.SYNC,
        "http": HttpConfig(endpoint="http://steps/run"),
        "work_config": WorkConfig().filled(WorkDefaults()),
    }
    named = {Name(name): spec for name, spec in (attributes or {}).items()}
    return Step(id=StepID(step_id), attributes=named, **(defaults | fields))


def a_script_step(step_id: str = "s", attributes: dict[str, AttributeSpec] | None = None, **fields: Any) -> Step:
    """A script step."""
    defaults: dict[str, Any] = {"type": StepType.SCRIPT, "http": None, "script": lua("return {}")}
    return a_step(step_id, attributes, **(defaults | fields))


def a_flow_step(
    step_id: str, goals: Iterable[str], attributes: dict[str, AttributeSpec] | None = None, **fields: Any
) -> Step:
    """A flow step with these goals."""
    flow = FlowConfig(goals=tuple(StepID(goal) for goal in goals))
    return a_step(step_id, attributes, type=StepType.FLOW, http=None, flow=flow, **fields)


def a_catalog(*steps: Step) -> CatalogState:
    """The catalog after these steps were registered, in this order."""
    log = (Recorded(event=StepRegistered(step=step), sequence=n, at=AT) for n, step in enumerate(steps))
    return replay_catalog(CatalogState(), log)
