# SPDX-License-Identifier: Apache-2.0
"""Plans that a process has made lately, so that the same start with other values costs no planning.

A plan follows from the catalog, the goals and the names that have initial values; and from the values themselves only
where a gate looks at one. Plans that a gate was asked for are therefore made anew each time. Called by the engine.
"""

from collections import OrderedDict
from threading import Lock
from typing import Final, TypeAlias

from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.facts import Matcher
from argyll_engine.model.ids import JSONValue, Name, StepID
from argyll_engine.model.plan import ExecutionPlan, InitArgs
from argyll_engine.plan.build import build

DEFAULT_PLANS: Final = 1_024
MAX_PLANNED_STEPS: Final = 100_000
"""Steps in all kept plans together, more or less: what bounds memory when plans are large."""

_Key: TypeAlias = tuple[tuple[StepID, ...], frozenset[Name]]


class PlanCache:
    """Makes plans of one catalog, and keeps those used last. Threads may share it.

    Plans that are equal because they came from here are the same object, which others may rest on.

    Args:
        capacity: Plans that are kept.
    """

    def __init__(self, capacity: int = DEFAULT_PLANS) -> None:
        self._capacity = capacity
        self._lock = Lock()
        self._catalog: CatalogState | None = None
        self._plans: OrderedDict[_Key, ExecutionPlan] = OrderedDict()
        self._steps = 0

    def plan(self, catalog: CatalogState, goals: tuple[StepID, ...], init: InitArgs, matcher: Matcher) -> ExecutionPlan:
        """The plan that `plan.build.build` makes.

        Raises:
            PlanError, StepNotFoundError
        """
        key = (goals, frozenset(name for name, values in init.items() if values and name in catalog.attributes))
        found = self._find(catalog, key)
        if found is not None:
            return found
        asked = _Asked(matcher)
        plan = build(catalog, goals, init, asked)
        if not asked.is_asked:
            self._keep(catalog, key, plan)
        return plan

    def _find(self, catalog: CatalogState, key: _Key) -> ExecutionPlan | None:
        with self._lock:
            found = self._plans.get(key) if self._catalog is catalog else None
            if found is not None:
                self._plans.move_to_end(key)
            return found

    def _keep(self, catalog: CatalogState, key: _Key, plan: ExecutionPlan) -> None:
        with self._lock:
            if self._catalog is not catalog:  # another catalog: no plan of the one before is asked for again
                self._catalog, self._steps = catalog, 0
                self._plans.clear()
            if self._plans.setdefault(key, plan) is plan:
                self._steps += len(plan.steps)
            while len(self._plans) > self._capacity or (self._steps > MAX_PLANNED_STEPS and len(self._plans) > 1):
                _, dropped = self._plans.popitem(last=False)
                self._steps -= len(dropped.steps)


class _Asked:
    """A matcher that knows whether it was asked."""

    __slots__ = ("_matcher", "is_asked")

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self.is_asked = False

    def __call__(self, script: ScriptConfig, candidate: JSONValue) -> bool:
        self.is_asked = True
        return self._matcher(script, candidate)
