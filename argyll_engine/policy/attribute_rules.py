# SPDX-License-Identifier: Apache-2.0
"""What makes the attributes of a step valid: rules 12 to 24 of the contract, http §2.3.

A rule looks at one attribute and gives the text of its fault, or an empty one. Rules about scripts, and about
the step as a whole, are in `policy/definition.py`, which is the only caller.
"""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from argyll_engine.model.attribute import UNDEFINED_ATTRIBUTE, AttributeSpec, Collect, InputConfig, Role, Type
from argyll_engine.model.ids import Name
from argyll_engine.model.step import Step
from argyll_engine.policy.literal import WANTED, is_literal_of

MAX_DEADLINE_MS: Final = 31_536_000_000
"""365 days. Source: the contract, http §2.3 rule 18."""

_FANNABLE: Final = ("", Type.ARRAY, Type.ANY)
_ROLES: Final = frozenset(Role)
_TYPES: Final = frozenset(Type)
_COLLECTS: Final = frozenset(Collect)


def attribute_faults(step: Step) -> Iterator[str]:
    """Faults of the attributes: rule after rule, for each rule the attributes by name in order."""
    attributes = sorted(step.attributes.items())
    for rule in _RULES:
        yield from filter(None, (rule(name, spec) for name, spec in attributes))
    yield from _repeated_mappings(spec for _, spec in attributes if spec.is_input)
    yield from _repeated_mappings(spec for _, spec in attributes if spec.role == Role.OUTPUT)


# ---- rules 12 to 15: the frame ---------------------------------------------------------------


def _defined(name: Name, spec: AttributeSpec) -> str:
    if not name:
        return "argument name empty"
    return f'attribute has nil definition: "{name}"' if spec is UNDEFINED_ATTRIBUTE else ""


def _known_role(name: Name, spec: AttributeSpec) -> str:
    return "" if spec.role in _ROLES else f'invalid attribute role: {spec.role} for attribute "{name}"'


def _known_type(name: Name, spec: AttributeSpec) -> str:
    if not spec.type or spec.type in _TYPES:
        return ""
    return f'invalid attribute type: {spec.type} for attribute "{name}"'


def _own_config_only(name: Name, spec: AttributeSpec) -> str:
    for role in Role:
        if role != spec.role and getattr(spec, role) is not None:
            return f'attribute config does not match role: {role} given for {spec.role} attribute "{name}"'
    return ""


# ---- rules 16 to 20: inputs, and mappings of outputs -----------------------------------------


def _config(spec: AttributeSpec) -> InputConfig:
    return spec.input_config if spec.is_input else InputConfig()


def _fannable(name: Name, spec: AttributeSpec) -> str:
    if not _config(spec).for_each or spec.type in _FANNABLE:
        return ""
    return f'for_each needs an array type: {spec.type} for attribute "{name}"'


def _fitting_default(name: Name, spec: AttributeSpec) -> str:
    return _fitting_literal("default", _config(spec).default, name, spec)


def _fitting_literal(what: str, text: str, name: Name, spec: AttributeSpec) -> str:
    if not text or not spec.type or is_literal_of(text, spec.type):
        return ""
    return f'invalid {what} value for type {spec.type}: must be {WANTED[spec.type]} for attribute "{name}"'


def _deadline_in_range(name: Name, spec: AttributeSpec) -> str:
    if 0 <= _config(spec).deadline_ms <= MAX_DEADLINE_MS:
        return ""
    return f'deadline out of range: must be 0 to {MAX_DEADLINE_MS} milliseconds for attribute "{name}"'


def _known_collect(name: Name, spec: AttributeSpec) -> str:
    collect = _config(spec).collect
    if not collect or collect in _COLLECTS:
        return ""
    return f'invalid input collect: {collect} for attribute "{name}"'


def _mapping_says_something(name: Name, spec: AttributeSpec) -> str:
    mapping = spec.mapping
    if mapping is None or mapping.name or spec.mapping_script:
        return ""
    return f'invalid attribute mapping: "{name}" needs a name or a script'


# ---- rules 21 to 23: const and meta ----------------------------------------------------------


def _const_given(name: Name, spec: AttributeSpec) -> str:
    if spec.role != Role.CONST or (spec.const and spec.const.value):
        return ""
    return f'const value required for attribute "{name}"'


def _fitting_const(name: Name, spec: AttributeSpec) -> str:
    return _fitting_literal("const", spec.const.value if spec.const else "", name, spec)


def _meta_given(name: Name, spec: AttributeSpec) -> str:
    if spec.role != Role.META or (spec.meta and spec.meta.key):
        return ""
    return f'meta key required for attribute "{name}"'


_Rule: TypeAlias = Callable[[Name, AttributeSpec], str]

_RULES: Final[tuple[_Rule, ...]] = (
    _defined,  # 12
    _known_role,  # 13
    _known_type,  # 14
    _own_config_only,  # 15
    _fannable,  # 16
    _fitting_default,  # 17
    _deadline_in_range,  # 18
    _known_collect,  # 19
    _mapping_says_something,  # 20
    _const_given,  # 21
    _fitting_const,  # 22
    _meta_given,  # 23
)


# ---- rule 24: among each other ---------------------------------------------------------------


def _repeated_mappings(specs: Iterator[AttributeSpec]) -> Iterator[str]:
    seen = set()
    for spec in specs:
        name = spec.mapping.name if spec.mapping else ""
        if name in seen:
            yield f'duplicate mapped parameter name: "{name}"'
        if name:
            seen.add(name)
