# SPDX-License-Identifier: Apache-2.0
"""JSON of a step to Step: the id sanitised, old spellings moved to their place, nothing else changed or judged.

Called by `routes/steps.py`. Source: the contract, http §2.1 and §7.1.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from marshmallow import post_load
from msgspec import structs

from argyll_api.schemas.attribute import Attributes, ScriptShape
from argyll_api.schemas.fields import Flag, Integer, Text, TextMap, Texts
from argyll_api.schemas.shape import Part, Shape, load, must, one_of, replaced_by
from argyll_engine.errors import InvalidRequestError, InvalidStepError
from argyll_engine.model.attribute import AttributeSpec, InputConfig, MappingConfig, OutputConfig, Role
from argyll_engine.model.ids import JSONValue, Name, StepID, sanitize
from argyll_engine.model.step import BackoffType, FlowConfig, HttpConfig, Step, StepType, WorkConfig

_OLD_WORK_NAMES: Final = (
    ("backoff_ms", "init_backoff"),
    ("backoff", "init_backoff"),
    ("max_backoff_ms", "max_backoff"),
)


class HttpShape(Shape):
    """Where and how an HTTP step is called."""

    endpoint = Text(metadata=must(minLength=1, description="URL; `{name}` stands for the argument of this name."))
    method = Text(metadata=one_of("GET", "POST", "PUT", "DELETE"))
    compensate = Text(metadata={"description": "URL that undoes what was done."})
    health_check = Text(metadata={"description": "URL that says whether the step can run."})
    timeout = Integer(metadata={"description": "Milliseconds; the engine's default for zero and less."})
    protocol = Text(metadata={"description": "`bare` or `envelope`; the deployment's where empty."})

    @post_load
    def build(self, members: dict[str, Any], **_: object) -> HttpConfig:
        """The model value."""
        return HttpConfig(timeout_ms=members.pop("timeout", 0), **members)


class FlowShape(Shape):
    """Goals of a child flow, and the two maps that attributes have replaced."""

    goals = Texts(load_default=(), metadata=must(minItems=1))
    input_map = TextMap(load_default=MappingProxyType({}), metadata=replaced_by("mapping.name` of inputs"))
    output_map = TextMap(load_default=MappingProxyType({}), metadata=replaced_by("mapping.name` of outputs"))


class WorkShape(Shape):
    """Retry and parallelism settings."""

    max_retries = Integer(metadata={"description": "Zero for the engine's default, negative for no end."})
    init_backoff = Integer(metadata={"minimum": 0, "description": "Milliseconds; zero for the engine's default."})
    max_backoff = Integer(metadata={"minimum": 0, "description": "Milliseconds; zero for the engine's default."})
    backoff_type = Text(metadata=one_of(*BackoffType))
    parallelism = Integer(metadata={"minimum": 0, "description": "Work items at the same time; zero for one."})
    backoff_ms = Integer(metadata=replaced_by("init_backoff"))
    backoff = Integer(metadata=replaced_by("init_backoff"))
    max_backoff_ms = Integer(metadata=replaced_by("max_backoff"))

    @post_load
    def build(self, members: dict[str, Any], **_: object) -> WorkConfig:
        """The model value; an old name counts where the new one was not given."""
        for old, new in _OLD_WORK_NAMES:
            if old in members:
                members.setdefault(new, members.pop(old))
        return WorkConfig(
            max_retries=members.get("max_retries", 0),
            init_backoff_ms=members.get("init_backoff", 0),
            max_backoff_ms=members.get("max_backoff", 0),
            backoff_type=members.get("backoff_type", ""),
            parallelism=members.get("parallelism", 0),
        )


class StepShape(Shape):
    """A step as it is posted."""

    id = Text(load_default="", metadata=must(minLength=1, description="Cleaned before it is used."))
    name = Text(load_default="", metadata=must(minLength=1))
    type = Text(load_default="", metadata=must(enum=[*StepType]))
    attributes = Attributes(load_default=MappingProxyType({}))
    labels = TextMap(load_default=MappingProxyType({}))
    http = Part(HttpShape)
    script = Part(ScriptShape)
    flow = Part(FlowShape)
    predicate = Part(ScriptShape)
    work_config = Part(WorkShape)
    memoizable = Flag()

    @post_load
    def build(self, members: dict[str, Any], **_: object) -> Step:
        """The model value."""
        members["id"] = StepID(sanitize(members["id"]))
        flow = members.pop("flow", None)
        if flow is None:
            return Step(**members)
        members["attributes"] = _with_maps(members["attributes"], flow["input_map"], flow["output_map"])
        return Step(flow=FlowConfig(goals=flow["goals"]), **members)


_step: Final = StepShape()


def load_step(raw: Mapping[str, JSONValue]) -> Step:
    """The step that a body describes.

    Raises:
        InvalidJSONError: A member is of the wrong kind.
        InvalidStepError: An old-style map of a flow step names no attribute of the step.
    """
    step: Step = load(_step, raw)
    return step


def load_update(raw: Mapping[str, JSONValue], path_id: str) -> Step:
    """The same for the step that the path names.

    Raises:
        InvalidRequestError: The two ids differ after sanitising. Source: the contract, http §1.6.
    """
    step = load_step(raw)
    if step.id != sanitize(path_id):
        raise InvalidRequestError(f"step ID in the body ({step.id!r}) does not match the path ({path_id!r})")
    return step


def _with_maps(
    attributes: Mapping[Name, AttributeSpec], input_map: Mapping[str, str], output_map: Mapping[str, str]
) -> Mapping[Name, AttributeSpec]:
    """The attributes with the inner names that a flow step once gave in two maps. Source: http §7.1 (A8)."""
    renamed = dict(attributes)
    for outer, inner in input_map.items():
        spec = renamed.get(Name(outer))
        if spec is None or not spec.is_input:
            raise InvalidStepError(f"flow.input_map names no input attribute: {outer}")
        renamed[Name(outer)] = _with_inner_name(spec, inner)
    for inner, outer in output_map.items():
        spec = renamed.get(Name(outer))
        if spec is None or spec.role != Role.OUTPUT:
            raise InvalidStepError(f"flow.output_map names no output attribute: {outer}")
        renamed[Name(outer)] = _with_inner_name(spec, inner)
    return MappingProxyType(renamed)


def _with_inner_name(spec: AttributeSpec, inner: str) -> AttributeSpec:
    """The attribute under an inner name, unless it has one already."""
    mapping = spec.mapping or MappingConfig()
    if mapping.name:
        return spec
    mapping = structs.replace(mapping, name=inner)
    if spec.role == Role.OUTPUT:
        return replace(spec, output=OutputConfig(mapping=mapping))
    config = structs.replace(spec.input_config, mapping=mapping)
    return _with_input(spec, config)


def _with_input(spec: AttributeSpec, config: InputConfig) -> AttributeSpec:
    return replace(spec, required=config) if spec.role == Role.REQUIRED else replace(spec, optional=config)
