# SPDX-License-Identifier: Apache-2.0
"""What people do to archived flows: bring one back, erase one for good, let the old ones go. A flow takes its children.

Called by the API, the console and the retention task; whatever is done here may be done again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from argyll_engine import log as logs
from argyll_engine.archived_flows import NoArchive, read_events
from argyll_engine.codec import time_to_json
from argyll_engine.errors import ArchiveUnavailableError, FlowNotEndedError, FlowNotFoundError, InvalidRequestError
from argyll_engine.model.digest import MAX_REASON_CHARACTERS, FlowDigest, digest_of
from argyll_engine.model.flow import FlowState
from argyll_engine.model.ids import FlowID, flow_stream, is_child, root_of
from argyll_engine.ports import Archive, ArchiveStore, AuditRecord, Clock, RestoredFlow
from argyll_engine.projections import Projections

SHORTEST_REST: Final = timedelta(minutes=1)
"""A restored flow stays at least so long, even where flows are archived as soon as they end."""

ERASED: Final = "erased"
EXPIRED: Final = "expired"
_RACES: Final = 5

log = logs.get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveAccess:
    """What an entry point knows of the archive, and the engine does not: its objects, and how long to leave a restored
    flow alone."""

    archive: Archive = field(default_factory=NoArchive)
    rest: timedelta = SHORTEST_REST


class ArchiveChanges:
    """Restores, erases and expires flows."""

    def __init__(
        self,
        *,
        store: ArchiveStore,
        access: ArchiveAccess,
        flows: Projections[FlowState],
        clock: Clock,
    ) -> None:
        self._store, self._archive, self._flows, self._clock = store, access.archive, flows, clock
        self._rest_ms = int(max(access.rest, SHORTEST_REST).total_seconds() * 1_000)

    def restore(self, flow_id: FlowID) -> tuple[FlowID, ...]:
        """The flows that came back: the root of a flow and its children, as far as they were archived; all or none.

        Raises:
            FlowNotFoundError: There is no such flow, live or archived.
            ArchiveUnavailableError, StoreUnavailableError: Nothing has changed; try again later.
            DamagedArchiveError: Nothing has changed.
        """
        root_id = root_of(flow_id)
        for _ in range(_RACES):
            digests = self._digests(root_id)
            if not digests:
                self._check_is_there(flow_id)
                return ()
            flows = [RestoredFlow(digest=each, events=read_events(self._archive, each)) for each in digests]
            if self._store.restore(flows, self._rest_ms):
                log.info("flows_restored", flow_id=root_id, flows=len(flows))
                return tuple(each.flow_id for each in digests)
        raise ArchiveUnavailableError(digests[0].object_key, "the flow was changed again and again meanwhile")

    def erase(self, flow_id: FlowID, reason: str = "") -> tuple[FlowID, ...]:
        """The flows that were erased everywhere: a deactivated root flow and its children. Its id is free then.

        Args:
            reason: Why, for the audit log.

        Raises:
            InvalidRequestError: It is a child, which goes with its root, or the reason is too long.
            FlowNotFoundError: There is no such flow.
            FlowNotEndedError: It, or a child, is not deactivated.
            ArchiveUnavailableError, StoreUnavailableError: Try again; what is erased already does no harm.
        """
        if is_child(flow_id):
            raise InvalidRequestError(f"a child flow is erased with its root: {root_of(flow_id)}")
        if len(reason) > MAX_REASON_CHARACTERS:
            raise InvalidRequestError(f"the reason is longer than {MAX_REASON_CHARACTERS} characters")
        flows = self._outlines(flow_id)
        self._delete_objects(flows)
        self._forget(flows, ERASED, reason)
        return tuple(digest.flow_id for digest in flows)

    def expired(self, before: datetime, limit: int) -> Sequence[FlowID]:
        """Archived root flows that were deactivated before a time, oldest first."""
        return [each.flow_id for each in self._store.archived(before, limit)]

    def begin_expiry(self, flow_id: FlowID) -> tuple[FlowDigest, ...]:
        """An archived root flow and its children, whose objects are gone now; none if it was brought back or erased.

        Raises:
            FlowNotEndedError: A child goes on.
            ArchiveUnavailableError, StoreUnavailableError: Try again.
        """
        (digest,) = self._store.digests([flow_id])
        if digest is None:
            return ()
        flows = self._outlines(flow_id)
        self._delete_objects(flows)
        return flows

    def expire(self, flows: Sequence[FlowDigest]) -> None:
        """Forget flows whose objects are gone, all at once: each time, every process drops the states that it keeps.

        Raises:
            FlowNotEndedError: One of the ids is in use again; nothing has changed.
            ArchiveUnavailableError, StoreUnavailableError: Try again.
        """
        self._forget(flows, EXPIRED, "ARCHIVE_RETENTION")

    def audit(self, after: str, limit: int) -> Sequence[AuditRecord]:
        """The oldest records of the audit log after a position."""
        return self._store.audit(after, limit)

    # ---- parts ----

    def _family(self, root_id: FlowID) -> tuple[FlowID, ...]:
        (children,) = self._store.family([root_id])
        return (root_id, *children)

    def _digests(self, root_id: FlowID) -> tuple[FlowDigest, ...]:
        """Those of a root flow and its children that are archived."""
        return tuple(digest for digest in self._store.digests(self._family(root_id)) if digest is not None)

    def _check_is_there(self, flow_id: FlowID) -> None:
        (projection,) = self._flows.load([flow_stream(flow_id)])
        if projection.next_sequence == 0:
            raise FlowNotFoundError(flow_id)

    def _outlines(self, root_id: FlowID) -> tuple[FlowDigest, ...]:
        """The digests of a root flow and its children, as if all of them were archived.

        Raises:
            FlowNotFoundError, FlowNotEndedError
        """
        family = self._family(root_id)
        outlines: list[FlowDigest] = []
        for flow_id, digest in zip(family, self._store.digests(family), strict=True):
            outlines += (digest,) if digest else self._outline(flow_id, is_root=flow_id == root_id)
        return tuple(outlines)

    def _outline(self, flow_id: FlowID, *, is_root: bool) -> tuple[FlowDigest, ...]:
        """That of a live flow; none for a child that is not there."""
        (projection,) = self._flows.load([flow_stream(flow_id)])
        state = projection.state
        if state is None and is_root:
            raise FlowNotFoundError(flow_id)
        if state is None:
            return ()
        if state.deactivated_at is None:
            raise FlowNotEndedError(flow_id)
        return (digest_of(state, state.deactivated_at, projection.next_sequence),)

    def _delete_objects(self, flows: Sequence[FlowDigest]) -> None:
        """They go first: a digest without its object can be erased again, an object without a digest is unknown."""
        for digest in flows:
            self._archive.delete(digest)

    def _forget(self, flows: Sequence[FlowDigest], action: str, reason: str) -> None:
        record = self._record(flows, action, reason)
        if not self._store.erase({digest.flow_id: digest.labels for digest in flows}, record):
            raise FlowNotEndedError(flows[0].flow_id)  # somebody else has erased it, and its id is in use again
        log.info("flows_" + action, **record)
        # once more for those that an archiver may have written meanwhile, unless the id is in use again
        used_again = self._store.digests([digest.flow_id for digest in flows])
        unsure = zip(flows, used_again, strict=True)
        self._delete_objects([digest for digest, used in unsure if used is None and not digest.object_key])

    def _record(self, flows: Sequence[FlowDigest], action: str, reason: str) -> Mapping[str, str]:
        """What the audit log says: ids of root flows, and numbers; nothing of what the flows held."""
        return {
            "action": action,
            "flow_ids": " ".join(digest.flow_id for digest in flows if not is_child(digest.flow_id)),
            "at": time_to_json(self._clock.now()),
            "flows": str(len(flows)),
            "events": str(sum(digest.event_count for digest in flows)),
            "objects": str(sum(1 for digest in flows if digest.object_key)),
            "reason": reason,
        }
