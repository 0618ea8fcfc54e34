# SPDX-License-Identifier: Apache-2.0
"""Faults that only show between steps: rules 34 and 35 of the contract, http §2.3.

Walks use a worklist, since a chain of steps may be longer than Python's stack is deep. The graph itself is kept by
`evolve/edges.py`. Called by `decide/catalog.py`.
"""

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.ids import Name, StepID
from argyll_engine.model.plan import AttributeEdges
from argyll_engine.model.step import Step

_NO_EDGES: Final = AttributeEdges()

_T = TypeVar("_T")


def find_type_conflict(catalog: CatalogState, step: Step) -> Name | None:
    """The first name, in order, that another step declares with another type text; None if there is none.

    No type is a type of its own, and every role takes part. Source: the contract, http §2.3 rule 34.
    """
    for name, spec in sorted(step.attributes.items()):
        other = _another_user(catalog, name, step.id)
        if other is not None and other.attributes[name].type != spec.type:
            return name
    return None


def _another_user(catalog: CatalogState, name: Name, step_id: StepID) -> Step | None:
    # Registered steps agree with one another, so any one of them speaks for all.
    entry = catalog.attributes.get(name)
    if entry is None:
        return None
    for known in (*entry.providers, *entry.consumers):
        if known != step_id:
            return catalog.steps[known]
    others = (other for other in catalog.steps.values() if other.id != step_id)
    return next((other for other in others if name in other.attributes), None)


def has_attribute_cycle(catalog: CatalogState, step: Step) -> bool:
    """Whether the step, put into the catalog, would feed itself through the inputs of other steps.

    The edges of an older definition of the step do not count. Source: the contract, http §2.3 rule 35.
    """
    outputs = frozenset(name for name in step.outputs() if catalog.attributes.get(name, _NO_EDGES).consumers)
    if not outputs:
        return False  # nobody takes what it gives: the usual case, without a walk
    reached = _reach((name for name, _ in step.inputs()), lambda name: _names_behind(catalog, name, step.id))
    return not outputs.isdisjoint(reached)


def _names_behind(catalog: CatalogState, name: Name, without: StepID) -> Iterable[Name]:
    for provider in catalog.attributes.get(name, _NO_EDGES).providers:
        if provider != without:
            yield from (source for source, _ in catalog.steps[provider].inputs())


def has_flow_cycle(catalog: CatalogState, step: Step) -> bool:
    """Whether the step, put into the catalog, would contain itself through the goals of flow steps.

    Goals that are not registered lead nowhere. Source: the contract, http §2.3 rule 35.
    """
    return step.id in _reach(_goals(step), lambda goal: _goals(catalog.steps.get(goal)))


def _goals(step: Step | None) -> tuple[StepID, ...]:
    return step.flow.goals if step and step.flow else ()


def _reach(start: Iterable[_T], following: Callable[[_T], Iterable[_T]]) -> frozenset[_T]:
    open_ = list(start)
    reached = set(open_)
    while open_:
        fresh = [item for item in following(open_.pop()) if item not in reached]
        open_.extend(fresh)
        reached.update(fresh)
    return frozenset(reached)
