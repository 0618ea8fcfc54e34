# SPDX-License-Identifier: Apache-2.0
"""Archived flows past `ARCHIVE_RETENTION` go for good: object, digest and index. One process at a time does it.

Called by the task that beat sends to the archivers, and by the console. Off unless a retention is set.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from itertools import compress
from threading import Event
from typing import Final

from argyll_archiver.meter import note_retention_failure
from argyll_engine.archive_changes import ArchiveChanges
from argyll_engine.errors import ArgyllError
from argyll_engine.model.digest import SeenFlow
from argyll_engine.model.ids import FlowID
from argyll_engine.ports import Clock, WorkLeases

LEASE: Final = "archive-retention"
AT_ONCE: Final = 1_000
"""Flows, children included, that are forgotten in one step with one record, unless one family alone has more."""
BATCH: Final = AT_ONCE
"""Root flows that are looked for at a time."""
THREADS: Final = 8
MILLISECOND: Final = timedelta(milliseconds=1)

_CHANGED: Final = "it was changed meanwhile; the next sweep looks again"


class Retention:
    """Expires archived flows.

    Args:
        retention_seconds: How long after its deactivation an archived flow stays; zero or less for ever.
        lease_seconds: After this long another process may go on where one was lost; no batch takes longer.
    """

    def __init__(
        self,
        *,
        changes: ArchiveChanges,
        leases: WorkLeases,
        clock: Clock,
        retention_seconds: float,
        lease_seconds: float,
    ) -> None:
        self._changes, self._leases, self._clock = changes, leases, clock
        self._retention = timedelta(seconds=retention_seconds)
        self._lease = timedelta(seconds=lease_seconds)
        self._stopping = Event()
        self._threads = ThreadPoolExecutor(THREADS, "retention")  # for good: pools that come and go make memory grow

    @property
    def is_on(self) -> bool:
        """Whether anything ever expires."""
        return self._retention > timedelta(0)

    def due(self, limit: int) -> Sequence[FlowID]:
        """Root flows that would expire now, oldest first. Raises StoreUnavailableError."""
        return self._changes.expired(self._before(), limit) if self.is_on else ()

    def sweep(self) -> int:
        """How many root flows have expired; none where another process is at it. Raises StoreUnavailableError."""
        if not self.is_on:
            return 0
        owner = uuid.uuid4().hex
        gone = 0
        try:
            left = 0  # flows that cannot go, at the head of the line: they do not keep the others
            while not self._stopping.is_set() and self._leases.acquire_lease(LEASE, owner, self._lease // MILLISECOND):
                until = self._clock.now() + self._lease
                due = self.due(left + BATCH)[left:]
                expired = self._expire(due, until) if due else 0
                gone += expired
                is_cut = self._clock.now() > until
                if not expired or (len(due) < BATCH and not is_cut):
                    break
                left += 0 if is_cut else len(due) - expired
        finally:
            self._leases.release_lease(LEASE, owner)
        return gone

    def stop(self, **_signal: object) -> None:
        """No further flow goes but those whose objects are gone already."""
        self._stopping.set()

    def _before(self) -> datetime:
        return self._clock.now() - self._retention

    def _expire(self, flow_ids: Sequence[FlowID], until: datetime) -> int:
        """How many of these root flows are gone."""
        families: list[Sequence[SeenFlow]] = []
        for flow_id, found in zip(flow_ids, self._changes.expiring(flow_ids, self._before()), strict=True):
            if isinstance(found, ArgyllError):
                note_retention_failure(flow_id, str(found))
            elif found:
                families.append(found)
        are_gone = list(self._threads.map(partial(self._delete_objects, until), families))
        return sum(map(self._forget, _groups(compress(families, are_gone))))

    def _forget(self, group: Sequence[Sequence[SeenFlow]]) -> int:
        """How many families of a group are gone. Halves lead to the one that has changed meanwhile; it stays."""
        if self._changes.expire([flow for family in group for flow in family]):
            return len(group)
        if len(group) > 1:
            middle = len(group) // 2
            return self._forget(group[:middle]) + self._forget(group[middle:])
        note_retention_failure(group[0][0].digest.flow_id, _CHANGED)
        return 0

    def _delete_objects(self, until: datetime, family: Sequence[SeenFlow]) -> bool:
        """Whether a family's objects are gone now; when time is over a target that hangs is asked no more."""
        if self._stopping.is_set() or self._clock.now() > until:
            return False
        try:
            self._changes.delete_objects(family)
        except ArgyllError as exc:  # whatever it is, the others of the batch are to go
            note_retention_failure(family[0].digest.flow_id, str(exc))
            return False
        return True


def _groups(families: Iterable[Sequence[SeenFlow]]) -> Iterator[list[Sequence[SeenFlow]]]:
    """The families in groups of a bounded number of flows."""
    group: list[Sequence[SeenFlow]] = []
    for family in families:
        if group and sum(map(len, group)) + len(family) > AT_ONCE:
            yield group
            group = []
        group.append(family)
    if group:
        yield group
