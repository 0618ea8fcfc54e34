# SPDX-License-Identifier: Apache-2.0
"""Rules 12 to 24 of a valid step (the contract, http §2.3): its attributes, with the neighbours that must pass."""

from typing import Any

import pytest

from argyll_engine.model.attribute import (
    UNDEFINED_ATTRIBUTE,
    AttributeSpec,
    ConstConfig,
    InputConfig,
    MetaConfig,
    OutputConfig,
    ScriptConfig,
)
from argyll_engine.policy.attribute_rules import MAX_DEADLINE_MS
from tests.definitions import a_step, const, lua, meta, optional, output, required
from tests.unit.policy.faults import attribute_fault, fault, mapped

BROKEN = lua("return {")
PYTHON = ScriptConfig(language="python", script="1")
JPATH = ScriptConfig(language="jpath", script="$.a")
EMPTY = ScriptConfig(language="python")


# ---- rules 12 to 15: attributes --------------------------------------------------------------


def test_rule_12() -> None:
    """An attribute has a name and a definition."""
    assert attribute_fault(AttributeSpec(role="nope"), name="") == "argument name empty"
    assert attribute_fault(UNDEFINED_ATTRIBUTE) == 'attribute has nil definition: "x"'
    assert attribute_fault(AttributeSpec(role="")) == 'invalid attribute role:  for attribute "x"'


@pytest.mark.parametrize("role", ["input", "REQUIRED", "outputs"])
def test_rule_13(role: str) -> None:
    """The role is one of five."""
    spec = AttributeSpec(role=role, type="no")
    assert attribute_fault(spec) == f'invalid attribute role: {role} for attribute "x"'


@pytest.mark.parametrize("kind", ["str", "String", "integer", "list", "float", "bool"])
def test_rule_14_refused(kind: str) -> None:
    """The type is one of seven."""
    spec = AttributeSpec(role="required", type=kind, optional=InputConfig())
    assert attribute_fault(spec) == f'invalid attribute type: {kind} for attribute "x"'


@pytest.mark.parametrize("kind", ["string", "number", "boolean", "object", "array", "null", "any", ""])
def test_rule_14_accepted(kind: str) -> None:
    """All seven, and none."""
    assert attribute_fault(required(kind)) == ""


CONFIGS: dict[str, Any] = {
    "required": InputConfig(),
    "optional": InputConfig(),
    "const": ConstConfig(value="1"),
    "meta": MetaConfig(key="flow_id"),
    "output": OutputConfig(),
}


@pytest.mark.parametrize("other", CONFIGS)
@pytest.mark.parametrize("role", CONFIGS)
def test_rule_15(role: str, other: str) -> None:
    """Only the settings named like the role may be there."""
    spec = AttributeSpec(role=role, **{role: CONFIGS[role], other: CONFIGS[other]})
    expected = f'attribute config does not match role: {other} given for {role} attribute "x"'
    assert attribute_fault(spec) == ("" if role == other else expected)


# ---- rules 16 to 20: inputs ------------------------------------------------------------------


@pytest.mark.parametrize("build", [required, optional])
@pytest.mark.parametrize(
    ("kind", "fine"),
    [
        ("array", True),
        ("any", True),
        ("", True),
        ("string", False),
        ("number", False),
        ("object", False),
        ("boolean", False),
        ("null", False),
    ],
)
def test_rule_16(build: Any, kind: str, fine: bool) -> None:
    """Only what may be an array can be fanned out."""
    expected = f'for_each needs an array type: {kind} for attribute "x"'
    assert attribute_fault(build(kind, for_each=True)) == ("" if fine else expected)
    assert attribute_fault(build(kind, for_each=False)) == ""


@pytest.mark.parametrize(
    ("kind", "text", "wanted"),
    [
        ("number", '"1"', "a JSON number"),
        ("number", "true", "a JSON number"),
        ("number", "NaN", "a JSON number"),
        ("string", "abc", "a JSON string"),
        ("boolean", "1", "true or false"),
        ("object", "[]", "a JSON object"),
        ("array", "{}", "a JSON array"),
        ("null", "0", "null"),
        ("any", "abc", "JSON"),
    ],
)
def test_rules_17_and_22_refused(kind: str, text: str, wanted: str) -> None:
    """A default and a const value are JSON of the declared type."""
    words = f'value for type {kind}: must be {wanted} for attribute "x"'
    assert attribute_fault(optional(kind, default=text)) == f"invalid default {words}"
    assert attribute_fault(const(text, kind)) == f"invalid const {words}"


@pytest.mark.parametrize(("kind", "text"), [("number", "1e3"), ("any", "null"), ("string", ' "x" '), ("", "abc")])
def test_rules_17_and_22_accepted(kind: str, text: str) -> None:
    """Fitting texts, and any text where no type is declared."""
    assert attribute_fault(optional(kind, default=text)) == ""
    assert attribute_fault(const(text, kind)) == ""


def test_rule_17_empty_default() -> None:
    """An empty default is none, whatever the type."""
    assert attribute_fault(optional("number", default="")) == ""


@pytest.mark.parametrize(
    ("deadline_ms", "fine"),
    [(0, True), (1, True), (MAX_DEADLINE_MS, True), (MAX_DEADLINE_MS + 1, False), (-1, False)],
)
def test_rule_18(deadline_ms: int, fine: bool) -> None:
    """A deadline lies between nothing and 365 days."""
    found = attribute_fault(optional(deadline_ms=deadline_ms))
    assert found.startswith("deadline out of range") is not fine
    assert (found == "") is fine


@pytest.mark.parametrize("build", [required, optional])
@pytest.mark.parametrize("collect", ["any", "FIRST", "one"])
def test_rule_19_refused(build: Any, collect: str) -> None:
    """Only five collection policies."""
    assert attribute_fault(build(collect=collect)) == f'invalid input collect: {collect} for attribute "x"'


@pytest.mark.parametrize("build", [required, optional])
@pytest.mark.parametrize("collect", ["first", "last", "all", "some", "none", ""])
def test_rule_19_accepted(build: Any, collect: str) -> None:
    """The five, and none."""
    assert attribute_fault(build(collect=collect)) == ""


@pytest.mark.parametrize("build", [required, optional, output])
def test_rule_20(build: Any) -> None:
    """A mapping has a name or a script; an empty script is none."""
    expected = 'invalid attribute mapping: "x" needs a name or a script'
    assert attribute_fault(build(mapping=mapped())) == expected
    assert attribute_fault(build(mapping=mapped(script=EMPTY))) == expected
    assert attribute_fault(build(mapping=mapped("n"))) == ""
    assert attribute_fault(build(mapping=mapped("n", EMPTY))) == ""
    assert attribute_fault(build(mapping=mapped(script=JPATH))) == ""
    assert attribute_fault(build(mapping=mapped("n", JPATH))) == ""


# ---- rules 21 to 24 --------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [AttributeSpec(role="const", type="string"), const(""), const("", "number")])
def test_rule_21(spec: AttributeSpec) -> None:
    """A const has a value."""
    assert attribute_fault(spec) == 'const value required for attribute "x"'


@pytest.mark.parametrize("spec", [AttributeSpec(role="meta"), meta("")])
def test_rule_23(spec: AttributeSpec) -> None:
    """A meta attribute has a key; any text will do."""
    assert attribute_fault(spec) == 'meta key required for attribute "x"'
    assert attribute_fault(meta("whatever")) == ""


@pytest.mark.parametrize(
    ("x", "y", "fine"),
    [
        (required(mapping=mapped("n")), required(mapping=mapped("n")), False),
        (required(mapping=mapped("n")), optional(mapping=mapped("n")), False),
        (output(mapping=mapped("n")), output(mapping=mapped("n")), False),
        (required(mapping=mapped("n")), output(mapping=mapped("n")), True),
        (required(mapping=mapped("n")), required(mapping=mapped("m")), True),
        (required(mapping=mapped("y")), required(), True),  # the own name of another input is not looked at
        (required(mapping=mapped(script=JPATH)), required(mapping=mapped(script=JPATH)), True),
    ],
)
def test_rule_24(x: AttributeSpec, y: AttributeSpec, fine: bool) -> None:
    """Inputs, and outputs, do not share an explicit inner name."""
    found = fault(a_step(attributes={"x": x, "y": y}))
    assert found == ("" if fine else 'duplicate mapped parameter name: "n"')
