# SPDX-License-Identifier: Apache-2.0
"""An active step completes or fails by its work items. Source: the contract, execution §2.10, §3.7, §3.8."""

from datetime import timedelta
from typing import Final

from argyll_engine.decide.turn import Turn
from argyll_engine.errors import ScriptError
from argyll_engine.model.attribute import AttributeSpec
from argyll_engine.model.events import AttributeSet, StepCompleted, StepFailed
from argyll_engine.model.ids import JSONValue, Name, StepID
from argyll_engine.policy.work import aggregate

MILLISECOND: Final = timedelta(milliseconds=1)


def complete_step(turn: Turn, step_id: StepID) -> None:
    """Set the attributes that the step declares and gave, then complete it."""
    step, ex = turn.step(step_id), turn.execution(step_id)
    raw = aggregate(ex)
    outputs: dict[Name, JSONValue] = {}
    for name in step.outputs():
        found, value = _output(turn, step.attributes[name], name, raw)
        if found:
            outputs[name] = value
    for name, value in outputs.items():
        turn.raise_event(AttributeSet(flow_id=turn.flow_id, step_id=step_id, key=name, value=value))
    elapsed = turn.facts.now - (ex.started_at or turn.facts.now)
    duration_ms = max(0, elapsed // MILLISECOND)
    turn.raise_event(StepCompleted(flow_id=turn.flow_id, step_id=step_id, outputs=outputs, duration_ms=duration_ms))


def fail_step(turn: Turn, step_id: StepID, error: str) -> None:
    """Fail an active step; items that still run end on their own."""
    turn.raise_event(StepFailed(flow_id=turn.flow_id, step_id=step_id, error=error or "work item failed"))


def _output(turn: Turn, spec: AttributeSpec, name: Name, raw: dict[str, JSONValue]) -> tuple[bool, JSONValue]:
    """(found, value) of one declared output; a mapping script sees the whole raw output."""
    script = spec.mapping_script
    if script is None:
        inner = spec.inner_name(name)
        return inner in raw, raw.get(inner)
    try:
        return turn.facts.scripts.map_output(script, raw)
    except ScriptError:
        return False, None
