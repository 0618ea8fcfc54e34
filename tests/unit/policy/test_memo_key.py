# SPDX-License-Identifier: Apache-2.0
"""Which calls count as the same: what is part of a key, and what is not."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from argyll_engine.model.ids import Name
from argyll_engine.model.step import FlowConfig, HttpConfig, WorkConfig
from argyll_engine.policy.memo_key import inputs_digest, step_digest
from tests.definitions import a_step, const, lua, meta, optional, output, required

STEP = a_step(
    "price",
    {"item": required("string"), "rate": optional(default="1"), "cut": const("2"), "price": output("number")},
    memoizable=True,
    labels={"team": "a"},
)
ENDPOINT = "http://steps/run"


@pytest.mark.parametrize(
    "change",
    [
        {"id": "cost", "name": "Cost"},
        {"labels": {"team": "b"}},
        {"http": HttpConfig(endpoint=ENDPOINT, method="POST")},
        {"attributes": dict(reversed(STEP.attributes.items()))},
        {"attributes": MappingProxyType(dict(STEP.attributes))},
        {"type": "sync"},
    ],
)
def test_what_says_nothing_of_the_work_is_no_part_of_the_key(change):
    """Renamed, labelled and reordered steps, and those that write a default out, share their results."""
    assert step_digest(STEP) == step_digest(replace(STEP, **change))


@pytest.mark.parametrize(
    "change",
    [
        {"type": "async"},
        {"memoizable": False},
        {"http": HttpConfig(endpoint=ENDPOINT, method="PUT")},
        {"http": HttpConfig(endpoint=ENDPOINT + "/2")},
        {"http": HttpConfig(endpoint=ENDPOINT, timeout_ms=7)},
        {"script": lua("return {}")},
        {"flow": FlowConfig(goals=("goal",))},
        {"predicate": lua("true")},
        {"work_config": WorkConfig(parallelism=2)},
        {"attributes": STEP.attributes | {"cut": const("3")}},
        {"attributes": STEP.attributes | {"who": meta("flow_id")}},
        {"attributes": {name: spec for name, spec in STEP.attributes.items() if name != "rate"}},
    ],
)
def test_another_definition_is_another_key(change):
    """Whatever may change the result, and the settings of the work, are part of the key."""
    assert step_digest(STEP) != step_digest(replace(STEP, **change))


def test_inputs_are_the_same_in_any_order():
    """Neither the order of the names counts nor that of the members of a value."""
    one = {Name("a"): {"x": 1, "y": [None]}, Name("b"): "ü"}
    other = MappingProxyType({Name("b"): "ü", Name("a"): {"y": [None], "x": 1}})
    assert inputs_digest(one) == inputs_digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": "1"}),
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": 2**53}, {"a": 2**53 + 1}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": None}, {}),
        ({"a": 1}, {"b": 1}),
        ({"a": "b", "c": "d"}, {"a": 'b","c":"d'}),
    ],
)
def test_other_inputs_are_another_key(one, other):
    """Values that a step can tell apart are never taken for one another."""
    assert inputs_digest(one) != inputs_digest(other)


def test_the_digest_is_that_of_sorted_json():
    """SHA-256 in hexadecimal, the same in every process and version."""
    assert "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" == inputs_digest({})
