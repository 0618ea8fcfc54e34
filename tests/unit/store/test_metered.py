# SPDX-License-Identifier: Apache-2.0
"""A metered event store gives what the other one gives, and counts its round trips."""

import pytest

from argyll_engine.errors import StoreUnavailableError
from argyll_engine.model.ids import flow_stream
from argyll_engine.ports import Commit, LoadRequest
from argyll_engine.progress import PROGRESS
from argyll_engine.store.memory import MemoryBackend, MemoryEventStore
from argyll_engine.store.metered import MeteredEventStore
from tests.unit.metrics.readings import growth

STREAM = flow_stream("f")
BEGIN = Commit(stream_id=STREAM, expected_sequence=0, events=(b"{}",))


class Away:
    """A store that does not answer."""

    def commit(self, commits):
        """Raises."""
        raise StoreUnavailableError("flow", "refused")


def test_commits_and_lost_races_are_told_apart():
    """Of three commits of two batches, one meets what another has written."""
    store = MeteredEventStore(MemoryEventStore(MemoryBackend()), "flow")
    with growth() as grown:
        store.commit([BEGIN])
        store.commit([BEGIN, Commit(stream_id=flow_stream("g"), expected_sequence=0, events=(b"{}",))])
    assert 2.0 == grown.of("argyll_commits_total", store="flow")
    assert 1.0 == grown.of("argyll_commit_conflicts_total", store="flow")
    assert 2.0 == grown.of("argyll_commit_batch_size_count", store="flow")
    assert 3.0 == grown.of("argyll_commit_batch_size_sum", store="flow")
    assert 2.0 == grown.of("argyll_store_latency_seconds_count", store="flow", operation="commit")


def test_what_is_read_is_what_the_store_has():
    """Loading and reading pass through, and are timed each under its name."""
    inner = MemoryEventStore(MemoryBackend())
    store = MeteredEventStore(inner, "engine")
    inner.commit([BEGIN])
    with growth() as grown:
        assert inner.load([LoadRequest(stream_id=STREAM)]) == store.load([LoadRequest(stream_id=STREAM)])
        assert inner.read_log(STREAM) == store.read_log(STREAM)
    counted = {
        operation: grown.of("argyll_store_latency_seconds_count", store="engine", operation=operation)
        for operation in ("load", "read_log", "commit")
    }
    assert {"load": 1.0, "read_log": 1.0, "commit": 0.0} == counted


def test_a_store_that_is_away_is_an_error_and_still_progress():
    """Who waits for Redis is not stuck."""
    before = PROGRESS.trips
    with growth() as grown, pytest.raises(StoreUnavailableError):
        MeteredEventStore(Away(), "flow").commit([BEGIN])
    assert 1.0 == grown.of("argyll_store_errors_total", store="flow")
    assert before < PROGRESS.trips
