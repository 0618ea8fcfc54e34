# SPDX-License-Identifier: Apache-2.0
"""The graph a flow runs: which steps, fed by whom. Building one is `plan/`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from msgspec import Struct

from argyll_engine.model.ids import JSONValue, Name, StepID
from argyll_engine.model.step import Step

InitArgs = Mapping[Name, tuple[JSONValue, ...] | None]
"""Candidate values a start gives per attribute; None and an empty tuple count as not given."""


class AttributeEdges(Struct, frozen=True, kw_only=True):
    """Who produces an attribute and who takes it."""

    providers: tuple[StepID, ...] = ()
    consumers: tuple[StepID, ...] = ()


class Neighbours(Struct, frozen=True, kw_only=True):
    """Where a step stands in a plan: its place in plan order, and the steps that its outcome may concern.

    `takers` are its outputs, each with a step that takes it; `consumers` those steps; `suppliers` the providers of what
    it takes, and the other providers of what it gives.
    """

    place: int
    takers: tuple[tuple[Name, StepID], ...]
    consumers: tuple[StepID, ...]
    suppliers: tuple[StepID, ...]


class Excluded(Struct, frozen=True, kw_only=True):
    """Steps that planning reached and left out, each with the attribute names that are the reason."""

    satisfied: Mapping[StepID, tuple[Name, ...]] = MappingProxyType({})
    blocked: Mapping[StepID, tuple[Name, ...]] = MappingProxyType({})
    missing: Mapping[StepID, tuple[Name, ...]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionPlan:
    """The minimal graph that reaches the goals; `steps` are frozen copies in plan order (providers first).

    A name absent from `attributes` can be supplied by nobody; one with consumers and no providers comes from
    the initial values. `required` names what a start must still give.
    """

    goals: tuple[StepID, ...]
    required: tuple[Name, ...] = ()
    steps: Mapping[StepID, Step] = field(default_factory=lambda: MappingProxyType({}))
    attributes: Mapping[Name, AttributeEdges] = field(default_factory=lambda: MappingProxyType({}))
    excluded: Excluded = field(default_factory=Excluded)
    children: Mapping[StepID, "ExecutionPlan"] = field(default_factory=lambda: MappingProxyType({}))
    _neighbours: Mapping[StepID, Neighbours] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_neighbours", None)

    @property
    def neighbours(self) -> Mapping[StepID, Neighbours]:
        """The neighbours of each step; sorted out once, for decisions ask for them all the time."""
        if self._neighbours is None:
            found = {step_id: self._neighbours_of(place, step_id) for place, step_id in enumerate(self.steps)}
            object.__setattr__(self, "_neighbours", found)
            return found
        return self._neighbours

    def _neighbours_of(self, place: int, step_id: StepID) -> Neighbours:
        step, nobody = self.steps[step_id], AttributeEdges()
        gives, takes = step.outputs(), [name for name, _ in step.inputs()]
        takers = [(name, taker) for name in gives for taker in self.attributes.get(name, nobody).consumers]
        suppliers = [other for name in (*takes, *gives) for other in self.attributes.get(name, nobody).providers]
        return Neighbours(
            place=place,
            takers=tuple(takers),
            consumers=tuple(dict.fromkeys(taker for _, taker in takers)),
            suppliers=tuple(dict.fromkeys(suppliers)),
        )
