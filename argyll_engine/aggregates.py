# SPDX-License-Identifier: Apache-2.0
"""The three aggregates as the executor sees them: how each decides, folds, keeps itself and shows in the index.

Pure but for the bytes of snapshots. Called by the executor and the read side.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Generic, Protocol, TypeVar

from msgspec import Struct

from argyll_engine.codec import (
    catalog_from_snapshot,
    catalog_to_snapshot,
    cluster_from_snapshot,
    cluster_to_snapshot,
    flow_from_snapshot,
    flow_to_snapshot,
)
from argyll_engine.codec.wire import milliseconds
from argyll_engine.decide import take_turn
from argyll_engine.decide.catalog import register_step, unregister_step, update_step
from argyll_engine.decide.cluster import report_health
from argyll_engine.decide.turn import Turn
from argyll_engine.evolve.catalog import replay_catalog
from argyll_engine.evolve.cluster import replay_cluster
from argyll_engine.evolve.flow import replay_flow
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.cluster import ClusterState
from argyll_engine.model.commands import (
    CatalogCommand,
    ClusterCommand,
    FlowCommand,
    RegisterStep,
    ReportHealth,
    UnregisterStep,
    UpdateStep,
)
from argyll_engine.model.effects import Effect
from argyll_engine.model.events import FlowDeactivated, FlowStarted, Recorded
from argyll_engine.model.facts import Facts
from argyll_engine.model.flow import FlowState, FlowStatus
from argyll_engine.model.ids import FlowID, StreamID
from argyll_engine.ports import IndexChange
from argyll_engine.react import react, rearm, wake

S = TypeVar("S")


class Decision(Struct, Generic[S], frozen=True, kw_only=True):
    """What a command came to: its events, the state after them, and what must be done because of the command.

    What must be done because of the events, `Aggregate.react` says, once for all commands of a commit.
    """

    state: S
    events: tuple[Recorded, ...]
    effects: tuple[Effect, ...] = ()


class Aggregate(Protocol[S]):
    """One kind of stream."""

    snapshot_every: int
    """Events that a load may have to fold before a snapshot is worth its write."""

    announced: frozenset[str]
    """Types of events that, as the last of a commit, are in the feed's note itself: no log need be read for them. They
    hold nothing that an erasure would have to find."""

    def decide(self, stream_id: StreamID, state: S | None, command: Any, facts: Facts, sequence: int) -> Decision[S]:
        """What a command comes to. Raises what the decision refuses."""

    def react(self, before: S | None, after: S, recorded: Sequence[Recorded]) -> tuple[Effect, ...]:
        """What must be done because of the events of one commit."""

    def replay(self, state: S | None, log: Sequence[Recorded]) -> S | None:
        """The state after a log; None only for an empty log on no state."""

    def to_snapshot(self, state: S) -> bytes:
        """The state as bytes."""

    def from_snapshot(self, payload: bytes) -> S | None:
        """The state of a snapshot, or None if this version cannot read it."""

    def last_updated_at(self, state: S | None) -> datetime | None:
        """When the last event was recorded."""

    def index(self, state: S, recorded: Sequence[Recorded]) -> IndexChange | None:
        """What the events change in the flow index."""

    def due_at_ms(self, state: S, now: datetime) -> int | None:
        """When recovery should look at the stream (Unix ms), 0 = never again, None = not at all."""


class FlowAggregate:
    """Flows: the only streams with effects and an index.

    `grace_seconds` is how long work may go without a sign of life before recovery looks at its flow.
    """

    snapshot_every = 256
    announced = frozenset({"flow_deactivated"})

    def __init__(self, grace_seconds: float) -> None:
        self._grace = timedelta(seconds=grace_seconds)

    def decide(
        self, stream_id: StreamID, state: FlowState | None, command: FlowCommand, facts: Facts, sequence: int
    ) -> Decision[FlowState]:
        """See Aggregate."""
        turn = Turn(FlowID(stream_id[1]), state, facts, sequence)
        take_turn(turn, command)
        effects = wake(turn.state, turn.wakes)
        if not turn.events:
            effects += rearm(turn.state, command, facts.now)
        return Decision(state=turn.state, events=tuple(turn.events), effects=effects)

    def react(self, before: FlowState | None, after: FlowState, recorded: Sequence[Recorded]) -> tuple[Effect, ...]:
        """See Aggregate."""
        return react(before, after, recorded)

    def replay(self, state: FlowState | None, log: Sequence[Recorded]) -> FlowState | None:
        """See Aggregate."""
        return replay_flow(state, log) if log else state

    def to_snapshot(self, state: FlowState) -> bytes:
        """See Aggregate."""
        return flow_to_snapshot(state)

    def from_snapshot(self, payload: bytes) -> FlowState | None:
        """See Aggregate."""
        return flow_from_snapshot(payload)

    def last_updated_at(self, state: FlowState | None) -> datetime | None:
        """See Aggregate."""
        return state.last_updated_at if state else None

    def index(self, state: FlowState, recorded: Sequence[Recorded]) -> IndexChange | None:
        """See Aggregate. A flow is listed as active from its start to its deactivation."""
        change: IndexChange | None = None
        for record in recorded:
            event = record.event
            if isinstance(event, FlowStarted):
                at_ms = milliseconds(record.at)
                change = IndexChange(flow_id=state.id, status=FlowStatus.ACTIVE, at_ms=at_ms, labels=state.labels)
            elif isinstance(event, FlowDeactivated):
                at_ms, labels = milliseconds(record.at), change.labels if change else {}
                change = IndexChange(flow_id=state.id, status=event.status, at_ms=at_ms, labels=labels)
        return change

    def due_at_ms(self, state: FlowState, now: datetime) -> int | None:
        """See Aggregate. A flow that only waits for retries is due after the first of them, else after the grace."""
        if state.deactivated_at is not None:
            return 0
        if any(ex.active_count or ex.fresh_from < len(ex.work_items) for ex in state.executions.values()):
            return milliseconds(now + self._grace)
        waiting = (ex.work_items[token] for ex in state.executions.values() for token in ex.retrying_items)
        first = min((item.next_retry_at for item in waiting if item.next_retry_at), default=now)
        return milliseconds(max(now, first) + self._grace)


class CatalogAggregate:
    """The registered steps."""

    snapshot_every = 10_000
    announced = frozenset[str]()

    def decide(
        self, stream_id: StreamID, state: CatalogState | None, command: CatalogCommand, facts: Facts, sequence: int
    ) -> Decision[CatalogState]:
        """See Aggregate."""
        before = state or CatalogState()
        events = CATALOG_DECISIONS[type(command)](before, command, facts)
        recorded = _record(events, facts.now, sequence)
        return Decision(state=replay_catalog(before, recorded), events=recorded)

    def react(
        self, before: CatalogState | None, after: CatalogState, recorded: Sequence[Recorded]
    ) -> tuple[Effect, ...]:
        """See Aggregate."""
        return ()

    def replay(self, state: CatalogState | None, log: Sequence[Recorded]) -> CatalogState | None:
        """See Aggregate."""
        return replay_catalog(state or CatalogState(), log) if log else state

    def to_snapshot(self, state: CatalogState) -> bytes:
        """See Aggregate."""
        return catalog_to_snapshot(state)

    def from_snapshot(self, payload: bytes) -> CatalogState | None:
        """See Aggregate."""
        return catalog_from_snapshot(payload)

    def last_updated_at(self, state: CatalogState | None) -> datetime | None:
        """See Aggregate."""
        return state.last_updated_at if state else None

    def index(self, state: CatalogState, recorded: Sequence[Recorded]) -> IndexChange | None:
        """See Aggregate."""
        return None

    def due_at_ms(self, state: CatalogState, now: datetime) -> int | None:
        """See Aggregate."""
        return None


class ClusterAggregate:
    """Health of the steps."""

    snapshot_every = 10_000
    announced = frozenset[str]()

    def decide(
        self, stream_id: StreamID, state: ClusterState | None, command: ClusterCommand, facts: Facts, sequence: int
    ) -> Decision[ClusterState]:
        """See Aggregate."""
        before = state or ClusterState()
        recorded = _record(CLUSTER_DECISIONS[type(command)](before, command, facts), facts.now, sequence)
        return Decision(state=replay_cluster(before, recorded), events=recorded)

    def react(
        self, before: ClusterState | None, after: ClusterState, recorded: Sequence[Recorded]
    ) -> tuple[Effect, ...]:
        """See Aggregate."""
        return ()

    def replay(self, state: ClusterState | None, log: Sequence[Recorded]) -> ClusterState | None:
        """See Aggregate."""
        return replay_cluster(state or ClusterState(), log) if log else state

    def to_snapshot(self, state: ClusterState) -> bytes:
        """See Aggregate."""
        return cluster_to_snapshot(state)

    def from_snapshot(self, payload: bytes) -> ClusterState | None:
        """See Aggregate."""
        return cluster_from_snapshot(payload)

    def last_updated_at(self, state: ClusterState | None) -> datetime | None:
        """See Aggregate."""
        return state.last_updated_at if state else None

    def index(self, state: ClusterState, recorded: Sequence[Recorded]) -> IndexChange | None:
        """See Aggregate."""
        return None

    def due_at_ms(self, state: ClusterState, now: datetime) -> int | None:
        """See Aggregate."""
        return None


CATALOG_DECISIONS: Final[dict[type[CatalogCommand], Callable[[CatalogState, Any, Facts], tuple[Any, ...]]]] = {
    RegisterStep: register_step,
    UpdateStep: update_step,
    UnregisterStep: unregister_step,
}

CLUSTER_DECISIONS: Final[dict[type[ClusterCommand], Callable[[ClusterState, Any, Facts], tuple[Any, ...]]]] = {
    ReportHealth: report_health,
}


def _record(events: Iterable[Any], at: datetime, sequence: int) -> tuple[Recorded, ...]:
    return tuple(Recorded(event=event, sequence=sequence + i, at=at) for i, event in enumerate(events))
