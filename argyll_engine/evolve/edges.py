# SPDX-License-Identifier: Apache-2.0
"""The edges of a catalog's attribute graph, kept in a draft (a plain dict) that the fold owns.

Called by `evolve/catalog.py` only; what is wrong with a graph is judged in `policy/graph.py`.
"""

from bisect import bisect_left
from collections.abc import Callable, MutableMapping
from typing import Final

from msgspec.structs import replace

from argyll_engine.model.attribute import Role
from argyll_engine.model.ids import Name, StepID
from argyll_engine.model.plan import AttributeEdges
from argyll_engine.model.step import Step

_NO_EDGES: Final = AttributeEdges()


def add_edges(edges: MutableMapping[Name, AttributeEdges], step: Step) -> None:
    """Enter a step: outputs make it a provider, inputs a consumer; const and meta names only get an entry.

    Source: the contract, execution §9.2.
    """
    for name, spec in step.attributes.items():
        entry = edges.get(name, _NO_EDGES)
        if spec.role == Role.OUTPUT:
            entry = replace(entry, providers=_with(entry.providers, step.id))
        elif spec.is_input:
            entry = replace(entry, consumers=_with(entry.consumers, step.id))
        edges[name] = entry


def remove_edges(edges: MutableMapping[Name, AttributeEdges], step: Step, is_used: Callable[[Name], bool]) -> None:
    """Take a step out again, by the definition it was entered with. Source: the contract, execution §12 X24.

    Args:
        is_used: whether a step other than this one has an attribute of that name; entries of unused names go.
    """
    for name in step.attributes:
        entry = edges.get(name, _NO_EDGES)
        left = AttributeEdges(
            providers=_without(entry.providers, step.id), consumers=_without(entry.consumers, step.id)
        )
        if left != _NO_EDGES or is_used(name):
            edges[name] = left
        else:
            edges.pop(name, None)


def _with(ids: tuple[StepID, ...], step_id: StepID) -> tuple[StepID, ...]:
    place = bisect_left(ids, step_id)
    if ids[place : place + 1] == (step_id,):
        return ids
    return (*ids[:place], step_id, *ids[place:])


def _without(ids: tuple[StepID, ...], step_id: StepID) -> tuple[StepID, ...]:
    return tuple(other for other in ids if other != step_id)
