# SPDX-License-Identifier: Apache-2.0
"""What a plan is made from, and what one step means in it: blocked, covered, gated.

Answers depend on the step and the initial values only, never on the order of asking. Called by the passes of
planning (`reach.py`, `walk.py`) and by `build.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from argyll_engine.errors import ScriptError
from argyll_engine.model.attribute import AttributeSpec, Collect, Role
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.facts import Matcher
from argyll_engine.model.ids import JSONValue, Name, StepID
from argyll_engine.model.plan import AttributeEdges, InitArgs
from argyll_engine.model.step import Step
from argyll_engine.policy.match import MatchStatus, input_gate

_NO_EDGES: Final = AttributeEdges()


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A step of the catalog, its attributes sorted out once.

    `inputs` and `outputs` are in order of names.
    """

    step: Step
    inputs: tuple[tuple[Name, AttributeSpec], ...]
    outputs: tuple[Name, ...]

    @classmethod
    def of(cls, step: Step) -> Self:
        """The node of a step."""
        return cls(step=step, inputs=tuple(step.inputs()), outputs=step.outputs())

    def required(self) -> Iterator[Name]:
        """Names of the required inputs, in order."""
        return (name for name, spec in self.inputs if spec.role == Role.REQUIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What the initial values say about one gated input; `accepted` means that one of them matches."""

    status: MatchStatus
    accepted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Catalog, initial values and mode of one plan. `supplied` names what the initial values give."""

    catalog: CatalogState
    init: InitArgs
    matcher: Matcher
    preview: bool
    supplied: frozenset[Name]

    @classmethod
    def of(cls, catalog: CatalogState, init: InitArgs, matcher: Matcher, preview: bool) -> Self:
        """The scope of a plan; initial values without a candidate count as not given."""
        supplied = frozenset(name for name, values in init.items() if values)
        return cls(catalog=catalog, init=init, matcher=matcher, preview=preview, supplied=supplied)

    def providers(self, name: Name) -> tuple[StepID, ...]:
        """Every registered step that produces an attribute."""
        return self.catalog.attributes.get(name, _NO_EDGES).providers

    def blocked_by(self, node: Node) -> tuple[Name, ...]:
        """Inputs that must stay without a value and have one. Source: the contract, execution §1.2."""
        return tuple(n for n, spec in node.inputs if n in self.supplied and spec.collect is Collect.NONE)

    def is_covered(self, node: Node) -> bool:
        """Whether the initial values give everything that the step would produce."""
        return bool(node.outputs) and self.supplied.issuperset(node.outputs)

    def gates(self, node: Node) -> Mapping[Name, Gate]:
        """The gated inputs of a step, by name. Source: the contract, execution §1.4."""
        return {name: self._gate(name, spec) for name, spec in node.inputs if spec.match}

    def _gate(self, name: Name, spec: AttributeSpec) -> Gate:
        candidates = self.init.get(name) or ()
        # Initial values are the only candidates there will be if nobody else can bring one.
        final = bool(candidates) and not self.providers(name)
        try:
            matched = self._count_matches(spec, candidates)
        except ScriptError:
            return Gate(status=MatchStatus.UNKNOWN, accepted=False)
        status = input_gate(spec.collect, matched, len(candidates) - matched, terminal=final, all_ok=final)
        return Gate(status=status, accepted=matched > 0)

    def _count_matches(self, spec: AttributeSpec, candidates: Sequence[JSONValue]) -> int:
        script = spec.match
        return sum(self.matcher(script, candidate) for candidate in candidates) if script else 0
