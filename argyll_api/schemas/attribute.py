# SPDX-License-Identifier: Apache-2.0
"""JSON of an attribute to AttributeSpec, seed-time spellings included. Rules about it are the engine's.

Used by `step.py` beside this file. Source: the contract, http §2.2 and §7.1 (A4 to A7).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from marshmallow import ValidationError, fields, post_load

from argyll_api.schemas.fields import Flag, Integer, Text, require
from argyll_api.schemas.shape import Part, Shape, must, one_of, replaced_by
from argyll_engine.model.attribute import (
    UNDEFINED_ATTRIBUTE,
    AttributeSpec,
    Collect,
    ConstConfig,
    InputConfig,
    MappingConfig,
    MetaConfig,
    OutputConfig,
    Role,
    ScriptConfig,
    Type,
)
from argyll_engine.model.ids import Name

OLD_NAMES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "required": MappingProxyType({"for_each": "for_each", "mapping": "mapping"}),
        "optional": MappingProxyType(
            {"default": "default", "for_each": "for_each", "mapping": "mapping", "timeout": "deadline"}
        ),
        "const": MappingProxyType({"default": "value"}),
        "output": MappingProxyType({"mapping": "mapping"}),
    }
)
"""Per role: members that used to stand beside the role, and where they belong now."""

_LANGUAGE: Final = {"description": "`ale` or `lua`; for predicates, matches and mappings `jpath` too."}
_JSON_TEXT: Final = {"description": "JSON text."}
_ROLES: Final = ("required", "optional", "const", "meta", "output")


class ScriptShape(Shape):
    """A script and its language."""

    language = Text(load_default="", metadata=_LANGUAGE)
    script = Text(load_default="")

    @post_load
    def build(self, members: dict[str, str], **_: object) -> ScriptConfig:
        """The model value."""
        return ScriptConfig(**members)


class MappingShape(Shape):
    """An inner name, a script, or both."""

    name = Text(load_default="")
    script = Part(ScriptShape)

    @post_load
    def build(self, members: dict[str, Any], **_: object) -> MappingConfig:
        """The model value."""
        return MappingConfig(**members)


class RequiredShape(Shape):
    """Settings of a required input."""

    collect = Text(metadata=one_of(*Collect))
    for_each = Flag()
    match = Part(ScriptShape)
    mapping = Part(MappingShape)


class OptionalShape(Shape):
    """Settings of an optional input."""

    collect = Text(metadata=one_of(*Collect))
    for_each = Flag()
    default = Text(metadata=_JSON_TEXT)
    deadline = Integer(metadata={"description": "Milliseconds."})
    mapping = Part(MappingShape)


class ConstShape(Shape):
    """Settings of a const."""

    value = Text(metadata=must(minLength=1, **_JSON_TEXT))


class MetaShape(Shape):
    """Settings of a meta attribute."""

    key = Text(metadata=must(minLength=1))


class OutputShape(Shape):
    """Settings of an output."""

    mapping = Part(MappingShape)


class AttributeShape(Shape):
    """A role, a type, the settings of the role, and the old places of some of them."""

    role = Text(load_default="", metadata=must(enum=[*Role]))
    type = Text(load_default="", metadata=one_of(*Type))
    required = Part(RequiredShape)
    optional = Part(OptionalShape)
    const = Part(ConstShape)
    meta = Part(MetaShape)
    output = Part(OutputShape)
    default = Text(metadata=replaced_by("optional.default` or `const.value"))
    for_each = Flag(metadata=replaced_by("required.for_each` or `optional.for_each"))
    mapping = Part(MappingShape, **replaced_by("mapping` inside the settings of the role"))
    timeout = Integer(metadata=replaced_by("optional.deadline"))

    @post_load
    def build(self, members: dict[str, Any], **_: object) -> AttributeSpec:
        """The model value."""
        role = members["role"]
        settings = {name: members[name] for name in _ROLES if name in members}
        moved = {new: members[old] for old, new in OLD_NAMES.get(role, {}).items() if members.get(old)}
        if moved:
            settings[role] = moved | settings.get(role, {})
        return AttributeSpec(
            role=role,
            type=members["type"],
            required=_input(settings.get("required")),
            optional=_input(settings.get("optional")),
            const=ConstConfig(**settings["const"]) if "const" in settings else None,
            meta=MetaConfig(**settings["meta"]) if "meta" in settings else None,
            output=OutputConfig(**settings["output"]) if "output" in settings else None,
        )


class Attributes(fields.Field[Mapping[Name, AttributeSpec]]):
    """Attributes by name; a null definition becomes UNDEFINED_ATTRIBUTE, for the engine to refuse by name."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Mapping[Name, AttributeSpec]:
        require(value, dict, "an object")
        specs: dict[Name, AttributeSpec] = {}
        for name, raw in value.items():
            try:
                specs[Name(name)] = UNDEFINED_ATTRIBUTE if raw is None else _attribute.load(raw)
            except ValidationError as exc:
                raise ValidationError({name: exc.messages}) from exc
        return MappingProxyType(specs)


def _input(settings: dict[str, Any] | None) -> InputConfig | None:
    if settings is None:
        return None
    return InputConfig(**{"deadline_ms" if name == "deadline" else name: value for name, value in settings.items()})


_attribute: Final = AttributeShape()
