# SPDX-License-Identifier: Apache-2.0
"""From a catalog, goals and initial values to the plan a flow runs. Loading the catalog is the caller's.

Two passes make one plan (`reach.py`, `walk.py`), `children.py` nests the plans of flow steps. Called when a
flow is started, when a plan is previewed, and for the health of flow steps.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from argyll_engine.errors import PlanError, StepNotFoundError
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.facts import Matcher
from argyll_engine.model.ids import Name, StepID
from argyll_engine.model.plan import AttributeEdges, Excluded, ExecutionPlan, InitArgs
from argyll_engine.model.step import Step
from argyll_engine.plan.children import placeholder_init, with_children
from argyll_engine.plan.order import plan_order
from argyll_engine.plan.reach import Reach, reach
from argyll_engine.plan.scope import Node, Scope
from argyll_engine.plan.walk import walk


def build(
    catalog: CatalogState, goals: Sequence[StepID], init: InitArgs, matcher: Matcher, *, preview: bool = False
) -> ExecutionPlan:
    """The minimal plan that reaches the goals, with the plans of its flow steps.

    Args:
        goals: kept as given, in order and with repetitions.
        init: candidate values by name; None and an empty tuple count as not given.
        matcher: runs the gates; one that raises ScriptError is undecided.
        preview: follow providers that cannot run, so that `required` names the beginnings of the chains.

    Raises:
        PlanError: no goals, or a flow step that contains itself.
        StepNotFoundError: a goal, of the root or of a flow step, is not registered; lists the root's goals.

    Source: the contract, execution §1.
    """
    requested = tuple(goals)

    def plan_of(some: tuple[StepID, ...], given: InitArgs) -> ExecutionPlan:
        if not all(goal in catalog.steps for goal in some):
            raise StepNotFoundError.goals(requested)
        return _build_one(Scope.of(catalog, given, matcher, preview), some)

    def child_of(step: Step) -> ExecutionPlan:
        return plan_of(step.flow.goals if step.flow else (), placeholder_init(step))

    return with_children(plan_of(requested, init), child_of)


def build_level(catalog: CatalogState, goals: Sequence[StepID], init: InitArgs, matcher: Matcher) -> ExecutionPlan:
    """The plan of these goals alone: its flow steps are planned, what they run is not.

    Raises:
        PlanError: no goals.
        StepNotFoundError: a goal is not registered; lists the goals.
    """
    if not all(goal in catalog.steps for goal in goals):
        raise StepNotFoundError.goals(goals)
    return _build_one(Scope.of(catalog, init, matcher, False), tuple(goals))


def _build_one(scope: Scope, goals: tuple[StepID, ...]) -> ExecutionPlan:
    if not goals:
        raise PlanError("at least one goal step is required")
    reached = reach(scope, goals)
    found = walk(scope, reached, goals)
    ordered = tuple(plan_order([reached.nodes[step_id] for step_id in found.included]))
    return ExecutionPlan(
        goals=goals,
        required=tuple(sorted(found.missing)),
        steps=MappingProxyType({step_id: reached.nodes[step_id].step for step_id in ordered}),
        attributes=_edges(scope, [reached.nodes[step_id] for step_id in ordered]),
        excluded=_excluded(scope, reached, sorted(found.left_out)),
    )


def _edges(scope: Scope, nodes: Sequence[Node]) -> Mapping[Name, AttributeEdges]:
    """Outputs of the planned steps, and those of their inputs that somebody supplies.

    The absence of a name says that nobody can supply it. Source: the contract, execution §1.3.
    """
    providers: defaultdict[Name, list[StepID]] = defaultdict(list)
    consumers: defaultdict[Name, list[StepID]] = defaultdict(list)
    for node in nodes:
        for name in node.outputs:
            providers[name].append(node.step.id)
    for node in nodes:
        for name, _ in node.inputs:
            if name in scope.supplied or name in providers:
                consumers[name].append(node.step.id)
    return MappingProxyType(
        {
            name: AttributeEdges(
                providers=tuple(sorted(providers.get(name, ()))),
                consumers=tuple(sorted(consumers.get(name, ()))),
            )
            for name in sorted(providers.keys() | consumers.keys())
        }
    )


def _excluded(scope: Scope, reached: Reach, left_out: Sequence[StepID]) -> Excluded:
    """Why each step was left out: blocked, else satisfied, else missing. Source: the contract, http §1.8."""
    satisfied: dict[StepID, tuple[Name, ...]] = {}
    blocked: dict[StepID, tuple[Name, ...]] = {}
    missing: dict[StepID, tuple[Name, ...]] = {}
    for step_id in left_out:
        node = reached.nodes[step_id]
        if names := scope.blocked_by(node):
            blocked[step_id] = names
        elif scope.is_covered(node):
            satisfied[step_id] = node.outputs
        else:
            missing[step_id] = tuple(name for name in node.required() if name not in reached.available)
    return Excluded(
        satisfied=MappingProxyType(satisfied),
        blocked=MappingProxyType(blocked),
        missing=MappingProxyType(missing),
    )
