# SPDX-License-Identifier: Apache-2.0
"""Archived flows past `ARCHIVE_RETENTION` go for good: object, digest and index. One process at a time does it.

Called by the task that beat sends to the archivers, and by the console. Off unless a retention is set.
"""

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Final

from argyll_engine import log as logs
from argyll_engine.archive_changes import ArchiveChanges
from argyll_engine.errors import ArgyllError, StoreUnavailableError
from argyll_engine.model.ids import FlowID
from argyll_engine.ports import Clock, WorkLeases

LEASE: Final = "archive-retention"
BATCH: Final = 200
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
            while self._leases.acquire_lease(LEASE, owner, self._lease_ms):
                due = self.due(BATCH)
                expired = self._expire(due) if due else 0
                gone += expired
                if expired < BATCH:
                    break
        finally:
            self._leases.release_lease(LEASE, owner)
        if gone:
            _log.info("archive_expired", flows=gone)
        return gone

    def _before(self) -> datetime:
        return self._clock.now() - self._retention

    def _expire(self, flow_ids: Sequence[FlowID]) -> int:
        with ThreadPoolExecutor(THREADS, "retention") as pool:
            return sum(pool.map(self._is_expired, flow_ids))

    def _is_expired(self, flow_id: FlowID) -> bool:
        try:
            return bool(self._changes.expire(flow_id))
        except StoreUnavailableError:
            raise
        except ArgyllError as exc:
            _log.warning(FAILURE, flow_id=flow_id, cause="retention", reason=str(exc))
            return False
