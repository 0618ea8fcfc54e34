# SPDX-License-Identifier: Apache-2.0
"""What has come for the inputs of a pending step, and whether that lets it start.

Source: the contract, execution §2.2 to §2.5 and §2.7.
"""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from argyll_engine.decide.turn import Turn
from argyll_engine.errors import ScriptError
from argyll_engine.model.attribute import AttributeSpec, Collect, Role, ScriptConfig
from argyll_engine.model.flow import AttributeValue, ExecutionState, FlowState, StepStatus
from argyll_engine.model.ids import JSONValue, Name, StepID
from argyll_engine.model.step import Step
from argyll_engine.policy.collect import (
    Fulfilled,
    Supply,
    TakeDefault,
    WaitUntil,
    decide_optional,
    fulfil,
    is_dead,
    still_wants,
)
from argyll_engine.policy.literal import parse_literal
from argyll_engine.policy.match import MatchStatus, input_gate, step_gate
from argyll_engine.policy.transitions import TERMINAL_STEP


class Readiness(StrEnum):
    """What can be done with a pending step now."""

    WAITING = "waiting"  # something it needs may still come
    READY = "ready"  # every input is decided
    PRUNED = "pruned"  # a gate has closed for good
    UNREACHABLE = "unreachable"  # a required input can no longer come
    BROKEN = "broken"  # a gate's script failed


class Input(NamedTuple):
    """One required or optional input: what has come for it, what that gives, and its gate (None without one)."""

    name: Name
    spec: AttributeSpec
    collect: Collect
    supply: Supply
    got: Fulfilled | None
    gate: MatchStatus | None


class Assessment(Struct, frozen=True, kw_only=True):
    """Readiness of a step, the outer names at fault, and its inputs so far by outer name.

    `wait_until` is when a step that waits for nothing but optional inputs must be looked at again.
    """

    readiness: Readiness
    values: dict[Name, JSONValue] = {}
    unsatisfied: tuple[Name, ...] = ()
    error: str = ""
    wait_until: datetime | None = None


def assess(turn: Turn, step_id: StepID) -> Assessment:
    """What can be done with a pending step now."""
    key = (assess, step_id)
    found: Assessment | None = turn.findings.get(key)
    if found is None:
        found = turn.findings[key] = _assess(turn, step_id)
    return found


def _assess(turn: Turn, step_id: StepID) -> Assessment:
    step = turn.step(step_id)
    if step.plain_inputs is not None:
        return _assess_plain(turn.state, step.plain_inputs)
    try:
        inputs = [_input(turn, name, spec) for name, spec in step.inputs()]
    except ScriptError as exc:
        return Assessment(readiness=Readiness.BROKEN, error=f"match evaluation failed\n{exc}")
    values = {i.name: i.got.value for i in inputs if i.got and i.got.has_value}
    match step_gate(i.gate for i in inputs if i.gate is not None):
        case MatchStatus.UNMATCHED:
            return _closed(inputs, values)
        case MatchStatus.UNKNOWN:
            return Assessment(readiness=Readiness.WAITING, values=values)
    dead = tuple(i.name for i in inputs if i.spec.role == Role.REQUIRED and is_dead(i.collect, i.supply))
    if dead:
        return Assessment(readiness=Readiness.UNREACHABLE, values=values, unsatisfied=dead)
    try:
        return _collected(turn, inputs, values)
    except ValueError as exc:
        return Assessment(readiness=Readiness.BROKEN, values=values, error=f"invalid default value\n{exc}")


def _assess_plain(state: FlowState, names: tuple[Name, ...]) -> Assessment:
    """The same for the inputs of most steps, whose rules come down to this."""
    values: dict[Name, JSONValue] = {}
    missing: list[Name] = []
    for name in names:
        came = state.attributes.get(name)
        if came:
            values[name] = came[0].value
        else:
            missing.append(name)
    if not missing:
        return Assessment(readiness=Readiness.READY, values=values)
    dead = tuple(name for name in missing if not _may_come(state, name))
    readiness = Readiness.UNREACHABLE if dead else Readiness.WAITING
    return Assessment(readiness=readiness, values=values, unsatisfied=dead)


def _may_come(state: FlowState, name: Name) -> bool:
    """Whether a provider of an attribute has not ended."""
    edges = state.plan.attributes.get(name)
    return edges is not None and any(state.executions[each].status not in TERMINAL_STEP for each in edges.providers)


def may_use_more(turn: Turn, consumer: StepID, name: Name) -> bool:
    """Whether a pending step has a use for one more value of an input. Raises ScriptError."""
    spec = turn.step(consumer).attributes[name]
    if spec.match is None and spec.collect is Collect.FIRST:
        return not turn.state.attributes.get(name)
    return still_wants(spec.collect, supply_of(turn, name, spec.match))


def supply_of(turn: Turn, name: Name, match: ScriptConfig | None = None) -> Supply:
    """What has come for an attribute, as a consumer with this gate sees it. Raises ScriptError."""
    key = (supply_of, name)
    found: Supply | None = turn.findings.get(key) if match is None else None
    if found is None:
        found = _supply_of(turn, name, match)
        if match is None:
            turn.findings[key] = found
    return found


def _supply_of(turn: Turn, name: Name, match: ScriptConfig | None) -> Supply:
    state = turn.state
    values = state.attributes.get(name, ())
    accepted = values if match is None else tuple(v for v in values if turn.facts.scripts.match(match, v.value))
    edges = state.plan.attributes.get(name)
    is_terminal, is_broken, settled_at = True, False, state.created_at
    for step_id in edges.providers if edges else ():
        ex = state.executions[step_id]
        is_terminal = is_terminal and ex.status in TERMINAL_STEP
        is_broken = is_broken or _gave_nothing(step_id, ex, values)
        settled_at = max(settled_at, ex.completed_at or settled_at)
    return Supply(
        values=accepted,
        has_providers=bool(edges and edges.providers),
        is_terminal=is_terminal,
        is_broken=is_broken,
        settled_at=settled_at,
    )


def constants(step: Step) -> dict[Name, JSONValue]:
    """Parsed values of the const attributes, by outer name. Source: the contract, execution §2.10.

    Raises:
        ValueError: a text is no JSON; registration looks only at those that declare a type.
    """
    return {
        name: parse_literal(spec.const.value)
        for name, spec in sorted(step.attributes.items())
        if spec.role == Role.CONST and spec.const is not None
    }


def mapped(turn: Turn, step: Step, values: dict[Name, JSONValue]) -> dict[Name, JSONValue]:
    """The values by inner name, each run through its mapping script; a mapping that fails changes nothing."""
    names = step.argument_names()
    out: dict[Name, JSONValue] = {}
    for name, value in values.items():
        spec = step.attributes[name]
        inner, script = spec.inner_name(name), spec.mapping_script
        out[inner] = value if script is None else _map_value(turn, script, names, inner, value)
    return out


def _input(turn: Turn, name: Name, spec: AttributeSpec) -> Input:
    match, collect = spec.match, spec.collect
    supply = supply_of(turn, name, match)
    gate = None
    if match is not None:
        candidates, accepted = len(turn.state.attributes.get(name, ())), len(supply.values)
        gate = input_gate(collect, accepted, candidates - accepted, supply.is_terminal, supply.is_all_ok)
    return Input(name, spec, collect, supply, fulfil(collect, supply), gate)


def _closed(inputs: list[Input], values: dict[Name, JSONValue]) -> Assessment:
    """A closed gate prunes the step once no provider of its input can bring another value."""
    failed = [i for i in inputs if i.gate is MatchStatus.UNMATCHED]
    if not all(i.supply.is_terminal for i in failed):
        return Assessment(readiness=Readiness.WAITING, values=values)
    names = tuple(i.name for i in failed)
    return Assessment(readiness=Readiness.PRUNED, values=values, unsatisfied=names)


def _collected(turn: Turn, inputs: list[Input], values: dict[Name, JSONValue]) -> Assessment:
    waiting = Assessment(readiness=Readiness.WAITING, values=values)
    anchor = turn.state.created_at
    for i in inputs:
        if i.spec.role == Role.REQUIRED:
            if i.got is None:
                return waiting
            anchor = max(anchor, i.got.at)
    out = dict(values)
    deadlines: list[datetime] = []
    for i in inputs:
        if i.spec.role == Role.OPTIONAL:
            out.pop(i.name, None)
            config = i.spec.input_config
            match decide_optional(i.collect, i.supply, anchor, config.deadline_ms, turn.facts.now):
                case Fulfilled(has_value=True, value=value):
                    out[i.name] = value
                case Fulfilled() | TakeDefault():
                    if config.default:
                        out[i.name] = parse_literal(config.default)
                case WaitUntil(at=at):
                    deadlines.append(at)
    if deadlines:
        return Assessment(readiness=Readiness.WAITING, values=values, wait_until=min(deadlines))
    return Assessment(readiness=Readiness.READY, values=out)


def _map_value(turn: Turn, script: ScriptConfig, names: tuple[Name, ...], inner: Name, value: JSONValue) -> JSONValue:
    try:
        found, result = turn.facts.scripts.map_input(script, names, inner, value)
    except ScriptError:
        return value  # the contract, execution §2.10: the original value is used
    return result if found else value


def _gave_nothing(step_id: StepID, ex: ExecutionState, values: tuple[AttributeValue, ...]) -> bool:
    if ex.status is StepStatus.COMPLETED:
        return not any(value.step_id == step_id for value in values)
    return ex.status in TERMINAL_STEP
