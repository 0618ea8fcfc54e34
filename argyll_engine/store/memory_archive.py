# SPDX-License-Identifier: Apache-2.0
"""Ended flows, digests and jobs of archiving in memory, with the promises of those on Redis. Called by tests."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic

from argyll_engine.codec.wire import milliseconds
from argyll_engine.feed_port import ERASED_SEQUENCE
from argyll_engine.model.digest import AuditRecord, EndedFlow, FlowDigest, KeptFlow, RestoredFlow, SeenFlow
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID, flow_stream, is_child
from argyll_engine.model.vitals import MemoryUse
from argyll_engine.store.memory import MemoryBackend

_NOBODY = ""


def _monotonic_ms() -> int:
    return int(monotonic() * 1_000)


class MemoryArchiveStore:
    """Implements `ports.ArchiveStore`; `use` is what it says of memory."""

    def __init__(self, backend: MemoryBackend, clock_ms: Callable[[], int] = _monotonic_ms) -> None:
        self._backend, self._clock_ms = backend, clock_ms
        self.use = MemoryUse(used_bytes=0, limit_bytes=0)

    def candidates(self, before: datetime | None, limit: int) -> Sequence[EndedFlow]:
        """Live root flows that were deactivated before a time, oldest first."""
        with self._backend.lock:
            return ended_flows(self._backend, before, is_archived=False)[:limit]

    def archived(self, before: datetime | None, limit: int) -> Sequence[EndedFlow]:
        """Archived root flows that were deactivated before a time, oldest first."""
        with self._backend.lock:
            return ended_flows(self._backend, before, is_archived=True)[:limit]

    def family(self, flow_ids: Sequence[FlowID]) -> Sequence[tuple[FlowID, ...]]:
        """The children of each root flow, sorted."""
        with self._backend.lock:
            known = sorted(self._backend.flows)
        return tuple(tuple(each for each in known if each.startswith(f"{flow_id}:")) for flow_id in flow_ids)

    def digests(self, flow_ids: Sequence[FlowID]) -> Sequence[FlowDigest | None]:
        """The digest of each flow; None for one that is not archived."""
        with self._backend.lock:
            return tuple(self._backend.digests.get(flow_stream(flow_id)) for flow_id in flow_ids)

    def kept(self, flow_ids: Sequence[FlowID]) -> Sequence[KeptFlow]:
        """The same, with the objects that each flow had before."""
        with self._backend.lock:
            objects = [self._backend.former_objects.get(flow_id, ()) for flow_id in flow_ids]
        return tuple(
            KeptFlow(digest=digest, objects=tuple(former))
            for digest, former in zip(self.digests(flow_ids), objects, strict=True)
        )

    def restore(self, flows: Sequence[RestoredFlow], rest_ms: int) -> bool:
        """Whether all of these flows are live now."""
        with self._backend.lock:
            if not all(map(self._fits, flows)):
                return False
            for flow in flows:
                self._restore(flow, self._clock_ms() + rest_ms)
        return True

    def erase(self, flows: Sequence[SeenFlow], record: Mapping[str, str]) -> bool:
        """Whether these flows are forgotten, and the record is in the audit log."""
        backend = self._backend
        with backend.lock:
            if not all(map(self._is_as_seen, flows)):
                return False
            for flow_id in (flow.digest.flow_id for flow in flows):
                backend.logs.pop(flow_stream(flow_id), None)
                backend.digests.pop(flow_stream(flow_id), None)
                backend.note(flow_stream(flow_id), ERASED_SEQUENCE, ERASED_SEQUENCE + 1)
                for kept in (backend.flows, backend.labels, backend.due, backend.claims, backend.archiving):
                    kept.pop(flow_id, None)
                backend.former_objects.pop(flow_id, None)
            backend.audit.append(AuditRecord(position=f"{len(backend.audit) + 1}-0", members=dict(record)))
        return True

    def audit(self, after: str, limit: int) -> Sequence[AuditRecord]:
        """The oldest records after a position."""
        with self._backend.lock:
            first = int(after.partition("-")[0]) if after else 0
            return tuple(self._backend.audit[first : first + limit])

    def memory(self) -> MemoryUse:
        """What `use` says."""
        return self.use

    def _fits(self, flow: RestoredFlow) -> bool:
        stream_id = flow_stream(flow.digest.flow_id)
        digest, log = self._backend.digests.get(stream_id), self._backend.logs.get(stream_id)
        if digest is not None:
            return digest == flow.digest
        return log is not None and len(log.events) == len(flow.events)

    def _is_as_seen(self, flow: SeenFlow) -> bool:
        stream_id = flow_stream(flow.digest.flow_id)
        digest, log = self._backend.digests.get(stream_id), self._backend.logs.get(stream_id)
        if flow.is_archived or digest is not None:
            return flow.is_archived and digest == flow.digest
        events = log.events if log else []
        return len(events) == flow.digest.event_count and all(event.startswith(flow.mark) for event in events[-1:])

    def _restore(self, flow: RestoredFlow, until_ms: int) -> None:
        flow_id = flow.digest.flow_id
        if self._backend.digests.pop(flow_stream(flow_id), None) is None:
            return
        log = self._backend.logs[flow_stream(flow_id)]
        log.events, log.trimmed = list(flow.events), 0
        former = self._backend.former_objects.setdefault(flow_id, [])
        former += [flow.place] if flow.place not in former else []
        if not is_child(flow_id):
            self._backend.archiving[flow_id] = (_NOBODY, until_ms)


class MemoryArchiveJobs:
    """Implements `ports.ArchiveJobs`; `clock_ms` tells when leases end, from any starting point."""

    def __init__(self, backend: MemoryBackend, clock_ms: Callable[[], int] = _monotonic_ms) -> None:
        self._backend, self._clock_ms = backend, clock_ms

    def reserve(self, owner: str, before: datetime | None, limit: int, lease_ms: int) -> Sequence[FlowID]:
        """The oldest free candidates, leased now."""
        with self._backend.lock:
            ended = ended_flows(self._backend, before, is_archived=False)
            free = [each.flow_id for each in ended if self._is_free(each.flow_id)]
            return self._lease(owner, free[:limit], lease_ms)

    def take_over(self, owner: str, limit: int, lease_ms: int) -> Sequence[FlowID]:
        """Flows of unfinished jobs, leased now."""
        with self._backend.lock:
            over = sorted((until, flow_id) for flow_id, (_, until) in self._backend.archiving.items())
            free = [flow_id for until, flow_id in over if until <= self._clock_ms()]
            return self._lease(owner, free[:limit], lease_ms)

    def hold(self, owner: str, flow_ids: Sequence[FlowID], lease_ms: int) -> Sequence[FlowID]:
        """Those of the flows that the owner has leased now."""
        with self._backend.lock:
            free = [each for each in flow_ids if self._is_free(each) or self._owner(each) == owner]
            return self._lease(owner, free, lease_ms)

    def rest(self, owner: str, flow_ids: Sequence[FlowID], rest_ms: int) -> None:
        """End leases; nobody takes the flows for some time."""
        with self._backend.lock:
            for flow_id in self._owned(owner, flow_ids):
                self._backend.archiving[flow_id] = (_NOBODY, self._clock_ms() + rest_ms)

    def release(self, owner: str, flow_ids: Sequence[FlowID]) -> None:
        """End leases, and forget the jobs."""
        with self._backend.lock:
            for flow_id in self._owned(owner, flow_ids):
                del self._backend.archiving[flow_id]

    def logs(self, flow_ids: Sequence[FlowID]) -> Sequence[tuple[bytes, ...]]:
        """Every event of each flow."""
        with self._backend.lock:
            found = [self._backend.logs.get(flow_stream(flow_id)) for flow_id in flow_ids]
            return tuple(tuple(log.events) if log else () for log in found)

    def event_counts(self, flow_ids: Sequence[FlowID]) -> Sequence[int]:
        """How many events the log of each flow has."""
        return tuple(map(len, self.logs(flow_ids)))

    def replace(self, owner: str, digests: Sequence[FlowDigest]) -> Sequence[bool]:
        """Whether each log was replaced now."""
        with self._backend.lock:
            return tuple(self._replace(owner, digest) for digest in digests)

    def unfinished(self) -> int:
        """How many jobs there are."""
        with self._backend.lock:
            return len(self._backend.archiving)

    def waiting(self, before: datetime | None) -> tuple[int, datetime | None]:
        """How many ended flows are live, and since when the oldest is."""
        with self._backend.lock:
            ended = ended_flows(self._backend, before, is_archived=False)
        return len(ended), ended[0].deactivated_at if ended else None

    def _replace(self, owner: str, digest: FlowDigest) -> bool:
        flow_id, stream_id = digest.flow_id, flow_stream(digest.flow_id)
        log, row = self._backend.logs.get(stream_id), self._backend.flows.get(flow_id)
        if self._owner(flow_id) != owner or log is None or len(log.events) != digest.event_count:
            return False
        if row is None or row.status is not digest.status:
            return False
        log.archived_mark = log.mark_after(log.next_sequence)
        log.events, log.trimmed, log.snapshot = [], digest.event_count, None
        self._backend.digests[stream_id] = digest
        for kept in (self._backend.due, self._backend.claims, self._backend.archiving):
            kept.pop(flow_id, None)
        return True

    def _lease(self, owner: str, flow_ids: Iterable[FlowID], lease_ms: int) -> tuple[FlowID, ...]:
        leased = tuple(flow_ids)
        self._backend.archiving.update(dict.fromkeys(leased, (owner, self._clock_ms() + lease_ms)))
        return leased

    def _is_free(self, flow_id: FlowID) -> bool:
        return self._backend.archiving.get(flow_id, (_NOBODY, 0))[1] <= self._clock_ms()

    def _owner(self, flow_id: FlowID) -> str:
        return self._backend.archiving.get(flow_id, (_NOBODY, 0))[0]

    def _owned(self, owner: str, flow_ids: Sequence[FlowID]) -> list[FlowID]:
        return [flow_id for flow_id in flow_ids if self._owner(flow_id) == owner]


def ended_flows(backend: MemoryBackend, before: datetime | None, *, is_archived: bool) -> tuple[EndedFlow, ...]:
    """The root flows that have ended, oldest first; the caller holds the lock."""
    rows = sorted(
        (row.at_ms, row.id)
        for row in backend.flows.values()
        if row.status is not FlowStatus.ACTIVE
        and not is_child(row.id)
        and (before is None or row.at_ms < milliseconds(before))
        and (flow_stream(row.id) in backend.digests) is is_archived
    )
    return tuple(
        EndedFlow(flow_id=flow_id, deactivated_at=datetime.fromtimestamp(at_ms / 1_000, UTC)) for at_ms, flow_id in rows
    )
