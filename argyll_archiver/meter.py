# SPDX-License-Identifier: Apache-2.0
"""What archiving has done, as log lines and metrics: one line a batch and one a flow that could not be archived.

Called by `batches.py` and `archiver.py`. No decision rests on anything here.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from argyll_engine import log
from argyll_engine.metrics import instruments
from argyll_engine.model.ids import FlowID

FAILURE: Final = "archive job failed"
"""The words of the line of a failure. Source: the contract, ops §5.2."""

SHOWN_IDS: Final = 20
"""Ids in the line of a batch at most; what was archived is in the archive, under its day."""

_log = log.get(__name__)


@dataclass(slots=True, kw_only=True)
class Tally:
    """What one batch came to: root flows and children together; `failures` by cause.

    `children` are those that were leased beside what was chosen. `is_named` where these very flows were asked
    for, now or from an archiver that was lost, and nobody has looked whether they have ended.
    """

    owner: str
    chosen: tuple[FlowID, ...]
    is_named: bool = False
    children: tuple[FlowID, ...] = ()
    archived: list[FlowID] = field(default_factory=list)
    archived_bytes: int = 0
    conflicts: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def is_refused(self) -> bool:
        """Whether the target has taken nothing, so that another batch would fare no better."""
        return self.failures["target"] > 0 and not self.archived


def note_failure(tally: Tally, flow_id: FlowID, cause: str, reason: str) -> None:
    """Say that a flow could not be archived; `cause` is `target`, `verify` or `other`."""
    tally.failures[cause] += 1
    instruments.ARCHIVE_FAILURES.labels(cause).inc()
    _log.warning(FAILURE, flow_id=flow_id, cause=cause, reason=reason, owner=tally.owner)


def note_lost_store(tally: Tally, reason: str) -> None:
    """Say that the store went away under a batch: nobody knows yet which of its flows are archived."""
    unsure = [flow_id for flow_id in tally.chosen + tally.children if flow_id not in tally.archived]
    instruments.ARCHIVE_FAILURES.labels("store").inc(len(unsure))
    shown = " ".join(unsure[:SHOWN_IDS])
    _log.warning(FAILURE, flow_ids=shown, flows=len(unsure), cause="store", reason=reason, owner=tally.owner)


def note_retention_failure(flow_id: FlowID, reason: str) -> None:
    """Say that a flow past its retention is still there."""
    instruments.ARCHIVE_FAILURES.labels("retention").inc()
    _log.warning(FAILURE, flow_id=flow_id, cause="retention", reason=reason)


def note_batch(reason: str, tally: Tally, seconds: float) -> None:
    """Say what a batch came to."""
    instruments.ARCHIVED_FLOWS.labels(reason).inc(len(tally.archived))
    instruments.ARCHIVED_BYTES.inc(tally.archived_bytes)
    instruments.ARCHIVE_DURATION.observe(seconds)
    instruments.ARCHIVE_LEASE_CONFLICTS.inc(tally.conflicts)
    _log.info(
        "flows_archived",
        reason=reason,
        chosen=len(tally.chosen),
        archived=len(tally.archived),
        bytes=tally.archived_bytes,
        failed=tally.failures.total(),
        conflicts=tally.conflicts,
        duration_ms=round(seconds * 1_000),
        flow_ids=" ".join(tally.archived[:SHOWN_IDS]),
        owner=tally.owner,
    )


def note_backlog(count: int, oldest_at: datetime | None, due_at: datetime) -> None:
    """Say how many flows are due for the archive, and for how long the oldest has been."""
    waiting = (due_at - oldest_at).total_seconds() if oldest_at else 0.0
    instruments.ARCHIVE_BACKLOG.set(count)
    instruments.ARCHIVE_OLDEST.set(max(waiting, 0.0))
