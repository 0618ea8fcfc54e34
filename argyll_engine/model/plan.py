# SPDX-License-Identifier: Apache-2.0
"""The graph a flow runs: which steps, fed by whom. Building one is `plan/`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from argyll_engine.model.ids import JSONValue, Name, StepID
from argyll_engine.model.step import Step

InitArgs = Mapping[Name, tuple[JSONValue, ...] | None]
"""Candidate values a start gives per attribute; None and an empty tuple count as not given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeEdges:
    """Who produces an attribute and who takes it."""

    providers: tuple[StepID, ...] = ()
    consumers: tuple[StepID, ...] = ()


def _nothing() -> Mapping[StepID, tuple[Name, ...]]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """Steps that planning reached and left out, each with the attribute names that are the reason."""

    satisfied: Mapping[StepID, tuple[Name, ...]] = field(default_factory=_nothing)
    blocked: Mapping[StepID, tuple[Name, ...]] = field(default_factory=_nothing)
    missing: Mapping[StepID, tuple[Name, ...]] = field(default_factory=_nothing)


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
