# SPDX-License-Identifier: Apache-2.0
"""Commands to commits: load, decide, react, commit; who loses the race for a sequence looks again.

Commands of one stream in a batch are decided one after the other and committed as one. No number of lost races
ends in an error. Called by the engine, the work runner and recovery. No rules live here.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from threading import Lock
from time import sleep
from typing import Final, Generic, TypeAlias, TypeVar

from msgspec import Struct, field

from argyll_engine.codec import encode_recorded, type_of
from argyll_engine.errors import ArgyllError, BrokenError, OutdatedDecisionError, TransientError
from argyll_engine.model.commands import Command
from argyll_engine.model.effects import Effect
from argyll_engine.model.events import Recorded
from argyll_engine.model.facts import Facts, Scripts
from argyll_engine.model.ids import StreamID, Token
from argyll_engine.model.invocation import Succeeded
from argyll_engine.ports import (
    Claim,
    Clock,
    Commit,
    Committed,
    Dispatcher,
    EventStore,
    Message,
    Outdated,
    Version,
    WorkLeases,
)
from argyll_engine.projections import Projection, Projections, mark_of
from argyll_engine.seeds import new_seed, token_source

S = TypeVar("S")

RACES_BEFORE_LEASE: Final = 3
"""A command that lost this many races takes the stream's lease, and others that lost queue behind it."""
LEAST_SHARE: Final = 8
"""Requests of one stream that are decided together even after many races."""
LEASE_TTL_MS: Final = 2_000
LEASE_POLL_SECONDS: Final = 0.005
LOCK_STRIPES: Final = 128


Observe: TypeAlias = Callable[[Sequence[tuple[S | None, Sequence[Recorded]]]], None]
"""Is told what was committed: of each stream its state after it, and the events. Must not raise."""


def ignore(_committed: object) -> None:
    """Nobody wants to know what was committed."""


class Request(Struct, frozen=True, kw_only=True):
    """One command to one stream.

    If it leads to events, `claim` begins and the claims of `released` end with them; `delivery_tag` is the message to
    acknowledge. `seed` is the source of its tokens: the same through all races, so that it decides alike each time.
    `memo` is the remembered result of the call that the command is about. A stream that `begins` with the command is
    not looked for first: the commit finds out whether it is there. What `rests_on` another stream is refused, with an
    OutdatedDecisionError, if that has gone on.
    """

    stream_id: StreamID
    command: Command
    claim: Claim | None = None
    released: tuple[Token, ...] = ()
    delivery_tag: str = ""
    memo: Succeeded | None = None
    begins: bool = False
    rests_on: Version | None = None
    seed: bytes = field(default_factory=new_seed)


class Done(Struct, Generic[S], frozen=True, kw_only=True):
    """A command was carried out: the state after it and the events it led to (none for a repeat)."""

    state: S
    events: tuple[Recorded, ...]


class _Work(Struct, Generic[S]):
    """The requests of one stream and what the current race made of them."""

    stream_id: StreamID
    indexes: list[int]
    projection: Projection[S]
    answers: dict[int, Done[S] | ArgyllError] = {}
    state: S | None = None
    events: list[Recorded] = []
    messages: list[Message] = []

    def has_events(self, index: int) -> bool:
        """Whether the request led to events."""
        answer = self.answers.get(index)
        return isinstance(answer, Done) and bool(answer.events)

    @property
    def is_doubtful(self) -> bool:
        """Whether an answer rests on a state that may be old: nothing to commit would find that out."""
        unsure = any(isinstance(answer, ArgyllError) or not answer.events for answer in self.answers.values())
        return unsure and not self.projection.is_validated


class Executor(Generic[S]):
    """Executes commands against the streams of one aggregate; `observe` hears of each commit that won, once."""

    def __init__(
        self,
        *,
        store: EventStore,
        projections: Projections[S],
        leases: WorkLeases,
        clock: Clock,
        scripts: Scripts,
        dispatcher: Dispatcher,
        observe: Observe[S] = ignore,
    ) -> None:
        self._observe = observe
        self._store = store
        self._projections = projections
        self._aggregate = projections.aggregate
        self._leases = leases
        self._clock = clock
        self._scripts = scripts
        self._dispatcher = dispatcher
        self._locks = [Lock() for _ in range(LOCK_STRIPES)]

    def execute_one(self, request: Request) -> Done[S]:
        """Carry out one command. Raises what the decision refuses, and StoreUnavailableError."""
        (answer,) = self.execute([request])
        if isinstance(answer, ArgyllError):
            raise answer
        return answer

    def execute(self, requests: Sequence[Request]) -> list[Done[S] | ArgyllError]:
        """The answers in order; a refused command does not stop its neighbours.

        Raises:
            StoreUnavailableError: nothing is known of any command; carrying them out again is safe.
        """
        answers: dict[int, Done[S] | ArgyllError] = {}
        open_: dict[StreamID, list[int]] = defaultdict(list)
        for index, request in enumerate(requests):
            open_[request.stream_id].append(index)
        held = [stream_id for stream_id, indexes in open_.items() if not requests[indexes[0]].begins]
        with self._holding(held), self._forgetting_on_error(open_):
            races = 0
            while open_:
                with self._leased(open_, races):
                    won = self._race(requests, open_, races)
                for work in won:
                    answers.update(work.answers)
                    left = [index for index in open_[work.stream_id] if index not in answers]
                    if left:
                        open_[work.stream_id] = left
                    else:
                        del open_[work.stream_id]
                races += 1
        return [answers[index] for index in range(len(requests))]

    # ---- one race ----

    def _race(self, requests: Sequence[Request], open_: dict[StreamID, list[int]], races: int) -> list[_Work[S]]:
        """Decide and commit what is open; the streams that are through."""
        now = self._clock.now()
        begun = () if races else [stream_id for stream_id, ids in open_.items() if requests[ids[0]].begins]
        known = self._known(open_, frozenset(begun))
        works = [self._decide(requests, stream_id, _share(open_[stream_id], races), p, now) for stream_id, p in known]
        doubtful = [work for work in works if work.is_doubtful]
        if doubtful:
            works = [work for work in works if not work.is_doubtful]
            loaded = self._projections.load([work.stream_id for work in doubtful])
            works += [
                self._decide(requests, work.stream_id, work.indexes, projection, now)
                for work, projection in zip(doubtful, loaded, strict=True)
            ]
        return self._commit(requests, works, now)

    def _known(
        self, open_: dict[StreamID, list[int]], begun: Container[StreamID]
    ) -> Iterator[tuple[StreamID, Projection[S]]]:
        """Each stream with what the cache has of it, or else with what the store has; `begun` ones have no past."""
        found = {stream_id: self._projections.cached(stream_id) for stream_id in open_}
        for stream_id, projection in found.items():
            if projection is None and stream_id in begun:
                found[stream_id] = Projection(state=None, next_sequence=0, is_validated=False)
        missing = [stream_id for stream_id, projection in found.items() if projection is None]
        loaded = dict(zip(missing, self._projections.load(missing) if missing else [], strict=True))
        for stream_id, projection in found.items():
            yield stream_id, projection or loaded[stream_id]

    def _decide(
        self, requests: Sequence[Request], stream_id: StreamID, indexes: list[int], start: Projection[S], now: datetime
    ) -> _Work[S]:
        work = _Work(stream_id=stream_id, indexes=indexes, projection=start, state=start.state)
        at = max(now, self._aggregate.last_updated_at(start.state) or now)
        effects: list[Effect] = []
        for index in indexes:
            request = requests[index]
            facts = Facts(now=at, new_token=token_source(request.seed), scripts=self._scripts, memo=request.memo)
            sequence = start.next_sequence + len(work.events)
            try:
                decision = self._aggregate.decide(stream_id, work.state, request.command, facts, sequence)
            except TransientError:
                raise
            except ArgyllError as exc:
                work.answers[index] = exc
                continue
            work.state = decision.state
            work.events.extend(decision.events)
            work.answers[index] = Done(state=decision.state, events=decision.events)
            effects.extend(decision.effects)
        if work.events and work.state is not None:
            effects.extend(self._aggregate.react(start.state, work.state, work.events))
        if effects:
            work.messages.extend(self._dispatcher.render(effects, at))
        return work

    def _commit(self, requests: Sequence[Request], works: list[_Work[S]], now: datetime) -> list[_Work[S]]:
        commits = [self._prepared(requests, work, now) for work in works]
        due = [(work, commit) for work, commit in zip(works, commits, strict=True) if commit is not None]
        won = [work for work, commit in zip(works, commits, strict=True) if commit is None]
        results = self._store.commit([commit for _, commit in due]) if due else []
        unsealed: list[Message] = []
        committed: list[tuple[S | None, Sequence[Recorded]]] = []
        for (work, commit), result in zip(due, results, strict=True):
            if isinstance(result, Committed):
                committed.append((work.state, work.events))
                mark = mark_of(commit.events) or work.projection.mark
                self._projections.keep(work.stream_id, work.state, result.next_sequence, mark)
                unsealed.extend(() if commit.entries else work.messages)
                won.append(work)
            elif isinstance(result, Outdated):
                work.answers = {index: OutdatedDecisionError() for index in work.indexes}
                won.append(work)
            else:
                self._projections.advance(work.stream_id, work.projection, result.missed)
        if unsealed:
            self._dispatcher.publish(unsealed)
        if committed:
            self._observe(committed)
        return won

    def _prepared(self, requests: Sequence[Request], work: _Work[S], now: datetime) -> Commit | None:
        """The commit of a stream; one that cannot be written is refused, and its neighbours are not."""
        try:
            return self._commit_of(requests, work, now)
        except (RecursionError, TypeError, ValueError) as exc:
            error = BrokenError(f"{':'.join(work.stream_id)}: {type(exc).__name__} while writing events: {exc}")
            work.answers = dict.fromkeys(work.indexes, error)
            return None

    def _commit_of(self, requests: Sequence[Request], work: _Work[S], now: datetime) -> Commit | None:
        """Everything that follows from the decisions; None when there is nothing to write."""
        state = work.state
        if state is None or not (work.events or work.messages):
            return None
        asked = [requests[index] for index, answer in work.answers.items() if isinstance(answer, Done)]
        effective = [requests[index] for index in work.indexes if work.has_events(index)]
        events = tuple([encode_recorded(work.stream_id, recorded) for recorded in work.events])
        types = [type_of(recorded.event) for recorded in work.events]
        expected = work.projection.next_sequence
        return Commit(
            stream_id=work.stream_id,
            expected_sequence=expected,
            mark=work.projection.mark,
            events=events,
            event_types=frozenset(types),
            last_type=types[-1] if types and types[-1] in self._aggregate.announced else "",
            index=self._aggregate.index(state, work.events),
            due_at_ms=self._aggregate.due_at_ms(state, now) if work.events else None,
            entries=self._dispatcher.seal(work.messages, () if expected else events),
            claims=tuple(request.claim for request in effective if request.claim),
            released=tuple(token for request in effective for token in request.released),
            delivery_tags=tuple(request.delivery_tag for request in asked if request.delivery_tag),
            rests_on=next((request.rests_on for request in asked if request.rests_on), None),
        )

    # ---- races ----

    @contextmanager
    def _holding(self, streams: Iterable[StreamID]) -> Iterator[None]:
        """Threads of one process take turns on a stream, so that they do not race each other through Redis."""
        stripes = sorted({hash(stream_id) % LOCK_STRIPES for stream_id in streams})
        for stripe in stripes:
            self._locks[stripe].acquire()
        try:
            yield
        finally:
            for stripe in reversed(stripes):
                self._locks[stripe].release()

    @contextmanager
    def _forgetting_on_error(self, streams: dict[StreamID, list[int]]) -> Iterator[None]:
        """After a failed commit nobody knows what the store holds: read it again next time."""
        try:
            yield
        except TransientError:
            for stream_id in streams:
                self._projections.forget(stream_id)
            raise

    @contextmanager
    def _leased(self, open_: dict[StreamID, list[int]], races: int) -> Iterator[None]:
        """Whoever has lost often enough holds the streams' leases for its next try, or waits for them."""
        if races < RACES_BEFORE_LEASE:
            yield
            return
        owner = uuid.uuid4().hex
        names = sorted("commit:" + ":".join(stream_id) for stream_id in open_)
        for name in names:
            for _ in range(int(LEASE_TTL_MS / 1000 / LEASE_POLL_SECONDS)):
                if self._leases.acquire_lease(name, owner, LEASE_TTL_MS):
                    break
                sleep(LEASE_POLL_SECONDS)
        try:
            yield
        finally:
            for name in names:
                self._leases.release_lease(name, owner)


def _share(indexes: list[int], races: int) -> list[int]:
    """What goes into the next try: less after each race, for a long decision never wins against many short ones."""
    return indexes[: max(LEAST_SHARE, len(indexes) >> races)]
