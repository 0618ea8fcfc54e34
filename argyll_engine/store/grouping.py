# SPDX-License-Identifier: Apache-2.0
"""Group commit: what several threads ask of an event store at the same moment goes as one call. Made by wiring.

Whoever finds the store idle goes at once. Those who come meanwhile wait together, and the first of them takes all
along as soon as the store is free again, or after `MAX_WAIT_SECONDS` if it is not. What a commit means does not change.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, Generic, TypeVar

from argyll_engine.errors import StoreUnavailableError
from argyll_engine.model.ids import StreamID
from argyll_engine.ports import (
    Commit,
    CommitResult,
    Committed,
    EventStore,
    LoadRequest,
    SequenceConflict,
    Snapshot,
    Stream,
)

MAX_WAIT_SECONDS: Final = 0.002
"""How long a group gathers behind a call that is on its way; it then goes beside it."""

MAX_GROUP: Final = 1_024
"""Questions that one group gathers; whoever comes then begins another."""

Q = TypeVar("Q")
A = TypeVar("A")


class GroupedEventStore:
    """Implements `ports.EventStore` on another one, for threads that share it.

    Args:
        store: Does the work.
        max_wait_seconds: How long a call may wait for those before it.
    """

    def __init__(self, store: EventStore, max_wait_seconds: float = MAX_WAIT_SECONDS) -> None:
        self._store = store
        self._loads: Gathering[LoadRequest, Stream] = Gathering(self._load_each_once, max_wait_seconds)
        self._commits: Gathering[Commit, CommitResult] = Gathering(store.commit, max_wait_seconds, self._commit_again)

    def load(self, requests: Sequence[LoadRequest]) -> Sequence[Stream]:
        """The streams, in the order of the requests. Raises StoreUnavailableError."""
        return self._loads.ask(requests)

    def commit(self, commits: Sequence[Commit]) -> Sequence[CommitResult]:
        """The results, in order. Raises StoreUnavailableError."""
        return self._commits.ask(commits)

    def read_log(self, stream_id: StreamID) -> tuple[bytes, ...]:
        """Every stored event of a stream. Raises StoreUnavailableError."""
        return self._store.read_log(stream_id)

    def save_snapshot(self, stream_id: StreamID, snapshot: Snapshot) -> None:
        """Keep a projection, unless a newer one is kept already. Raises StoreUnavailableError."""
        self._store.save_snapshot(stream_id, snapshot)

    def _commit_again(self, commits: Sequence[Commit]) -> Sequence[CommitResult]:
        """The results of commits that may have gone through already: then the conflict shows their own events."""
        return [
            Committed(next_sequence=commit.expected_sequence + len(commit.events))
            if isinstance(result, SequenceConflict) and commit.events and _begins_with(result.missed, commit.events)
            else result
            for commit, result in zip(commits, self._store.commit(commits), strict=True)
        ]

    def _load_each_once(self, requests: Sequence[LoadRequest]) -> Sequence[Stream]:
        """Many threads ask for the same stream, the catalog above all, and know the same of it."""
        different = tuple(dict.fromkeys(requests))
        loaded = self._store.load(different)
        if len(different) == len(requests):
            return loaded
        found = dict(zip(different, loaded, strict=True))
        return tuple(found[request] for request in requests)


def _begins_with(events: Sequence[bytes], first: Sequence[bytes]) -> bool:
    return tuple(events[: len(first)]) == tuple(first)


@dataclass(slots=True, eq=False)
class _Group(Generic[Q, A]):
    """Questions that go together, and what came of them.

    Of its locks, `call` is free once the group may go, and `done` once it was answered. `is_called` says that it goes
    in place of a call that has ended; guarded by the lock of the gathering.
    """

    questions: list[Q]
    members: int = 1
    is_called: bool = False
    answers: Sequence[A] = ()
    error: Exception | None = None
    call: Lock = field(default_factory=Lock)
    done: Lock = field(default_factory=Lock)


class Gathering(Generic[Q, A]):
    """Questions of threads, put together while an answer is on its way.

    Args:
        carry: Answers questions in their order; called by one of the threads that ask.
        max_wait_seconds: How long questions wait for those before them.
        carry_again: Answers those of one member that may have been carried already; `carry` if it is all the same.
    """

    def __init__(
        self,
        carry: Callable[[Sequence[Q]], Sequence[A]],
        max_wait_seconds: float,
        carry_again: Callable[[Sequence[Q]], Sequence[A]] | None = None,
    ) -> None:
        self._carry = carry
        self._carry_again = carry_again or carry
        self._max_wait_seconds = max_wait_seconds
        self._lock = Lock()
        self._in_flight = 0
        self._gathered: list[_Group[Q, A]] = []  # all but the last one are full

    def ask(self, questions: Sequence[Q]) -> Sequence[A]:
        """The answers, in order. Raises what `carry` raises for these questions.

        That the store is away concerns all of a group. Any other error may be one member's own, so each asks again
        by itself, which those that were carried out already can bear: see `RedisEventStore.commit`.
        """
        if not questions:
            return ()
        group, place = self._join(questions)
        if place == 0:
            self._lead(group)
        else:
            with group.done:
                pass
        if group.error is None:
            return group.answers if group.members == 1 else group.answers[place : place + len(questions)]
        if group.members == 1 or isinstance(group.error, StoreUnavailableError):
            raise group.error
        return self._carry_again(questions)

    def _join(self, questions: Sequence[Q]) -> tuple[_Group[Q, A], int]:
        """The group that these questions go with, and their place in it; who has the first place leads it."""
        with self._lock:
            group = self._gathered[-1] if self._gathered else None
            if group is not None and len(group.questions) + len(questions) <= MAX_GROUP:
                place = len(group.questions)
                group.questions.extend(questions)
                group.members += 1
                return group, place
            group = _Group(list(questions))
            group.done.acquire()
            if self._in_flight:
                group.call.acquire()
                self._gathered.append(group)
            else:
                group.is_called = True
                self._in_flight = 1
            return group, 0

    def _lead(self, group: _Group[Q, A]) -> None:
        """Wait for the call before, or not much longer; then go for the whole group."""
        group.call.acquire(timeout=self._max_wait_seconds)
        with self._lock:
            self._in_flight += not group.is_called
            group.is_called = True
            if group in self._gathered:
                self._gathered.remove(group)
        try:
            group.answers = self._carry(group.questions)
        except Exception as exc:  # noqa: BLE001 - it is raised by everyone whom it concerns
            group.error = exc
        except BaseException:  # this thread is to end; what came of the call, nobody knows
            group.error = StoreUnavailableError("event", "the call was broken off")
            raise
        finally:
            self._leave()
            group.done.release()

    def _leave(self) -> None:
        """Make room for the group that was gathered meanwhile, if there is one."""
        with self._lock:
            group = next((group for group in self._gathered if not group.is_called), None)
            if group is None:
                self._in_flight -= 1
            else:
                group.is_called = True
                group.call.release()
