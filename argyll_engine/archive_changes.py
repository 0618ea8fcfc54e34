# SPDX-License-Identifier: Apache-2.0
"""What people do to archived flows: bring one back, erase one for good, let the old ones go. A flow takes its children.

Called by the API, the console and the retention task; whatever is done here may be done again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from argyll_engine import log as logs
from argyll_engine.archived_flows import NoArchive, read_events
from argyll_engine.codec import digest_from_text, time_to_json
from argyll_engine.errors import (
    ArchiveUnavailableError,
    ArgyllError,
    DamagedArchiveError,
    FlowNotEndedError,
    FlowNotFoundError,
    InvalidRequestError,
    TransientError,
)
from argyll_engine.model.digest import (
    MAX_REASON_CHARACTERS,
    AuditRecord,
    FlowDigest,
    KeptFlow,
    ObjectPlace,
    RestoredFlow,
    SeenFlow,
    digest_of,
)
from argyll_engine.model.flow import FlowState
from argyll_engine.model.ids import FlowID, flow_stream, is_child, root_of
from argyll_engine.ports import Archive, ArchiveStore, Clock
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


def _remember_nothing(_flow_id: FlowID) -> None:
    """For a process that keeps nothing of flows but what it is given here."""


class ArchiveChanges:
    """Restores, erases and expires flows.

    Args:
        on_gone: Is told of each flow that is gone for good, to forget what else the process has of it.
    """

    def __init__(
        self,
        *,
        store: ArchiveStore,
        access: ArchiveAccess,
        flows: Projections[FlowState],
        clock: Clock,
        on_gone: Callable[[FlowID], None] = _remember_nothing,
    ) -> None:
        self._store, self._archive, self._flows, self._clock = store, access.archive, flows, clock
        self._on_gone = on_gone
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
            family = self._family(root_id)
            digests = tuple(digest for digest in self._store.digests(family) if digest is not None)
            if flow_id not in family:
                raise FlowNotFoundError(flow_id)
            if not digests:
                self._check_is_there(flow_id)
                return ()
            flows = self._read_all(digests)
            if flows and self._store.restore(flows, self._rest_ms):
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
        flows = meant = self._seen(flow_id)
        for _ in range(_RACES):
            self.delete_objects(flows)
            if self._forget(flows, ERASED, reason):
                return tuple(flow.digest.flow_id for flow in flows)
            flows = self._seen(flow_id)
            if flows[0].digest.created_at != meant[0].digest.created_at:
                raise FlowNotFoundError(flow_id)  # somebody else has erased it, and its id is that of another flow
        raise ArchiveUnavailableError(flow_id, "the flow was changed again and again meanwhile")

    def expired(self, before: datetime, limit: int) -> Sequence[FlowID]:
        """Archived root flows that were deactivated before a time, oldest first."""
        return [each.flow_id for each in self._store.archived(before, limit)]

    def expiring(self, flow_ids: Sequence[FlowID], before: datetime) -> list[tuple[SeenFlow, ...] | ArgyllError]:
        """Of each archived root flow that was deactivated before a time, it and its children as they are now.

        Empty if it was brought back or erased since it was looked for, or its id is that of a newer flow; an error if a
        child goes on or cannot be read, for that concerns this family only.

        Raises StoreUnavailableError.
        """
        families = self._families(flow_ids)
        kept = iter(self._store.kept([flow_id for family in families for flow_id in family]))
        return [self._expiring(family, list(islice(kept, len(family))), before) for family in families]

    def delete_objects(self, flows: Sequence[SeenFlow]) -> None:
        """They go first: a digest without its object can be erased again, an object without a digest is unknown.

        Raises ArchiveUnavailableError.
        """
        for flow in flows:
            self._archive.delete(flow.digest)
            for place in flow.objects:
                self._archive.delete_former(place)

    def expire(self, flows: Sequence[SeenFlow]) -> bool:
        """Whether these flows, whose objects are gone, were forgotten; none of them if one is no longer as it was.

        Raises:
            ArchiveUnavailableError, StoreUnavailableError: Try again.
        """
        return self._forget(flows, EXPIRED, "ARCHIVE_RETENTION")

    def audit(self, after: str, limit: int) -> Sequence[AuditRecord]:
        """The oldest records of the audit log after a position."""
        return self._store.audit(after, limit)

    # ---- parts ----

    def _family(self, root_id: FlowID) -> tuple[FlowID, ...]:
        (family,) = self._families([root_id])
        return family

    def _families(self, root_ids: Sequence[FlowID]) -> list[tuple[FlowID, ...]]:
        return [(root_id, *found) for root_id, found in zip(root_ids, self._store.family(root_ids), strict=True)]

    def _read_all(self, digests: Sequence[FlowDigest]) -> list[RestoredFlow]:
        """The flows as they are put back; none if one was erased since its digest was read.

        Raises what `read_events` raises.
        """
        try:
            return [
                RestoredFlow(digest=each, events=read_events(self._archive, each), place=self._archive.place(each))
                for each in digests
            ]
        except DamagedArchiveError:
            if tuple(self._store.digests([each.flow_id for each in digests])) == tuple(digests):
                raise
            return []

    def _check_is_there(self, flow_id: FlowID) -> None:
        (projection,) = self._flows.load([flow_stream(flow_id)])
        if projection.next_sequence == 0:
            raise FlowNotFoundError(flow_id)

    def _expiring(
        self, family: Sequence[FlowID], kept: Sequence[KeptFlow], before: datetime
    ) -> tuple[SeenFlow, ...] | ArgyllError:
        digest = kept[0].digest
        if digest is None or digest.deactivated_at >= before:
            return ()
        try:
            return self._seen_family(family, kept)
        except TransientError:
            raise
        except ArgyllError as exc:
            return exc

    def _seen(self, root_id: FlowID) -> tuple[SeenFlow, ...]:
        """A root flow and its children as they are now.

        Raises:
            FlowNotFoundError, FlowNotEndedError
        """
        family = self._family(root_id)
        return self._seen_family(family, self._store.kept(family))

    def _seen_family(self, family: Sequence[FlowID], kept: Sequence[KeptFlow]) -> tuple[SeenFlow, ...]:
        flows: list[SeenFlow] = []
        for flow_id, each in zip(family, kept, strict=True):
            if each.digest is not None:
                flows.append(SeenFlow(digest=each.digest, is_archived=True, objects=each.objects))
            else:
                flows += self._seen_live(flow_id, each.objects, is_root=flow_id == family[0])
        return tuple(flows)

    def _seen_live(self, flow_id: FlowID, objects: tuple[ObjectPlace, ...], *, is_root: bool) -> tuple[SeenFlow, ...]:
        """A flow that was live a moment ago; none for a child that is not there."""
        (projection,) = self._flows.load([flow_stream(flow_id)])
        state = projection.state
        if projection.digest is not None:  # it has been archived since it was looked for
            return (SeenFlow(digest=digest_from_text(projection.digest), is_archived=True, objects=objects),)
        if state is None and is_root:
            raise FlowNotFoundError(flow_id)
        if state is None:
            return ()
        if state.deactivated_at is None:
            raise FlowNotEndedError(flow_id)
        outline = digest_of(state, state.deactivated_at, projection.next_sequence)
        return (SeenFlow(digest=outline, is_archived=False, mark=projection.mark, objects=objects),)

    def _forget(self, flows: Sequence[SeenFlow], action: str, reason: str) -> bool:
        """Whether all of these flows are forgotten now; none is, if one has changed since it was seen."""
        record = self._record(flows, action, reason)
        if not self._store.erase(flows, record):
            return False
        flow_ids = [flow.digest.flow_id for flow in flows]
        log.info("flows_" + action, **record)
        if action == EXPIRED:
            log.debug("expired_flow_ids", flow_ids=" ".join(flow_ids))
        for flow_id in flow_ids:
            self._flows.forget(flow_stream(flow_id))
            self._on_gone(flow_id)
        # once more for those that an archiver may have written meanwhile, unless the id is in use again
        live = [flow for flow in flows if not flow.is_archived]
        used = self._store.digests([flow.digest.flow_id for flow in live]) if live else ()
        self.delete_objects([flow for flow, digest in zip(live, used, strict=True) if digest is None])
        return True

    def _record(self, flows: Sequence[SeenFlow], action: str, reason: str) -> Mapping[str, str]:
        """What the audit log says: numbers, and the ids of root flows that somebody named; nothing of what flows held.

        It is never trimmed, so what goes by itself, without end, leaves no ids there.
        """
        digests = [flow.digest for flow in flows]
        roots = [digest.flow_id for digest in digests if not is_child(digest.flow_id)]
        return {
            "action": action,
            **({"flow_ids": " ".join(roots)} if action == ERASED else {}),
            "at": time_to_json(self._clock.now()),
            "flows": str(len(flows)),
            "events": str(sum(digest.event_count for digest in digests)),
            "objects": str(sum(1 for flow in flows if flow.is_archived or flow.objects)),
            "reason": reason,
        }
