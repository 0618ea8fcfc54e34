# SPDX-License-Identifier: Apache-2.0
"""When values and definitions are the same."""

from dataclasses import replace

import pytest

from argyll_engine.model.attribute import AttributeSpec, InputConfig, MappingConfig
from argyll_engine.model.ids import JSONValue, Name, StepID
from argyll_engine.model.step import FlowConfig, HttpConfig, Step, WorkConfig, WorkDefaults
from argyll_engine.policy.equality import same_definition, same_json
from tests.definitions import a_script_step, a_step, const, lua, meta, optional, output, required


def _nested(depth: int) -> JSONValue:
    value: JSONValue = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (1, 1.0, True),
        (0, -0.0, True),
        (10**30, 10**30, True),
        (10**30, 10**30 + 1, False),
        (2**53, float(2**53), True),
        (2**53 + 1, float(2**53), False),  # exact, not by way of doubles
        (True, 1, False),
        (False, 0, False),
        (True, 1.0, False),
        (True, True, True),
        (None, None, True),
        (None, False, False),
        (None, 0, False),
        ("1", 1, False),
        ("a", "a", True),
        ([], {}, False),
        ([], None, False),
        ([1, 2], [2, 1], False),
        ([1], [1, 1], False),
        ([1], (1.0,), True),  # lists may be kept as tuples
        ([[True]], [[1]], False),
        ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": None}, {}, False),
        ({"a": 1}, {"b": 1}, False),
    ],
)
def test_same_json(a: JSONValue, b: JSONValue, expected: bool) -> None:
    """Equal as JSON, whichever comes first."""
    assert same_json(a, b) is expected
    assert same_json(b, a) is expected


def test_same_json_of_deep_values() -> None:
    """Depth is no obstacle."""
    a, b = _nested(5_000), _nested(5_000)
    assert same_json(a, b)
    assert not same_json(a, [b])


RICH = a_step(
    attributes={
        "x": required("number", collect="last"),
        "y": optional("string", default='"a"', deadline_ms=5),
        "k": const("1"),
        "m": meta("flow_id"),
        "o": output("any", mapping=MappingConfig(name="inner")),
        "bare": AttributeSpec(role="required"),
    },
    labels={"team": "a"},
    predicate=lua("return true"),
)


def _with_attribute(name: str, spec: AttributeSpec | None) -> Step:
    attributes = {**RICH.attributes, Name(name): spec}
    return replace(RICH, attributes={n: s for n, s in attributes.items() if s is not None})


def test_a_definition_equals_its_copy() -> None:
    """Order of attributes and labels does not matter."""
    backwards = dict(reversed(list(RICH.attributes.items())))
    assert same_definition(RICH, replace(RICH, attributes=backwards))


def test_post_is_the_default_method() -> None:
    """No method equals POST, and no other."""
    post = replace(RICH, http=HttpConfig(endpoint="http://steps/run", method="POST"))
    assert same_definition(RICH, post)
    assert same_definition(post, RICH)
    assert not same_definition(RICH, replace(RICH, http=HttpConfig(endpoint="http://steps/run", method="PUT")))


def test_a_step_without_http_equals_itself() -> None:
    """Steps of other types have no method to default."""
    assert same_definition(a_script_step(), a_script_step())


@pytest.mark.parametrize(
    "other",
    [
        replace(RICH, id=StepID("t")),
        replace(RICH, name="t"),
        replace(RICH, type="async"),
        replace(RICH, labels={}),
        replace(RICH, labels={"team": "b"}),
        replace(RICH, memoizable=True),
        replace(RICH, predicate=None),
        replace(RICH, predicate=lua("return false")),
        replace(RICH, script=lua("return {}")),
        replace(RICH, flow=FlowConfig(goals=(StepID("g"),))),
        replace(RICH, http=None),
        replace(RICH, http=HttpConfig(endpoint="http://steps/run", timeout_ms=30_000)),
        replace(RICH, http=HttpConfig(endpoint="http://steps/run", compensate="http://steps/undo")),
        replace(RICH, http=HttpConfig(endpoint="http://steps/run", health_check="http://steps/up")),
        replace(RICH, work_config=WorkConfig(parallelism=2).filled(WorkDefaults())),
        _with_attribute("x", None),
        _with_attribute("new", required()),
        _with_attribute("x", required("number")),
        _with_attribute("bare", AttributeSpec(role="required", required=InputConfig())),  # absent differs from empty
        _with_attribute("bare", AttributeSpec(role="optional")),
        _with_attribute("y", optional("string", default='"a"', deadline_ms=6)),
        _with_attribute("k", const("1.0")),  # texts, not values
        _with_attribute("m", meta("step_id")),
        _with_attribute("o", output("any", mapping=MappingConfig(name="other"))),
    ],
)
def test_any_difference_counts(other: Step) -> None:
    """A definition that differs in one place is another one."""
    assert not same_definition(RICH, other)
