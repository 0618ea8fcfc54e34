# SPDX-License-Identifier: Apache-2.0
"""The page that Prometheus reads: what this process counts, or all processes of a folder, and what is read on the spot.

Served by the API (`argyll_api/routes/metrics.py`) and by supervisors of workers (`argyll_api/cli/probe_server.py`).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from prometheus_client import Metric, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from argyll_engine.metrics.instruments import REGISTRY
from argyll_engine.metrics.places import shown_files

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
"""The text format that every version of Prometheus reads."""


class Page:
    """Makes the page anew each time.

    Args:
        folder: Where the processes keep their values; empty for those of this process alone.
        collectors: What is read when the page is asked for.
    """

    def __init__(self, folder: str = "", collectors: Sequence[Collector] = ()) -> None:
        self._folder = folder
        self._collectors = collectors

    def text(self) -> bytes:
        """The metrics in the text format."""
        return generate_latest(_Collected(self._metrics()))

    def _metrics(self) -> Iterator[Metric]:
        yield from merged(self._folder) if self._folder else REGISTRY.collect()
        for collector in self._collectors:
            yield from collector.collect()


def merged(folder: str) -> Iterator[Metric]:
    """The sums over all processes of a folder; a metric that none of them has touched comes without a value.

    Who has ended is counted on: what happened has happened, and a sum must not fall. Its gauges go with it.
    """
    shown = set()
    # The library has no types for this part of it.
    for metric in MultiProcessCollector.merge(shown_files(folder)):  # type: ignore[no-untyped-call]
        shown.add(metric.name)
        yield metric
    for metric in REGISTRY.collect():
        if metric.name not in shown:
            metric.samples = []
            yield metric


class _Collected(Collector):
    """Metrics that are there already, in the form that the library writes."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """They themselves."""
        return self._metrics
