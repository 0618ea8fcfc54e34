# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a step or an attribute, for the tests of the rules; scripts are checked by counting braces."""

from typing import Any

from argyll_engine.errors import InvalidStepError, ScriptCompileError
from argyll_engine.model.attribute import (
    AttributeSpec,
    MappingConfig,
    ScriptConfig,
)
from argyll_engine.model.ids import Name
from argyll_engine.model.step import HttpConfig, Step
from argyll_engine.policy.definition import check_definition
from tests.definitions import a_step


def check_braces(script: ScriptConfig, names: tuple[Name, ...]) -> None:
    """A compiler that only counts braces."""
    if script.script.count("{") != script.script.count("}"):
        raise ScriptCompileError("unbalanced braces")


def fault(step: Step) -> str:
    """The reason the step is refused for, or an empty text."""
    try:
        check_definition(step, check_braces)
    except InvalidStepError as exc:
        return exc.reason
    return ""


def attribute_fault(spec: AttributeSpec, name: str = "x") -> str:
    """The same of a step with this attribute."""
    return fault(a_step(attributes={name: spec}))


def http_step(kind: str = "sync", attributes: dict[str, AttributeSpec] | None = None, **http: Any) -> Step:
    """An HTTP step with these settings."""
    return a_step("s", attributes, type=kind, http=HttpConfig(**{"endpoint": "http://k/b", **http}))


def mapped(name: str = "", script: ScriptConfig | None = None) -> MappingConfig:
    """A mapping."""
    return MappingConfig(name=name, script=script)
