# SPDX-License-Identifier: Apache-2.0
"""First pass of planning: the steps that goals could ever draw on, and which of them can get their inputs.

Looks at what is upstream of the goals only, so that the cost follows the plan and not the catalog. The result
is the same as over the whole catalog: whether a step can run depends on its upstream alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from argyll_engine.model.ids import Name, StepID
from argyll_engine.plan.scope import Node, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The registered providers of a name: those that could get their inputs, and those that could not."""

    able: tuple[StepID, ...] = ()
    unable: tuple[StepID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Everything upstream of the goals, goals included.

    Args:
        nodes: the steps, by id.
        sources: every name that is an input of one of them, and who provides it.
        available: names that initial values or able providers give.
    """

    nodes: Mapping[StepID, Node]
    sources: Mapping[Name, Sources]
    available: frozenset[Name]


def reach(scope: Scope, goals: Iterable[StepID]) -> Reach:
    """What the goals could draw on, as if every provider came through. Source: the contract, execution §1.2.

    Args:
        goals: registered steps.
    """
    nodes, names = _upstream(scope, goals)
    satisfiable, available = _satisfiable(scope, nodes)
    sources = {name: _sources(scope.providers(name), satisfiable) for name in names}
    return Reach(nodes=nodes, sources=sources, available=frozenset(available))


def _sources(providers: Iterable[StepID], satisfiable: set[StepID]) -> Sources:
    able: list[StepID] = []
    unable: list[StepID] = []
    for step_id in providers:
        (able if step_id in satisfiable else unable).append(step_id)
    return Sources(able=tuple(able), unable=tuple(unable))


def _upstream(scope: Scope, goals: Iterable[StepID]) -> tuple[dict[StepID, Node], set[Name]]:
    nodes: dict[StepID, Node] = {}
    names: set[Name] = set()
    open_ = list(goals)
    while open_:
        step_id = open_.pop()
        if step_id in nodes:
            continue
        node = nodes[step_id] = Node.of(scope.catalog.steps[step_id])
        for name, _ in node.inputs:
            if name not in names:
                names.add(name)
                open_.extend(scope.providers(name))
    return nodes, names


def _satisfiable(scope: Scope, nodes: Mapping[StepID, Node]) -> tuple[set[StepID], set[Name]]:
    available = set(scope.supplied)
    waiting: dict[StepID, int] = {}
    consumers: defaultdict[Name, list[StepID]] = defaultdict(list)
    ready: list[StepID] = []
    for step_id, node in nodes.items():
        if scope.blocked_by(node):
            continue
        absent = [name for name in node.required() if name not in available]
        waiting[step_id] = len(absent)
        for name in absent:
            consumers[name].append(step_id)
        if not absent:
            ready.append(step_id)
    satisfiable = set()
    while ready:
        step_id = ready.pop()
        satisfiable.add(step_id)
        for name in nodes[step_id].outputs:
            if name not in available:
                available.add(name)
                ready.extend(_served(consumers[name], waiting))
    return satisfiable, available


def _served(consumers: Iterable[StepID], waiting: dict[StepID, int]) -> Iterable[StepID]:
    for step_id in consumers:
        waiting[step_id] -= 1
        if not waiting[step_id]:
            yield step_id
