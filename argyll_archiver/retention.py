# SPDX-License-Identifier: Apache-2.0
"""Archived flows past `ARCHIVE_RETENTION` go for good: object, digest and index. One process at a time does it.

Called by the task that beat sends to the archivers, and by the console. Off unless a retention is set.
"""

import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Final

from argyll_engine import log as logs
from argyll_engine.archive_changes import ArchiveChanges
from argyll_engine.errors import ArgyllError, FlowNotEndedError, StoreUnavailableError
from argyll_engine.model.digest import FlowDigest
from argyll_engine.model.ids import FlowID, is_child
from argyll_engine.ports import Clock, WorkLeases

LEASE: Final = "archive-retention"
BATCH: Final = 500
AT_ONCE: Final = 1_000
"""Flows, children included, that are forgotten in one step, unless one family alone has more."""
THREADS: Final = 8
FAILURE: Final = "archive job failed"

_log = logs.get(__name__)


class Retention:
    """Expires archived flows.

    Args:
        retention_seconds: How long after its deactivation an archived flow stays; zero or less for ever.
        lease_seconds: After this long another process may go on where one was lost.
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
        self._lease_ms = int(lease_seconds * 1_000)

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
            while self._leases.acquire_lease(LEASE, owner, self._lease_ms):
                due = self.due(left + BATCH)[left:]
                expired = self._expire(due) if due else 0
                gone += expired
                left += len(due) - expired
                if not expired or len(due) < BATCH:
                    break
        finally:
            self._leases.release_lease(LEASE, owner)
        return gone

    def _before(self) -> datetime:
        return self._clock.now() - self._retention

    def _expire(self, flow_ids: Sequence[FlowID]) -> int:
        """How many of these root flows are gone."""
        with ThreadPoolExecutor(THREADS, "retention") as pool:
            families = [family for family in pool.map(self._without_objects, flow_ids) if family]
        return sum(self._forget(group) for group in _groups(families))

    def _forget(self, group: Sequence[FlowDigest]) -> int:
        """How many root flows of a group are gone: all or none."""
        roots = [digest.flow_id for digest in group if not is_child(digest.flow_id)]
        try:
            self._changes.expire(group)
        except FlowNotEndedError as exc:
            _log.warning(FAILURE, flow_id=" ".join(roots), cause="retention", reason=str(exc))
            return 0
        return len(roots)

    def _without_objects(self, flow_id: FlowID) -> Sequence[FlowDigest]:
        try:
            return self._changes.begin_expiry(flow_id)
        except StoreUnavailableError:
            raise
        except ArgyllError as exc:
            _log.warning(FAILURE, flow_id=flow_id, cause="retention", reason=str(exc))
            return ()


def _groups(families: Sequence[Sequence[FlowDigest]]) -> Iterator[list[FlowDigest]]:
    """The flows, whole families together, in groups of bounded size."""
    group: list[FlowDigest] = []
    for family in families:
        if group and len(group) + len(family) > AT_ONCE:
            yield group
            group = []
        group += family
    if group:
        yield group
