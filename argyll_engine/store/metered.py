# SPDX-License-Identifier: Apache-2.0
"""An event store whose round trips are counted and timed. Wraps the one on Redis; made by wiring."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Final

from prometheus_client import Histogram

from argyll_engine.errors import TransientError
from argyll_engine.metrics import instruments as all_metrics
from argyll_engine.model.ids import StreamID
from argyll_engine.ports import Commit, CommitResult, Committed, EventStore, LoadRequest, Snapshot, Stream
from argyll_engine.progress import PROGRESS

LOAD: Final = "load"
COMMIT: Final = "commit"
READ_LOG: Final = "read_log"
SNAPSHOT: Final = "snapshot"


class MeteredEventStore:
    """Implements `ports.EventStore` by another one, `store`; `name` is the store's in the metrics.

    Every round trip is progress of this process, also one that failed: who waits for Redis is not stuck.
    """

    def __init__(self, store: EventStore, name: str) -> None:
        self._store = store
        self._load, self._commit, self._read_log, self._snapshot = (
            all_metrics.STORE_LATENCY.labels(name, operation) for operation in (LOAD, COMMIT, READ_LOG, SNAPSHOT)
        )
        self._batch = all_metrics.COMMIT_BATCH.labels(name)
        self._commits = all_metrics.COMMITS.labels(name)
        self._conflicts = all_metrics.COMMIT_CONFLICTS.labels(name)
        self._errors = all_metrics.STORE_ERRORS.labels(name)

    def load(self, requests: Sequence[LoadRequest]) -> Sequence[Stream]:
        """The streams, in the order of the requests."""
        with self._timed(self._load):
            return self._store.load(requests)

    def commit(self, commits: Sequence[Commit]) -> Sequence[CommitResult]:
        """The results, in order."""
        with self._timed(self._commit):
            results = self._store.commit(commits)
        applied = sum(isinstance(result, Committed) for result in results)
        self._batch.observe(len(commits))
        self._commits.inc(applied)
        if applied < len(results):
            self._conflicts.inc(len(results) - applied)
        return results

    def read_log(self, stream_id: StreamID) -> tuple[bytes, ...]:
        """Every stored event of a stream."""
        with self._timed(self._read_log):
            return self._store.read_log(stream_id)

    def save_snapshot(self, stream_id: StreamID, snapshot: Snapshot) -> None:
        """Keep a projection, unless a newer one is kept already."""
        with self._timed(self._snapshot):
            self._store.save_snapshot(stream_id, snapshot)

    @contextmanager
    def _timed(self, latency: Histogram) -> Iterator[None]:
        PROGRESS.trips += 1
        started_at = perf_counter()
        try:
            yield
        except TransientError:
            self._errors.inc()
            raise
        finally:
            latency.observe(perf_counter() - started_at)
            PROGRESS.trips += 1
