# SPDX-License-Identifier: Apache-2.0
"""Folds catalog events into a CatalogState. Source: the contract, execution §9.2.

`CatalogDraft` thaws a state once, folds any number of events and freezes; the thawed state stays as it is.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import Any, Final

from argyll_engine.evolve.edges import add_edges, remove_edges
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.events import Event, Recorded, StepRegistered, StepUnregistered, StepUpdated
from argyll_engine.model.ids import Name, StepID
from argyll_engine.model.step import Step


class CatalogDraft:
    """A catalog being folded; `freeze` gives the result and ends it."""

    __slots__ = ("_attributes", "_last_updated_at", "_steps", "_users")

    def __init__(self, state: CatalogState) -> None:
        self._steps = dict(state.steps)
        self._attributes = dict(state.attributes)
        self._last_updated_at = state.last_updated_at
        self._users: Counter[Name] | None = None

    def fold(self, recorded: Recorded) -> None:
        """Take one event in; types that are not of the catalog are ignored."""
        apply = FOLDS.get(type(recorded.event))
        if apply is not None:
            apply(self, recorded.event)
            self._last_updated_at = recorded.at

    def freeze(self) -> CatalogState:
        """The catalog so far."""
        return CatalogState(
            last_updated_at=self._last_updated_at,
            steps=MappingProxyType(self._steps),
            attributes=MappingProxyType(self._attributes),
        )

    def put(self, step: Step) -> None:
        """Enter a definition in place of the older one, if there is one."""
        self.drop(step.id)
        self._steps[step.id] = step
        add_edges(self._attributes, step)
        if self._users is not None:
            self._users.update(step.attributes.keys())

    def drop(self, step_id: StepID) -> None:
        """Remove a definition; an unknown id changes nothing."""
        step = self._steps.pop(step_id, None)
        if step is None:
            return
        if self._users is not None:
            self._users.subtract(step.attributes.keys())
        remove_edges(self._attributes, step, self._is_used)

    def _is_used(self, name: Name) -> bool:
        if self._users is None:  # counted when first asked for: most events never ask
            self._users = Counter(name for step in self._steps.values() for name in step.attributes)
        return self._users[name] > 0


def evolve_catalog(state: CatalogState, recorded: Recorded) -> CatalogState:
    """The catalog after one more event."""
    return replay_catalog(state, (recorded,))


def replay_catalog(state: CatalogState, log: Iterable[Recorded]) -> CatalogState:
    """The catalog after these events, in order."""
    draft = CatalogDraft(state)
    for recorded in log:
        draft.fold(recorded)
    return draft.freeze()


def _registered(draft: CatalogDraft, event: StepRegistered | StepUpdated) -> None:
    draft.put(event.step)


def _unregistered(draft: CatalogDraft, event: StepUnregistered) -> None:
    draft.drop(event.step_id)


FOLDS: Final[dict[type[Event], Callable[[CatalogDraft, Any], None]]] = {
    StepRegistered: _registered,
    StepUpdated: _registered,
    StepUnregistered: _unregistered,
}
"""How each catalog event changes the catalog."""
