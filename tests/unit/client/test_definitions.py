# SPDX-License-Identifier: Apache-2.0
"""Step definitions of the client: what the engine reads is what was written, and back."""

from dataclasses import replace

import pytest

from argyll_api.client import (
    Http,
    Script,
    Step,
    WorkConfig,
    const,
    meta,
    optional,
    output,
    required,
)
from argyll_api.schemas.step import load_step
from argyll_engine.codec import step_to_json

LUA = Script("lua", "return true")
STEPS = [
    Step(id="least", http=Http(endpoint="http://h/")),
    Step(
        id="most",
        name="Most",
        type="async",
        http=Http(endpoint="http://h/{a}", method="PUT", timeout_ms=5, compensate="http://c", health_check="http://k"),
        attributes={
            "a": required("array", collect="all", for_each=True, match=LUA).named("inner"),
            "b": optional("any", default=None, deadline_ms=7, collect="last", for_each=True).mapped(LUA),
            "c": const({"x": [1.5]}, "object"),
            "d": meta("flow_id", "string"),
            "e": output("number").named("out").mapped(LUA),
        },
        predicate=LUA,
        work_config=WorkConfig(
            max_retries=-1, init_backoff_ms=1, max_backoff_ms=2, backoff_type="linear", parallelism=3
        ),
        labels={"k": "v"},
    ),
    Step(id="script", script=LUA, memoizable=True),
    Step(id="flow", goals=("a", "b")),
    Step(id="bare", attributes={"a": required(), "b": optional(), "c": output()}),
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.id)
def test_the_engine_understands_a_definition(step: Step) -> None:
    """Nothing is lost on the way to the engine and back."""
    served = step_to_json(load_step(step.to_json()))
    filled = replace(step, name=step.name or step.id, type=served["type"])
    assert filled == Step.from_json(served)


@pytest.mark.parametrize(
    ("step", "kind"), [(STEPS[0], "sync"), (STEPS[1], "async"), (STEPS[2], "script"), (STEPS[3], "flow")]
)
def test_the_type_is_told_from_what_there_is(step: Step, kind: str) -> None:
    """Unless it is said."""
    assert kind == step.to_json()["type"]


@pytest.mark.parametrize(("default", "text"), [(None, "null"), (False, "false"), ("", '""'), (0, "0")])
def test_a_default_may_be_anything(default: object, text: str) -> None:
    """Even what Python takes for nothing; without one there is none."""
    assert {"role": "optional", "optional": {"default": text}} == optional(default=default).to_json()
    assert {"role": "optional"} == optional().to_json()
