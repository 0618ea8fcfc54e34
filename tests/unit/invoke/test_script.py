# SPDX-License-Identifier: Apache-2.0
"""Script steps, on the real Lua."""

import pytest

from argyll_engine.invoke.script import ScriptStepClient
from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.model.invocation import Failed, Invocation, Outcome, Succeeded
from argyll_engine.model.step import Step, StepType
from argyll_engine.scripting import ScriptRegistry
from tests.definitions import output, required


def invoke(script: ScriptConfig | None, **arguments: object) -> Outcome:
    """How a step with this script and these arguments ends."""
    attributes = {name: required() for name in arguments} | {"out": output()}
    step = Step(id="s", name="S", type=StepType.SCRIPT, attributes=attributes, script=script)
    client = ScriptStepClient(ScriptRegistry(timeout_ms=100, memory_mb=8))
    return client.invoke(Invocation(flow_id="f", step_id="s", token="t", attempt=1, step=step, arguments=arguments))


def lua(text: str) -> ScriptConfig:
    """A Lua script."""
    return ScriptConfig(language="lua", script=text)


def test_a_script_that_returns() -> None:
    """The members of the result are the outputs."""
    assert Succeeded(outputs={"out": 3}) == invoke(lua("return {out = a + b}"), a=1, b=2)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (lua("error('no stock')"), "script:1: no stock"),
        (lua("return {"), "script:1: unexpected symbol near <eof> at line 1, column 9"),
        (lua("while true do end"), "script exceeded its time limit of 100 ms"),
        (ScriptConfig(language="python", script="1"), "invalid script language: python"),
        (None, "step has no script"),
    ],
)
def test_a_script_that_does_not(script: ScriptConfig | None, error: str) -> None:
    """Whatever goes wrong with a script fails the work for good."""
    assert Failed(error=error) == invoke(script)
