# SPDX-License-Identifier: Apache-2.0
"""What a step declares about one of its inputs or outputs. Rules about these values live in `policy`.

Texts that a definition may get wrong (role, type, collect) are kept as given, so that
`policy/definition.py` can refuse them by name; the enums compare equal to them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from msgspec import Struct

from argyll_engine.model.ids import Name


class Role(StrEnum):
    """What an attribute is to its step. Source: the contract, execution §0."""

    REQUIRED = "required"  # the step cannot start without it
    OPTIONAL = "optional"  # an input with a fallback
    CONST = "const"  # a fixed argument, never read from the flow
    META = "meta"  # filled from execution metadata when the step is invoked
    OUTPUT = "output"  # produced by the step


class Type(StrEnum):
    """Declared type of an attribute; checked on literals and across the catalog, never at run time."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    OBJECT = "object"
    ARRAY = "array"
    NULL = "null"
    ANY = "any"


class Collect(StrEnum):
    """How an input picks from the values of its attribute. Source: the contract, execution §2.3."""

    FIRST = "first"
    LAST = "last"
    ALL = "all"
    SOME = "some"
    NONE = "none"


class ScriptConfig(Struct, frozen=True, kw_only=True):
    """A script and the language it is written in; an empty text counts as no script."""

    language: str = ""
    script: str = ""


class MappingConfig(Struct, frozen=True, kw_only=True):
    """Inner name of an attribute, or a script that turns one value into another, or both."""

    name: str = ""
    script: ScriptConfig | None = None


class InputConfig(Struct, frozen=True, kw_only=True):
    """Settings of a required or optional input.

    `match` belongs to required inputs; `default` (JSON text, empty = none) and `deadline_ms` to optional ones.
    """

    collect: str = ""
    for_each: bool = False
    mapping: MappingConfig | None = None
    match: ScriptConfig | None = None
    default: str = ""
    deadline_ms: int = 0


class ConstConfig(Struct, frozen=True, kw_only=True):
    """Value of a const attribute as JSON text."""

    value: str = ""


class MetaConfig(Struct, frozen=True, kw_only=True):
    """Key of the execution metadata that fills a meta attribute."""

    key: str = ""


class OutputConfig(Struct, frozen=True, kw_only=True):
    """Settings of an output."""

    mapping: MappingConfig | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeSpec:
    """Definition of one attribute of a step: a role, a type, and the settings object named like the role.

    A settings object that is absent (None) differs from an empty one: both are kept as registered. What follows from
    them is sorted out once, for decisions ask for it all the time.
    """

    role: str
    type: str = ""
    required: InputConfig | None = None
    optional: InputConfig | None = None
    const: ConstConfig | None = None
    meta: MetaConfig | None = None
    output: OutputConfig | None = None
    _match: ScriptConfig | None = field(init=False, repr=False, compare=False)
    _mapping: MappingConfig | None = field(init=False, repr=False, compare=False)
    _mapping_script: ScriptConfig | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        gate = self.required.match if self.required else None
        config = self.output if self.role == Role.OUTPUT else self.input_config
        mapping = config.mapping if config else None
        script = mapping.script if mapping else None
        object.__setattr__(self, "_match", gate if gate and gate.script else None)
        object.__setattr__(self, "_mapping", mapping)
        object.__setattr__(self, "_mapping_script", script if script and script.script else None)

    @property
    def is_input(self) -> bool:
        """Whether the value is read from the flow (required or optional)."""
        return self.role in (Role.REQUIRED, Role.OPTIONAL)

    @property
    def is_argument(self) -> bool:
        """Whether the step sees a value for it when it runs: everything but outputs."""
        return self.role != Role.OUTPUT

    @property
    def input_config(self) -> InputConfig:
        """Settings of an input; the empty ones where none were given."""
        return self.required or self.optional or _NO_SETTINGS

    @property
    def collect(self) -> Collect:
        """The collection policy of an input; `first` unless said otherwise."""
        text = self.input_config.collect
        return _COLLECTS.get(text) or Collect(text)

    @property
    def match(self) -> ScriptConfig | None:
        """The gate of a required input, or None; an empty script is no gate."""
        return self._match

    @property
    def mapping(self) -> MappingConfig | None:
        """The mapping of an input or output, or None."""
        return self._mapping

    @property
    def mapping_script(self) -> ScriptConfig | None:
        """The script of the mapping, or None; an empty script is none."""
        return self._mapping_script

    def inner_name(self, name: Name) -> Name:
        """The name under which the step sees the attribute `name`."""
        return Name(self._mapping.name or name) if self._mapping else name


_NO_SETTINGS: Final = InputConfig()
_COLLECTS: Final[Mapping[str, Collect]] = {"": Collect.FIRST, **{collect.value: collect for collect in Collect}}

UNDEFINED_ATTRIBUTE: Final = AttributeSpec(role="")
"""Stands for an attribute whose definition was null; told apart by identity and always refused."""
