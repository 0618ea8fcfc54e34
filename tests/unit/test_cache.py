# SPDX-License-Identifier: Apache-2.0
"""What the cache of projections keeps and what it drops."""

from argyll_engine.cache import ProjectionCache
from argyll_engine.model.ids import CATALOG_STREAM, StreamID, flow_stream

A, B, C = (flow_stream(name) for name in "abc")


def _cache(*streams: StreamID, capacity: int = 2) -> ProjectionCache[str]:
    cache: ProjectionCache[str] = ProjectionCache(capacity)
    for stream in streams:
        cache.put(stream, stream[-1], 1)
    return cache


def test_kept_state_comes_back_with_its_sequence() -> None:
    """A state is given back as it was put; what was never put is not there."""
    cache = _cache(CATALOG_STREAM)
    assert cache.get(CATALOG_STREAM) == ("catalog", 1, b"")
    assert cache.get(A) is None


def test_least_recently_used_is_dropped_first() -> None:
    """Reading and writing a stream keep it; the one untouched for longest goes."""
    cache = _cache(A, B)
    cache.get(A)
    cache.put(C, "c", 1)
    assert [cache.get(stream) for stream in (A, B, C)] == [("a", 1, b""), None, ("c", 1, b"")]
    cache.put(A, "a2", 2)
    cache.put(B, "b", 1)
    assert [cache.get(stream) for stream in (A, B, C)] == [("a2", 2, b""), ("b", 1, b""), None]


def test_size_never_passes_the_capacity() -> None:
    """However much is put, no more than the capacity is kept; with none, nothing is."""
    assert len(_cache(A, B, C, A)) == 2
    assert len(_cache(A, capacity=0)) == 0


def test_older_state_does_not_replace_a_newer_one() -> None:
    """A thread that comes late does not take the cache back; one at the same sequence may refresh it."""
    cache = _cache(A)
    cache.put(A, "newer", 5)
    cache.put(A, "older", 4)
    assert cache.get(A) == ("newer", 5, b"")
    cache.put(A, "again", 5)
    assert cache.get(A) == ("again", 5, b"")


def test_dropped_state_is_gone_and_may_come_back_older() -> None:
    """After a drop the next state is kept, whatever its sequence; dropping twice is the same."""
    cache = _cache(A)
    cache.drop(A)
    cache.drop(A)
    assert cache.get(A) is None
    cache.put(A, "reloaded", 0)
    assert cache.get(A) == ("reloaded", 0, b"")
