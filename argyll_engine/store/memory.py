# SPDX-License-Identifier: Apache-2.0
"""The stores in memory, with the promises of those on Redis and the same contract tests. Called by tests.

One backend is what one Redis would be: the stores, indexes and leases made on it see each other's writes.
Long because they all stand on that one backend, and none of them has more than a few lines a verb.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Condition
from time import monotonic
from typing import Final

from argyll_engine.codec.digests import digest_to_text
from argyll_engine.feed_port import FeedEnd, FeedPosition, LogRange, Note, Reading
from argyll_engine.model.digest import AuditRecord, FlowDigest, ObjectPlace
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID, StepID, StreamID, Token, flow_stream, is_child
from argyll_engine.model.invocation import Succeeded
from argyll_engine.model.listing import FlowItem, FlowPage, FlowQuery, FlowStanding, Sort
from argyll_engine.model.stored import MARK_BYTES
from argyll_engine.ports import (
    Commit,
    CommitResult,
    Committed,
    IndexChange,
    LoadRequest,
    SequenceConflict,
    Snapshot,
    Stream,
)
from argyll_engine.store.paging import Row, cut_page, wanted_statuses

_ACCEPTED: Final = None
"""Stands where a claim's worker would: the call was accepted, and no worker holds it."""


@dataclass(slots=True)
class _Log:
    events: list[bytes] = field(default_factory=list)
    trimmed: int = 0
    snapshot: Snapshot | None = None
    archived_mark: bytes = b""

    @property
    def next_sequence(self) -> int:
        return self.trimmed + len(self.events)

    def goes_on(self, sequence: int, mark: bytes) -> bool:
        """Whether the log reaches to a sequence and its event before that begins so."""
        if not mark or sequence <= self.trimmed:
            return sequence <= self.next_sequence
        return sequence <= self.next_sequence and self.events[sequence - self.trimmed - 1].startswith(mark)

    def was(self, mark: bytes) -> bool:
        """Whether the last event of an archived log began so."""
        return bool(mark) and mark == self.archived_mark

    def mark_after(self, sequence: int) -> bytes:
        """How the last event begins, where a sequence is the end of the log."""
        return self.events[-1][:MARK_BYTES] if self.events and sequence == self.next_sequence else b""

    def after(self, sequence: int) -> tuple[bytes, ...]:
        return tuple(self.events[sequence - self.trimmed :])


@dataclass(slots=True)
class MemoryBackend:
    """What the stores share. `queues` holds the messages committed to each queue key, oldest first.

    `acknowledged` holds the delivery tags that commits have acknowledged, `feed` the newest notes of all commits,
    `digests` those of archived flows, `archiving` owner and end of each lease of a flow by an archiver.
    """

    lock: Condition = field(default_factory=Condition)
    logs: dict[StreamID, _Log] = field(default_factory=dict)
    flows: dict[FlowID, Row] = field(default_factory=dict)
    labels: dict[FlowID, dict[str, str]] = field(default_factory=dict)
    due: dict[FlowID, int] = field(default_factory=dict)
    claims: dict[FlowID, dict[Token, str | None]] = field(default_factory=dict)
    workers: dict[str, int] = field(default_factory=dict)
    leases: dict[str, tuple[str, int]] = field(default_factory=dict)
    queues: dict[str, list[bytes]] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    held_flows: dict[StepID, set[FlowID]] = field(default_factory=dict)
    memo: OrderedDict[str, Succeeded] = field(default_factory=OrderedDict)
    feed: list[Note] = field(default_factory=list)
    feed_max_length: int = 10_000
    note_count: int = 0
    digests: dict[StreamID, FlowDigest] = field(default_factory=dict)
    archiving: dict[FlowID, tuple[str, int]] = field(default_factory=dict)
    audit: list[AuditRecord] = field(default_factory=list)
    former_objects: dict[FlowID, list[ObjectPlace]] = field(default_factory=dict)

    def note(self, stream_id: StreamID, first_sequence: int, next_sequence: int, commit: Commit | None = None) -> None:
        """Leave a note in the feed, of a commit unless the stream was erased; the caller holds the lock."""
        self.note_count += 1
        self.feed.append(
            Note(
                position=(self.note_count, 0),
                stream_id=stream_id,
                first_sequence=first_sequence,
                next_sequence=next_sequence,
                event_types=commit.event_types if commit else frozenset(),
                last_type=commit.last_type if commit else "",
                last=commit.events[-1] if commit and commit.last_type else b"",
            )
        )
        del self.feed[: -self.feed_max_length]
        self.lock.notify_all()


class MemoryEventStore:
    """Implements `ports.EventStore`; with `trimmed` a snapshot replaces the events that it covers."""

    def __init__(self, backend: MemoryBackend, *, trimmed: bool = False) -> None:
        self._backend, self._trimmed = backend, trimmed

    def load(self, requests: Sequence[LoadRequest]) -> Sequence[Stream]:
        """The streams, in the order of the requests."""
        with self._backend.lock:
            return tuple(map(self._load, requests))

    def commit(self, commits: Sequence[Commit]) -> Sequence[CommitResult]:
        """The results, in order."""
        return tuple(map(self._commit, commits))

    def read_log(self, stream_id: StreamID) -> tuple[bytes, ...]:
        """Every stored event of a stream."""
        with self._backend.lock:
            return tuple(self._log(stream_id).events)

    def save_snapshot(self, stream_id: StreamID, snapshot: Snapshot) -> None:
        """Keep a projection unless a newer one is kept; a trimmed store drops what it covers."""
        with self._backend.lock:
            log = self._log(stream_id)
            covered = log.snapshot.sequence if log.snapshot else 0
            if stream_id in self._backend.digests or not covered < snapshot.sequence <= log.next_sequence:
                return
            log.snapshot = snapshot
            if self._trimmed:
                log.events = list(log.after(snapshot.sequence))
                log.trimmed = snapshot.sequence

    def _log(self, stream_id: StreamID) -> _Log:
        return self._backend.logs.get(stream_id) or _Log()

    def _load(self, request: LoadRequest) -> Stream:
        log = self._log(request.stream_id)
        digest = self._backend.digests.get(request.stream_id)
        known = request.known if log.goes_on(request.known, request.mark) else 0
        if digest is not None and (known < log.next_sequence or not log.was(request.mark)):
            known = 0
        snapshot = log.snapshot if known == 0 or known < log.trimmed else None
        first = snapshot.sequence if snapshot else known
        return Stream(
            stream_id=request.stream_id,
            snapshot=snapshot,
            first_sequence=first,
            events=log.after(first),
            next_sequence=log.next_sequence,
            digest=None if digest is None else digest_to_text(digest),
            mark=b"" if request.mark and first == known else log.mark_after(first),
        )

    def _commit(self, commit: Commit) -> CommitResult:
        with self._backend.lock:
            log = self._log(commit.stream_id)
            expected, next_sequence = commit.expected_sequence, log.next_sequence
            if commit.stream_id in self._backend.digests:
                return SequenceConflict(next_sequence=next_sequence, missed=())
            if not log.goes_on(expected, commit.mark):
                return SequenceConflict(next_sequence=next_sequence, missed=())
            if expected != next_sequence:
                has_missed = log.trimmed <= expected < next_sequence
                missed = log.after(expected) if has_missed else ()
                return SequenceConflict(next_sequence=next_sequence, missed=missed)
            if commit.events:
                self._backend.logs[commit.stream_id] = log
                log.events += commit.events
                self._backend.note(commit.stream_id, expected, log.next_sequence, commit)
            self._apply(commit)
            return Committed(next_sequence=log.next_sequence)

    def _apply(self, commit: Commit) -> None:
        backend, flow_id = self._backend, FlowID(commit.stream_id[-1])
        if commit.due_at_ms:
            backend.due[flow_id] = commit.due_at_ms
        elif commit.due_at_ms == 0:
            backend.due.pop(flow_id, None)
        for claim in commit.claims:
            backend.claims.setdefault(flow_id, {})[claim.token] = claim.worker_id
        for token in commit.released:
            backend.claims.get(flow_id, {}).pop(token, None)
        if commit.index:
            self._enter(commit.index)
        for entry in commit.entries:
            backend.queues.setdefault(entry.key, []).append(entry.payload)
        backend.acknowledged.update(commit.delivery_tags)

    def _enter(self, change: IndexChange) -> None:
        backend, flow_id = self._backend, change.flow_id
        row = backend.flows.get(flow_id)
        if row is None or row.status is not change.status:
            backend.flows[flow_id] = Row(flow_id, change.status, change.at_ms)
        if change.labels:
            backend.labels[flow_id] = {name: value for name, value in change.labels.items() if name and value}
        if change.status is not FlowStatus.ACTIVE:
            backend.claims.pop(flow_id, None)


class MemoryFeed:
    """Implements `feed_port.Feed`, for all stores on the backend at once."""

    def __init__(self, backend: MemoryBackend) -> None:
        self._backend = backend

    def end(self, streams: Sequence[StreamID]) -> FeedEnd:
        """Where the feed and these streams end now."""
        backend = self._backend
        with backend.lock:
            logs = [backend.logs.get(stream_id) or _Log() for stream_id in streams]
            return FeedEnd(position=(backend.note_count, 0), next_sequences=tuple(log.next_sequence for log in logs))

    def read(self, after: FeedPosition, patience_ms: int) -> Reading:
        """The notes after a position; waits for one."""
        backend = self._backend
        with backend.lock:
            backend.lock.wait_for(lambda: backend.note_count > after[0], patience_ms / 1_000)
            oldest = backend.note_count - len(backend.feed)
            notes = tuple(backend.feed[max(after[0] - oldest, 0) :])
            return Reading(notes=notes, is_whole=after[0] >= oldest)

    def events(self, ranges: Sequence[LogRange]) -> Sequence[tuple[bytes, ...] | None]:
        """The events of each range; None where the log does not hold all of them."""
        with self._backend.lock:
            return tuple(map(self._range, ranges))

    def _range(self, wanted: LogRange) -> tuple[bytes, ...] | None:
        log = self._backend.logs.get(wanted.stream_id) or _Log()
        if not log.trimmed <= wanted.first_sequence <= wanted.next_sequence <= log.next_sequence:
            return None
        return log.after(wanted.first_sequence)[: wanted.next_sequence - wanted.first_sequence]


class MemoryFlowIndex:
    """Implements `ports.FlowIndex`."""

    def __init__(self, backend: MemoryBackend) -> None:
        self._backend = backend

    def standing(self, flow_id: FlowID) -> FlowStanding | None:
        """The indexed status, and whether the flow is archived; None for an unknown flow."""
        with self._backend.lock:
            row = self._backend.flows.get(flow_id)
            is_archived = flow_stream(flow_id) in self._backend.digests
        return FlowStanding(status=row.status, is_archived=is_archived) if row else None

    def query(self, query: FlowQuery) -> FlowPage:
        """One page of root flows."""
        with self._backend.lock:
            rows = [row for row in self._backend.flows.values() if self._matches(row, query)]
        return cut_page(rows, query, len(rows))

    def all_flows(self) -> tuple[FlowItem, ...]:
        """Every root flow: active ones first, then newest first."""
        return self.query(FlowQuery(sort=Sort.RECENT_DESC)).items

    def _matches(self, row: Row, query: FlowQuery) -> bool:
        return (
            not is_child(row.id)
            and row.id.startswith(query.id_prefix)
            and row.status in wanted_statuses(query)
            and query.archived in (None, flow_stream(row.id) in self._backend.digests)
            and query.labels.items() <= self._backend.labels.get(row.id, {}).items()
        )


class MemoryHeldFlows:
    """Implements `ports.HeldFlows`."""

    def __init__(self, backend: MemoryBackend) -> None:
        self._backend = backend

    def add(self, step_id: StepID, flow_id: FlowID) -> None:
        """Note that a flow waits for a step."""
        with self._backend.lock:
            self._backend.held_flows.setdefault(step_id, set()).add(flow_id)

    def take(self, step_id: StepID, limit: int) -> tuple[FlowID, ...]:
        """Some of the flows that wait for a step, which wait no longer."""
        with self._backend.lock:
            waiting = self._backend.held_flows.get(step_id, set())
            taken = tuple(sorted(waiting)[:limit])
            waiting.difference_update(taken)
        return taken

    def steps(self) -> tuple[StepID, ...]:
        """The steps that flows wait for."""
        with self._backend.lock:
            return tuple(step_id for step_id, waiting in self._backend.held_flows.items() if waiting)


class MemoryMemo:
    """Implements `ports.Memo`."""

    def __init__(self, backend: MemoryBackend, *, capacity: int) -> None:
        self._backend, self._capacity = backend, capacity

    def find(self, keys: Sequence[str]) -> Sequence[Succeeded | None]:
        """What is kept under each key, which counts as its use."""
        with self._backend.lock:
            return tuple(map(self._used, keys))

    def keep(self, results: Mapping[str, Succeeded]) -> Mapping[str, Succeeded]:
        """What is kept under each key from now on."""
        with self._backend.lock:
            return {key: self._added(key, result) for key, result in results.items()}

    def _used(self, key: str) -> Succeeded | None:
        if key in self._backend.memo:
            self._backend.memo.move_to_end(key)
        return self._backend.memo.get(key)

    def _added(self, key: str, result: Succeeded) -> Succeeded:
        kept = self._backend.memo.setdefault(key, result)
        while len(self._backend.memo) > self._capacity:
            self._backend.memo.popitem(last=False)
        return kept


def _monotonic_ms() -> int:
    return int(monotonic() * 1_000)


class MemoryWorkLeases:
    """Implements `ports.WorkLeases`; `clock_ms` tells when leases end, from any starting point."""

    def __init__(self, backend: MemoryBackend, clock_ms: Callable[[], int] = _monotonic_ms) -> None:
        self._backend, self._clock_ms = backend, clock_ms

    def refresh_worker(self, worker_id: str, until_ms: int) -> None:
        """Say that a worker lives, until `until_ms` at least."""
        with self._backend.lock:
            self._backend.workers[worker_id] = max(until_ms, self._backend.workers.get(worker_id, 0))

    def retire_worker(self, worker_id: str) -> None:
        """Say that a worker has stopped: whatever it still holds is free."""
        with self._backend.lock:
            self._backend.workers.pop(worker_id, None)

    def held(self, flow_id: FlowID, now_ms: int) -> frozenset[Token]:
        """Tokens whose worker lives past `now_ms`, or whose child flow was started."""
        with self._backend.lock:
            claims, workers = self._backend.claims.get(flow_id, {}), self._backend.workers
            return frozenset(
                token for token, worker in claims.items() if worker is _ACCEPTED or workers.get(worker, 0) > now_ms
            )

    def accept(self, flow_id: FlowID, token: Token) -> None:
        """Make a claim everlasting; without one there is nothing to wait for."""
        with self._backend.lock:
            claims = self._backend.claims.get(flow_id, {})
            if token in claims:
                claims[token] = _ACCEPTED

    def due_flows(self, now_ms: int, limit: int) -> tuple[FlowID, ...]:
        """Flows due by now, longest overdue first, at most `limit`."""
        with self._backend.lock:
            found = sorted((at_ms, flow_id) for flow_id, at_ms in self._backend.due.items() if at_ms <= now_ms)
        return tuple(flow_id for _, flow_id in found[:limit])

    def postpone(self, until_ms: Mapping[FlowID, int]) -> None:
        """Look at these flows again later; flows that are no longer listed stay so."""
        with self._backend.lock:
            due = self._backend.due
            due.update({flow_id: at_ms for flow_id, at_ms in until_ms.items() if flow_id in due})

    def acquire_lease(self, name: str, owner: str, ttl_ms: int) -> bool:
        """Whether `owner` holds the lease now; an owner that asks again prolongs it."""
        with self._backend.lock:
            now_ms = self._clock_ms()
            holder, until_ms = self._backend.leases.get(name, (owner, 0))
            if holder != owner and until_ms > now_ms:
                return False
            self._backend.leases[name] = (owner, now_ms + ttl_ms)
            return True

    def release_lease(self, name: str, owner: str) -> None:
        """End a lease, if `owner` still holds it."""
        with self._backend.lock:
            if self._backend.leases.get(name, ("", 0))[0] == owner:
                del self._backend.leases[name]
