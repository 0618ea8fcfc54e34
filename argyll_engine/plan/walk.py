# SPDX-License-Identifier: Apache-2.0
"""Second pass of planning: from the goals to the providers they need.

What a step demands depends on the step and the initial values alone, and being mentioned never hides a step
from being selected or from being a goal: so neither the order of goals nor that of names changes the result.
Demands are names, and each name is followed once: many providers of a name and many consumers cost their sum.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from argyll_engine.model.attribute import AttributeSpec, Collect, Role
from argyll_engine.model.ids import Name, StepID
from argyll_engine.plan.reach import Reach, Sources
from argyll_engine.plan.scope import Gate, Node, Scope
from argyll_engine.policy.match import MatchStatus, step_gate


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What planning came across: steps to run, steps that it met and left out, names nobody gives."""

    included: frozenset[StepID]
    left_out: frozenset[StepID]
    missing: frozenset[Name]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Demand:
    """What one step asks for: names to be provided, names that initial values settle, names nobody gives."""

    wanted: tuple[Name, ...] = ()
    settled: tuple[Name, ...] = ()
    missing: tuple[Name, ...] = ()


def walk(scope: Scope, reached: Reach, goals: Iterable[StepID]) -> Walk:
    """The steps that reach the goals. Source: the contract, execution §1.2 and §12 X37.

    A goal whose outputs are all given asks for nothing, unless another step needs it as a provider (X1).
    """
    demands: dict[StepID, _Demand] = {}
    needed: set[StepID] = set()
    mentioned: set[StepID] = set()
    followed: set[Name] = set()
    open_ = [goal for goal in goals if not scope.is_covered(reached.nodes[goal])]
    mentioned.update(goals)
    while open_:
        step_id = open_.pop()
        if step_id in demands:
            continue
        demand = demands[step_id] = _demand(scope, reached, reached.nodes[step_id])
        for name in demand.wanted:
            if name not in followed:
                followed.add(name)
                chosen = _chosen(scope, reached.sources[name])
                needed.update(chosen)
                open_.extend(chosen)
                mentioned.update(reached.sources[name].unable)
    settled = {name for demand in demands.values() for name in demand.settled}
    mentioned.update(p for name in settled for p in scope.providers(name) if scope.is_covered(reached.nodes[p]))
    included = frozenset(s for s in demands if _is_included(scope, reached.nodes[s], needed))
    missing = frozenset(name for demand in demands.values() for name in demand.missing)
    return Walk(included=included, left_out=frozenset(mentioned | demands.keys()) - included, missing=missing)


def _is_included(scope: Scope, node: Node, needed: set[StepID]) -> bool:
    if scope.blocked_by(node):
        return False
    return node.step.id in needed or not scope.is_covered(node)


def _demand(scope: Scope, reached: Reach, node: Node) -> _Demand:
    if scope.blocked_by(node):
        return _Demand()
    gates = scope.gates(node)
    status = step_gate(gate.status for gate in gates.values())
    wanted: list[Name] = []
    settled: list[Name] = []
    missing: list[Name] = []
    for name, spec in node.inputs:
        if status is MatchStatus.UNMATCHED and name not in gates:
            continue  # a closed gate: nothing else of the step is asked for
        if _is_settled(scope, name, spec, gates.get(name)):
            settled.append(name)
            continue
        chosen = _chosen(scope, reached.sources[name])
        refused = spec.collect is Collect.ALL and _is_partial(chosen, reached.sources[name])
        if not refused:
            wanted.append(name)
        if (refused or not chosen) and _is_missing(scope, name, spec, status):
            missing.append(name)
    return _Demand(wanted=tuple(wanted), settled=tuple(settled), missing=tuple(missing))


def _is_settled(scope: Scope, name: Name, spec: AttributeSpec, gate: Gate | None) -> bool:
    if name not in scope.supplied or spec.collect is not Collect.FIRST:
        return False
    return gate is None or gate.accepted


def _chosen(scope: Scope, sources: Sources) -> tuple[StepID, ...]:
    """Providers to run; a preview without any able one shows the chains whose beginnings are missing."""
    return sources.able or (sources.unable if scope.preview else ())


def _is_partial(chosen: tuple[StepID, ...], sources: Sources) -> bool:
    return len(chosen) < len(sources.able) + len(sources.unable)


def _is_missing(scope: Scope, name: Name, spec: AttributeSpec, status: MatchStatus) -> bool:
    if spec.role != Role.REQUIRED or spec.collect is Collect.NONE or name in scope.supplied:
        return False
    # While a gate is undecided, only gates themselves can be reported; a closed one asks for nothing.
    return status in (MatchStatus.NOT_GATED, MatchStatus.MATCHED) or (
        status is MatchStatus.UNKNOWN and spec.match is not None
    )
