# SPDX-License-Identifier: Apache-2.0
"""The memory store, counting round trips. For tests of what goes together."""

from collections.abc import Sequence

from argyll_engine.ports import Commit, CommitResult, LoadRequest, Stream
from argyll_engine.store.memory import MemoryEventStore


class CountingStore(MemoryEventStore):
    """Counts round trips, and how many flows each was about."""

    loads: list[int]
    commits: list[int]

    def load(self, requests: Sequence[LoadRequest]) -> Sequence[Stream]:
        """See the port."""
        self.loads.append(len(requests))
        return super().load(requests)

    def commit(self, commits: Sequence[Commit]) -> Sequence[CommitResult]:
        """See the port."""
        self.commits.append(len(commits))
        return super().commit(commits)
