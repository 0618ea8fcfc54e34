# SPDX-License-Identifier: Apache-2.0
"""Reads counters of this process before and after something happens: other tests count into the same ones."""

from collections.abc import Iterator
from contextlib import contextmanager

from argyll_engine.metrics.instruments import REGISTRY


class Growth:
    """How much samples have grown since the block began."""

    def __init__(self) -> None:
        self._before = _samples()
        self._after: dict[tuple[str, frozenset[tuple[str, str]]], float] | None = None

    def end(self) -> None:
        """What happens from now on is not looked at."""
        self._after = _samples()

    def of(self, name: str, **labels: str) -> float:
        """The growth of one sample."""
        key = (name, frozenset(labels.items()))
        after = self._after or {}
        return after.get(key, 0.0) - self._before.get(key, 0.0)


def _samples() -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
    }


@contextmanager
def growth() -> Iterator[Growth]:
    """What grows during the block."""
    grown = Growth()
    yield grown
    grown.end()
