# SPDX-License-Identifier: Apache-2.0
"""What the engine asks of the world, as Protocols, and the values that cross. No implementation lives here.

Every verb that can takes many: one is a batch of one, and a batch is one round trip.
Long because it is the list of all seams but the feed's (`feed_port.py`), and every part has a few lines.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol, TypeAlias

from msgspec import Struct

from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.model.digest import (
    ArchivedFlow,
    AuditRecord,
    EndedFlow,
    FlowDigest,
    KeptFlow,
    ObjectPlace,
    RestoredFlow,
    SeenFlow,
)
from argyll_engine.model.effects import Effect
from argyll_engine.model.facts import Scripts
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID, JSONValue, Name, StepID, StreamID, Token
from argyll_engine.model.invocation import Compensation, Invocation, Outcome, Succeeded
from argyll_engine.model.listing import FlowItem, FlowPage, FlowQuery, FlowStanding
from argyll_engine.model.vitals import MemoryUse

# ---- events ----------------------------------------------------------------------------------


class Claim(Struct, frozen=True, kw_only=True):
    """A worker's hold on a work item while it executes it."""

    token: Token
    worker_id: str


class LoadRequest(Struct, frozen=True, kw_only=True):
    """Asks for a stream; `known` is the sequence after the last event the caller already has (0 = nothing).

    `mark` is how that event begins. Where the log has another one there, what the caller has is void: Redis lost the
    end of the log, and it has grown again since.
    """

    stream_id: StreamID
    known: int = 0
    mark: bytes = b""


class Snapshot(Struct, frozen=True, kw_only=True):
    """An encoded projection that covers all events below `sequence`."""

    sequence: int
    payload: bytes


class Stream(Struct, frozen=True, kw_only=True):
    """What the caller does not have yet: the events from `first_sequence` on, encoded as stored.

    With a `snapshot`, that comes first and `first_sequence` equals its sequence: what the caller had is void.
    An unknown stream has `next_sequence` 0. An archived flow has its `digest`, encoded as stored, and no events;
    `first_sequence` is 0 then unless the caller has all of them, and has named the last. `mark` is how the last event
    begins, where the caller neither has that event nor gets it here; empty where nobody knows it.
    """

    stream_id: StreamID
    snapshot: Snapshot | None
    first_sequence: int
    events: tuple[bytes, ...]
    next_sequence: int
    digest: bytes | None = None
    mark: bytes = b""


class Message(Struct, frozen=True, kw_only=True):
    """One Celery message: a task name, ids as arguments, the queue, and when it is due (None = at once). One that
    `goes_first` overtakes others of its queue, where the broker has priorities.

    `traceparent` names the span that it comes from, if that is traced.
    """

    task: str
    queue: str
    args: tuple[str | int, ...]
    eta: datetime | None = None
    goes_first: bool = False
    traceparent: str = ""


class QueueForm(StrEnum):
    """What kind of Redis key a broker keeps messages in."""

    LIST = "list"
    STREAM = "stream"
    DELAYED = "delayed"


class QueueEntry(Struct, frozen=True, kw_only=True):
    """A message in the broker's own form, for the commit script to put into the broker's queue `key`.

    Args:
        due_ms: when a delayed message is due (Unix ms).
        wake: channel on which consumers hear of a delayed message that is the next one.
    """

    key: str
    payload: bytes
    form: QueueForm = QueueForm.LIST
    due_ms: int = 0
    wake: str = ""


class IndexChange(Struct, frozen=True, kw_only=True):
    """What a commit changes in the flow index; `labels` only with a flow's first commit."""

    flow_id: FlowID
    status: FlowStatus
    at_ms: int
    labels: Mapping[str, str] = MappingProxyType({})


class Version(Struct, frozen=True, kw_only=True):
    """How far a stream was when somebody looked: the sequence after its last event, and how that begins."""

    stream_id: StreamID
    next_sequence: int
    mark: bytes = b""


class Commit(Struct, frozen=True, kw_only=True):
    """Everything that follows from one decision, applied together or not at all.

    Args:
        expected_sequence: number of events that the decision saw.
        mark: how the last event that the decision saw begins (see LoadRequest); empty if that is not known.
        events: encoded envelopes, the first at `expected_sequence`. May be empty: then only the rest happens.
        event_types: the types of the events, each once, for the feed; empty if they are not known.
        last_type: type of the last event if the feed's note brings that event itself, else empty.
        index: change of status in the flow index.
        due_at_ms: when the recovery sweep should look at the flow (Unix ms), 0 = never again, None = unchanged.
        entries: messages for the broker's queues on the same Redis.
        claims: who holds which work item from this commit on.
        released: tokens whose claims end with this commit.
        delivery_tags: the messages that caused the commit, acknowledged with it.
        rests_on: another stream that must be as the decision saw it; only for stores that can look at it.
    """

    stream_id: StreamID
    expected_sequence: int
    events: tuple[bytes, ...]
    event_types: frozenset[str] = frozenset()
    last_type: str = ""
    mark: bytes = b""
    index: IndexChange | None = None
    due_at_ms: int | None = None
    entries: tuple[QueueEntry, ...] = ()
    claims: tuple[Claim, ...] = ()
    released: tuple[Token, ...] = ()
    delivery_tags: tuple[str, ...] = ()
    rests_on: Version | None = None


class Committed(Struct, frozen=True, kw_only=True):
    """The commit is durable; the stream now ends before `next_sequence`."""

    next_sequence: int


class SequenceConflict(Struct, frozen=True, kw_only=True):
    """Somebody else committed first; nothing of this commit happened.

    `missed` are the events from the expected sequence on. Empty where the log was trimmed past it, or is another one
    than the decision saw: load again.
    """

    next_sequence: int
    missed: tuple[bytes, ...]


class Outdated(Struct, frozen=True, kw_only=True):
    """The other stream that the commit rests on has gone on, or is another one; nothing of this commit happened."""


CommitResult: TypeAlias = Committed | SequenceConflict | Outdated


class EventStore(Protocol):
    """Append-only logs with optimistic concurrency. Every method raises StoreUnavailableError."""

    def load(self, requests: Sequence[LoadRequest]) -> Sequence[Stream]:
        """The streams, in the order of the requests."""

    def commit(self, commits: Sequence[Commit]) -> Sequence[CommitResult]:
        """The results, in order; each commit is all or none, and none stops its neighbours."""

    def read_log(self, stream_id: StreamID) -> tuple[bytes, ...]:
        """Every stored event of a stream, encoded as served (trimmed streams may start above sequence 0)."""

    def save_snapshot(self, stream_id: StreamID, snapshot: Snapshot) -> None:
        """Keep a projection, unless a newer one is kept already."""


# ---- the flow store beside the log -----------------------------------------------------------


class FlowIndex(Protocol):
    """Lists and statuses of flows, as of the last commit. Every method raises StoreUnavailableError."""

    def standing(self, flow_id: FlowID) -> FlowStanding | None:
        """The indexed status, and whether the flow is archived; None for an unknown flow."""

    def query(self, query: FlowQuery) -> FlowPage:
        """One page of root flows."""

    def all_flows(self) -> tuple[FlowItem, ...]:
        """Every root flow: active ones first, then newest first."""


class WorkLeases(Protocol):
    """Who executes what, so that recovery takes nothing from a live worker. Raises StoreUnavailableError."""

    def refresh_worker(self, worker_id: str, until_ms: int) -> None:
        """Say that a worker lives, until `until_ms` (Unix ms) at least."""

    def retire_worker(self, worker_id: str) -> None:
        """Say that a worker has stopped: whatever it still holds is free."""

    def held(self, flow_id: FlowID, now_ms: int) -> frozenset[Token]:
        """Tokens of the flow that a live worker executes, or whose child flow was started."""

    def accept(self, flow_id: FlowID, token: Token) -> None:
        """A child flow was started: the item waits for its end and is nobody's to restart."""

    def due_flows(self, now_ms: int, limit: int) -> tuple[FlowID, ...]:
        """Flows that the recovery sweep should look at by now, longest overdue first."""

    def postpone(self, until_ms: Mapping[FlowID, int]) -> None:
        """Look at these flows again later (Unix ms); flows that are no longer listed stay so."""

    def acquire_lease(self, name: str, owner: str, ttl_ms: int) -> bool:
        """Whether `owner` now holds the named lease; it ends by itself after `ttl_ms`."""

    def release_lease(self, name: str, owner: str) -> None:
        """End a lease, if `owner` still holds it."""


# ---- archived flows --------------------------------------------------------------------------


class ArchiveStore(Protocol):
    """Ended flows in the live store: whole, or as digests whose objects are elsewhere. Raises StoreUnavailableError.

    A flow's place in lists, its indexed status and its labels stay as they are while it is archived.
    """

    def candidates(self, before: datetime | None, limit: int) -> Sequence[EndedFlow]:
        """Root flows that are live and were deactivated before a time (None: any), oldest first."""

    def archived(self, before: datetime | None, limit: int) -> Sequence[EndedFlow]:
        """Root flows that are archived and were deactivated before a time (None: any), oldest first."""

    def family(self, flow_ids: Sequence[FlowID]) -> Sequence[tuple[FlowID, ...]]:
        """The children of each root flow, at any depth, live and archived, sorted."""

    def digests(self, flow_ids: Sequence[FlowID]) -> Sequence[FlowDigest | None]:
        """The digest of each flow; None for one that is not archived."""

    def kept(self, flow_ids: Sequence[FlowID]) -> Sequence[KeptFlow]:
        """The same, with the objects that each flow had before."""

    def restore(self, flows: Sequence[RestoredFlow], rest_ms: int) -> bool:
        """Whether all of these flows are live now, with these events: all of them or none is changed.

        None is where one is neither archived as its digest says nor live already. No archiver takes them for `rest_ms`.
        """

    def erase(self, flows: Sequence[SeenFlow], record: Mapping[str, str]) -> bool:
        """Forget these flows and record it; False, with nothing done, if one is no longer as it was seen."""

    def audit(self, after: str, limit: int) -> Sequence[AuditRecord]:
        """The oldest records after a position; empty for the start."""

    def memory(self) -> MemoryUse:
        """How much memory the store has and uses."""


class ArchiveJobs(Protocol):
    """Which archiver is at work on which flow, and the end of that work. Raises StoreUnavailableError.

    A job is a lease of a flow by an owner. One whose time is over is unfinished, and anybody may take it.
    """

    def reserve(self, owner: str, before: datetime | None, limit: int, lease_ms: int) -> Sequence[FlowID]:
        """The oldest candidates that nobody has leased, leased to the owner now."""

    def take_over(self, owner: str, limit: int, lease_ms: int) -> Sequence[FlowID]:
        """Flows of unfinished jobs, children too, leased to the owner now."""

    def hold(self, owner: str, flow_ids: Sequence[FlowID], lease_ms: int) -> Sequence[FlowID]:
        """Those of the flows that the owner has leased now; the others are somebody else's."""

    def rest(self, owner: str, flow_ids: Sequence[FlowID], rest_ms: int) -> None:
        """End these leases of the owner, and let nobody take the flows for some time; then the jobs are unfinished."""

    def release(self, owner: str, flow_ids: Sequence[FlowID]) -> None:
        """End these leases of the owner, and forget the jobs."""

    def logs(self, flow_ids: Sequence[FlowID]) -> Sequence[tuple[bytes, ...]]:
        """Every event of each flow; none for one that is archived or unknown."""

    def event_counts(self, flow_ids: Sequence[FlowID]) -> Sequence[int]:
        """How many events the log of each flow has."""

    def replace(self, owner: str, digests: Sequence[FlowDigest]) -> Sequence[bool]:
        """Whether each flow's log was replaced by its digest now, each all or nothing, ending its job.

        It is not when the owner has lost the lease or the log does not have the digest's number of events.
        """

    def unfinished(self) -> int:
        """How many jobs there are."""

    def waiting(self, before: datetime | None) -> tuple[int, datetime | None]:
        """How many live root flows were deactivated before a time (None: any), and when the first of them was."""


class Archive(Protocol):
    """The objects of archived flows. Raises ArchiveUnavailableError and DamagedArchiveError."""

    def read(self, digest: FlowDigest) -> ArchivedFlow | None:
        """The flow that a digest stands for; None if its object is gone."""

    def place(self, digest: FlowDigest) -> ObjectPlace:
        """Where that object is."""

    def delete(self, digest: FlowDigest) -> None:
        """Forget the object, or one that a live flow may have; one that is gone already is no error."""

    def delete_former(self, place: ObjectPlace) -> None:
        """Forget an object that a flow had before, wherever it is; one that is gone already is no error."""


# ---- remembered results ----------------------------------------------------------------------


class Memo(Protocol):
    """Results of memoizable steps by key, for all processes, the latest used. Raises StoreUnavailableError."""

    def find(self, keys: Sequence[str]) -> Sequence[Succeeded | None]:
        """What is kept under each key, in their order; None for nothing."""

    def keep(self, results: Mapping[str, Succeeded]) -> Mapping[str, Succeeded]:
        """What is kept under each key from now on: whatever came first, which may be somebody else's result."""


class HeldFlows(Protocol):
    """Which flows wait for the health of which step. Every method raises StoreUnavailableError."""

    def add(self, step_id: StepID, flow_id: FlowID) -> None:
        """Note that a flow waits for a step."""

    def take(self, step_id: StepID, limit: int) -> tuple[FlowID, ...]:
        """Some of the flows that wait for a step, which wait no longer."""

    def steps(self) -> tuple[StepID, ...]:
        """The steps that flows wait for, perhaps some more."""


# ---- messages --------------------------------------------------------------------------------


class Dispatcher(Protocol):
    """Turns effects into messages, and messages into what the broker keeps."""

    def render(self, effects: Sequence[Effect], now: datetime) -> tuple[Message, ...]:
        """The messages that carry these effects out."""

    def seal(self, messages: Sequence[Message], log: Sequence[bytes] = ()) -> tuple[QueueEntry, ...]:
        """The same in the broker's form, for the commit, with all of the `log` that it begins; else empty."""

    def publish(self, messages: Sequence[Message]) -> None:
        """Send messages outside of a commit. Raises StoreUnavailableError when the broker does not answer."""


# ---- invoking --------------------------------------------------------------------------------


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """Now, aware and in UTC."""


class StepClient(Protocol):
    """Calls steps of one kind."""

    def invoke(self, invocation: Invocation) -> Outcome:
        """How the call ended; a step's failure is an outcome, never an exception."""


class CallClient(StepClient, Protocol):
    """Calls steps that answer later."""

    def begin(self, invocation: Invocation, done: Callable[[Outcome | Exception], None]) -> None:
        """Call without waiting; `done` hears once how it ended, in any thread, and must not raise.

        An exception is a fault of ours, never of the step.
        """


class CompensationClient(Protocol):
    """Undoes the work of steps."""

    def compensate(self, compensation: Compensation) -> Outcome:
        """How undoing ended; a failure is an outcome, never an exception."""


class HealthProbe(Protocol):
    """Asks services how they are."""

    def probe(self, url: str, timeout_ms: int) -> str:
        """What is wrong with the service that answers under a URL; empty when it is well. Raises nothing."""


class ScriptEngine(Scripts, Protocol):
    """All script languages: checks texts, runs the scripts of decisions (see Scripts) and of script steps."""

    def check(self, script: ScriptConfig, names: tuple[Name, ...]) -> None:
        """Raises ScriptCompileError unless the text is a program over these argument names."""

    def run(
        self, script: ScriptConfig, names: tuple[Name, ...], inputs: Mapping[Name, JSONValue]
    ) -> Mapping[str, JSONValue]:
        """Outputs of a script step. Raises ScriptError."""
