# SPDX-License-Identifier: Apache-2.0
"""Children of metrics, found once and kept, with a bound on how many a label that users choose may make.

Called on hot paths: a known child is one look into a dict.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, Generic, TypeVar

from prometheus_client.metrics import MetricWrapperBase

from argyll_engine.metrics.places import kept_labels

M = TypeVar("M", bound=MetricWrapperBase)

MAX_STEPS: Final = 200
"""Step ids that one process shows by name."""
OTHER: Final = "other"
"""Stands for all further ones."""
STEP_LABEL: Final = "step_id"


class StepNames:
    """Which step ids are shown by name: the first ones that are seen.

    Args:
        kept: Gives those that predecessors of this process have shown; asked once, when the first is seen.
    """

    def __init__(self, limit: int = MAX_STEPS, kept: Callable[[], Iterable[str]] = tuple) -> None:
        self._limit = limit
        self._kept = kept
        self._known: set[str] | None = None

    def shown(self, step_id: str) -> str:
        """The id itself, or `other` when there are too many."""
        if self._known is None:
            self._known = set(self._kept()) - {OTHER}
        if step_id in self._known:
            return step_id
        if len(self._known) >= self._limit:
            return OTHER
        self._known.add(step_id)
        return step_id


class Children(Generic[M]):
    """The children of one metric whose labels have few values."""

    def __init__(self, metric: M) -> None:
        self._metric = metric
        self._children: dict[tuple[str, ...], M] = {}

    def of(self, *values: str) -> M:
        """The child with these label values."""
        child = self._children.get(values)
        if child is None:
            child = self._children[values] = self._metric.labels(*values)
        return child


class StepChildren(Generic[M]):
    """The children of one metric whose first label is a step id, bounded by `names`."""

    def __init__(self, metric: M, names: StepNames) -> None:
        self._metric = metric
        self._names = names
        self._children: dict[tuple[str, ...], M] = {}

    def of(self, step_id: str, *values: str) -> M:
        """The child of a step with these values of its other labels."""
        key = (step_id, *values)
        child = self._children.get(key)
        if child is None:
            shown = self._names.shown(step_id)
            child = self._metric.labels(shown, *values)
            if shown == step_id:  # what is not shown by name is not kept either: there is no end to it
                self._children[key] = child
        return child


STEP_NAMES: Final = StepNames(kept=partial(kept_labels, STEP_LABEL))
"""Shared by all metrics of this process, so that each shows the same steps."""
