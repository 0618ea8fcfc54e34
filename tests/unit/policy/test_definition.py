# SPDX-License-Identifier: Apache-2.0
"""Rules 1 to 11 and 25 to 33 of a valid step (the contract, http §2.3), with the neighbours that must pass."""

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from argyll_engine.errors import InvalidStepError
from argyll_engine.model.attribute import (
    AttributeSpec,
    ScriptConfig,
)
from argyll_engine.model.ids import Name, StepID
from argyll_engine.model.step import FlowConfig, HttpConfig, Step, WorkConfig, WorkDefaults
from argyll_engine.policy.definition import check_definition
from tests.definitions import a_flow_step, a_script_step, a_step, const, lua, meta, optional, output, required
from tests.unit.policy.faults import attribute_fault, check_braces, fault, http_step, mapped

BROKEN = lua("return {")
PYTHON = ScriptConfig(language="python", script="1")
JPATH = ScriptConfig(language="jpath", script="$.a")
EMPTY = ScriptConfig(language="python")


# ---- rules 1, 2 and 32: the frame ------------------------------------------------------------


def test_text_starts_with_invalid_step() -> None:
    """The error has the contract's words on a line of their own, then the reason."""
    with pytest.raises(InvalidStepError) as caught:
        check_definition(replace(a_step(), name=""), check_braces)
    assert str(caught.value) == "invalid step\nstep name empty"


def test_rules_1_and_2() -> None:
    """The id is checked before the name; a blank name is a name."""
    assert fault(replace(a_step(), id=StepID(""), name="")) == "step ID empty"
    assert fault(replace(a_step(), name="")) == "step name empty"
    assert fault(replace(a_step(), name=" ")) == ""


@pytest.mark.parametrize("kind", ["batch", "", "SYNC", "http", "sync "])
def test_rule_32_type(kind: str) -> None:
    """An unknown type is refused; case matters."""
    assert fault(replace(a_step(), type=kind)) == f"invalid step type: {kind}"


def test_rule_32_comes_late() -> None:
    """The type is judged after attributes, retries and inner scripts, before the step's script."""
    unknown = replace(a_step(), type="batch")
    assert fault(replace(unknown, attributes={Name("x"): AttributeSpec(role="nope")})).startswith("invalid attribute")
    assert fault(replace(unknown, work_config=WorkConfig(parallelism=-1))) == "parallelism cannot be negative"
    assert fault(replace(unknown, predicate=BROKEN)) == "unbalanced braces"
    assert fault(replace(unknown, script=BROKEN)) == "invalid step type: batch"


# ---- rules 3 to 9: sync and async ------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_rules_3_to_5(kind: str) -> None:
    """An HTTP step has http with an endpoint, and neither flow nor script."""
    step = http_step(kind)
    assert fault(step) == ""
    assert fault(replace(step, http=None, flow=FlowConfig())) == "http required"
    both = replace(step, flow=FlowConfig(), script=lua(""))
    assert fault(both) == f"flow not allowed for step type: {kind}"
    assert fault(replace(both, flow=None)) == f"script not allowed for step type: {kind}"
    assert fault(http_step(kind, endpoint="", method="no")) == "step endpoint empty"


@pytest.mark.parametrize("method", ["post", "PATCH", "HEAD", "OPTIONS", "Get", " GET", "FOO"])
def test_rule_6_refused(method: str) -> None:
    """Only four methods, in upper case."""
    assert fault(http_step(method=method)) == f"invalid HTTP method: {method}"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", ""])
def test_rule_6_accepted(method: str) -> None:
    """The four methods, and none."""
    assert fault(http_step(method=method)) == ""


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_rule_7(kind: str) -> None:
    """A memoizable step has no compensation."""
    step = http_step(kind, compensate="http://k/undo")
    assert fault(replace(step, memoizable=True)) == "compensate not allowed for memoizable step"
    assert fault(step) == ""
    assert fault(replace(http_step(kind), memoizable=True)) == ""


@pytest.mark.parametrize(
    ("spec", "fine"),
    [
        (required(), True),
        (optional(), False),
        (optional(default="1"), False),
        (const('"v"'), False),
        (meta("flow_id"), False),
        (output(), False),
    ],
)
def test_rule_8(spec: AttributeSpec, fine: bool) -> None:
    """A parameter of the endpoint is a required input."""
    found = fault(http_step(attributes={"x": spec}, endpoint="http://k/{x}"))
    assert found == ("" if fine else "URL has an unknown parameter: x (must be a required input)")


@pytest.mark.parametrize(
    ("endpoint", "unknown"),
    [
        ("http://k/{in}/{in}?q={in}", None),
        ("http://k/{{in}}", None),
        ("http://k/{in", None),
        ("http://k/in}", None),
        ("http://k/{}", None),
        ("http://k/{y}", "y"),  # the outer name
        ("http://k/{in}/{gone}", "gone"),
        ("http://k/b?q={gone}", "gone"),
    ],
)
def test_rule_8_goes_by_inner_names(endpoint: str, unknown: str | None) -> None:
    """Parameters are mapped names, between braces without braces inside."""
    found = fault(http_step(attributes={"y": required(mapping=mapped("in"))}, endpoint=endpoint))
    expected = f"URL has an unknown parameter: {unknown} (must be a required input)"
    assert found == ("" if unknown is None else expected)


@pytest.mark.parametrize(
    ("spec", "fine"),
    [(required(), True), (optional(), True), (output(), True), (const('"v"'), False), (meta("flow_id"), False)],
)
def test_rule_9(spec: AttributeSpec, fine: bool) -> None:
    """A parameter of the compensation is an input or an output."""
    found = fault(http_step(attributes={"x": spec}, compensate="http://k/{x}"))
    expected = "compensate URL has an unknown parameter: x (must be an input or output)"
    assert found == ("" if fine else expected)


def test_rule_9_goes_by_inner_names() -> None:
    """Mapped names of inputs and outputs."""
    attributes = {"x": required(mapping=mapped("in")), "o": output(mapping=mapped("res"))}
    assert fault(http_step(attributes=attributes, compensate="http://k/{in}/{res}")) == ""
    assert "parameter: o " in fault(http_step(attributes=attributes, compensate="http://k/{o}"))


# ---- rules 10 and 11: flow and script --------------------------------------------------------


def test_rule_10() -> None:
    """A flow step has goals, registered or not, and neither http nor script."""
    step = a_flow_step("s", ["anywhere"])
    assert fault(step) == ""
    http = HttpConfig(endpoint="http://k")
    assert fault(replace(step, flow=None, http=http)) == "flow required"
    assert fault(replace(step, http=http, script=lua(""))) == "http not allowed for step type: flow"
    assert fault(replace(step, script=lua(""), flow=FlowConfig())) == "script not allowed for step type: flow"
    assert fault(replace(step, flow=FlowConfig())) == "flow goals required"


def test_rule_11() -> None:
    """A script step has a script in Ale or Lua, and neither http nor flow."""
    step = a_script_step()
    assert fault(step) == ""
    assert fault(replace(step, script=ScriptConfig(language="ale", script="1"))) == ""
    http = HttpConfig(endpoint="http://k")
    assert fault(replace(step, script=None, http=http)) == "script required"
    assert fault(replace(step, http=http, flow=FlowConfig())) == "http not allowed for step type: script"
    assert fault(replace(step, flow=FlowConfig(), script=ScriptConfig())) == "flow not allowed for step type: script"
    assert fault(replace(step, script=ScriptConfig())) == "script language empty"
    assert fault(replace(step, script=EMPTY)) == "invalid script language: python"
    assert fault(replace(step, script=structs.replace(lua("1"), language="LUA"))) == "invalid script language: LUA"
    assert fault(replace(step, script=JPATH)) == "invalid script language: jpath"
    assert fault(replace(step, script=lua(""))) == "script empty"


def test_rule_33() -> None:
    """The script of the step is compiled last."""
    assert fault(a_script_step(script=BROKEN)) == "unbalanced braces"
    spec = required(match=ScriptConfig(language="no", script="1"))
    assert fault(a_script_step(attributes={"x": spec}, script=BROKEN)).startswith("invalid script language for")


# ---- rules 25 to 28: retries -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (WorkConfig(parallelism=-1, init_backoff_ms=-1), "parallelism cannot be negative"),
        (WorkConfig(init_backoff_ms=-1), "init_backoff cannot be negative"),
        (WorkConfig(max_backoff_ms=500), "max_backoff too small: 500 is less than init_backoff 1000"),
        (WorkConfig(init_backoff_ms=120_000), "max_backoff too small: 60000 is less than init_backoff 120000"),
        (WorkConfig(max_backoff_ms=-1), "max_backoff too small: -1 is less than init_backoff 1000"),
        (WorkConfig(backoff_type="random"), "invalid backoff type: random"),
        (WorkConfig(backoff_type="FIXED"), "invalid backoff type: FIXED"),
        (WorkConfig(), ""),
        (WorkConfig(max_retries=-1), ""),
        (WorkConfig(parallelism=500), ""),
        (WorkConfig(init_backoff_ms=5, max_backoff_ms=5), ""),
        (WorkConfig(init_backoff_ms=120_000, max_backoff_ms=120_000), ""),
        (WorkConfig(backoff_type="fixed"), ""),
        (WorkConfig(backoff_type="linear"), ""),
        (WorkConfig(backoff_type="exponential"), ""),
    ],
)
def test_rules_25_to_28(work: WorkConfig, expected: str) -> None:
    """Negative and contradictory settings are refused after the defaults were filled in, on every type of step."""
    filled = work.filled(WorkDefaults())
    for step in (a_step(), a_script_step(), a_flow_step("s", ["g"])):
        assert fault(replace(step, work_config=filled)) == expected


# ---- rules 29 to 31: scripts inside definitions ----------------------------------------------


@pytest.mark.parametrize("build", [required, optional, output])
def test_rule_29(build: Any) -> None:
    """A mapping's script is in a known language and compiles."""
    prefix = 'invalid attribute mapping for attribute "x": '
    assert attribute_fault(build(mapping=mapped(script=BROKEN))) == f"{prefix}unbalanced braces"
    assert attribute_fault(build(mapping=mapped(script=PYTHON))) == f"{prefix}invalid script language: python"


@pytest.mark.parametrize("step", [a_step(), a_script_step(), a_flow_step("s", ["g"])])
def test_rule_30(step: Step) -> None:
    """A predicate is in a known language and compiles, on every type of step; an empty one is none."""
    assert fault(replace(step, predicate=BROKEN)) == "unbalanced braces"
    assert fault(replace(step, predicate=PYTHON)) == "invalid script language: python"
    assert fault(replace(step, predicate=JPATH)) == ""
    assert fault(replace(step, predicate=EMPTY)) == ""


def test_rule_31() -> None:
    """A gate is in a known language and compiles; an empty one is none."""
    assert attribute_fault(required(match=PYTHON)) == 'invalid script language for attribute "x": python'
    assert attribute_fault(required(match=BROKEN)) == 'invalid match for attribute "x": unbalanced braces'
    assert attribute_fault(required(match=JPATH)) == ""
    assert attribute_fault(required(match=EMPTY)) == ""


def test_names_in_scope() -> None:
    """Each script is compiled over its names: gates and output mappings see `value`, all others the arguments."""
    seen: dict[str, tuple[Name, ...]] = {}

    def remember(script: ScriptConfig, names: tuple[Name, ...]) -> None:
        seen[script.script] = names

    attributes = {
        "b": required(match=lua("gate"), mapping=mapped("inner", lua("input"))),
        "k": const("1"),
        "m": meta("flow_id"),
        "o": output(mapping=mapped(script=lua("output"))),
    }
    check_definition(a_script_step("s", attributes, predicate=lua("predicate"), script=lua("body")), remember)
    arguments = ("inner", "k", "m")
    assert seen == {
        "input": arguments,
        "output": ("value",),
        "predicate": arguments,
        "gate": ("value",),
        "body": arguments,
    }


# ---- order -----------------------------------------------------------------------------------


def test_rules_before_names() -> None:
    """An earlier rule broken by a later attribute comes first; within a rule, attributes go by name."""
    attributes = {"a": required(collect="no"), "c": AttributeSpec(role="no"), "b": AttributeSpec(role="nope")}
    assert fault(a_step(attributes=attributes)) == 'invalid attribute role: nope for attribute "b"'


FAULTS_IN_ORDER: list[tuple[str, dict[str, Any]]] = [
    ("http", {"http": HttpConfig()}),
    ("attribute", {"attributes": {Name("x"): AttributeSpec(role="no")}}),
    ("parallelism", {"work_config": WorkConfig(parallelism=-1)}),
    ("mapping", {"attributes": {Name("x"): required(mapping=mapped(script=BROKEN))}}),
    ("predicate", {"predicate": BROKEN}),
    ("match", {"attributes": {Name("x"): required(match=BROKEN)}}),
]


@pytest.mark.parametrize("n", range(len(FAULTS_IN_ORDER) - 1))
def test_earlier_groups_of_rules_come_first(n: int) -> None:
    """Of two faults, the one of the earlier group is reported."""
    (_, earlier), (_, later) = FAULTS_IN_ORDER[n], FAULTS_IN_ORDER[n + 1]
    alone = fault(replace(a_step(), **earlier))
    assert alone != ""
    assert fault(replace(a_step(), **{**later, **earlier})) == alone
