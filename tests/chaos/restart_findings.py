# SPDX-License-Identifier: Apache-2.0
"""What a drill of restarts has seen: faults, and how long messages waited. Called by `rolling_restart.py`."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from threading import Lock

from argyll_api.client import Event


@dataclass(frozen=True, kw_only=True)
class Claim:
    """How long the message of a step has waited until a worker began with it."""

    step_id: str
    sent_at: datetime
    seconds: float


@dataclass(kw_only=True)
class Findings:
    """What a drill has seen; threads may share it."""

    completed: int = 0
    faults: list[str] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    queue_seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    restarts: list[str] = field(default_factory=list)
    phases: list[tuple[datetime, str]] = field(default_factory=list)
    requests: int = 0
    second_tries: int = 0
    repeated_calls: int = 0
    _lock: Lock = field(default_factory=Lock)

    def begin(self, phase: str) -> None:
        """From now on this is going on."""
        self.phases.append((datetime.now(UTC), phase))

    def note_end(self, claims: Iterable[Claim], faults: Iterable[str]) -> None:
        """A flow has completed, with these claims and faults in its log."""
        with self._lock:
            self.completed += 1
            self.claims.extend(claims)
            self.faults.extend(faults)

    @property
    def longest_wait_seconds(self) -> float:
        """Of any message, in its queue or in the hands of a worker that had not begun with it."""
        return max([*self.queue_seconds.values(), *(claim.seconds for claim in self.claims)], default=0.0)

    def longest_claims(self) -> Iterator[tuple[str, Claim]]:
        """For each phase the claim that took longest of what was sent in it."""
        claims = sorted(self.claims, key=lambda claim: claim.sent_at)
        starts = [bisect_left(claims, at, key=lambda claim: claim.sent_at) for at, _ in self.phases]
        for (_, phase), (first, end) in zip(self.phases, pairwise([*starts, len(claims)]), strict=True):
            if first < end:
                yield phase, max(claims[first:end], key=lambda claim: claim.seconds)

    def lines(self) -> Iterator[str]:
        """All of it for people."""
        yield f"{self.completed} flows completed, {self.requests} requests, {self.second_tries} asked again"
        yield from self.restarts
        for queue, seconds in sorted(self.queue_seconds.items()):
            yield f"queue {queue}: the oldest message was {seconds:.2f} s old"
        for phase, claim in self.longest_claims():
            yield f"while {phase}: at most {claim.seconds:.2f} s from a commit to its claim (step {claim.step_id})"
        yield f"{self.repeated_calls} calls of services were made again"
        yield from (f"FAULT: {fault}" for fault in self.faults)


def claims_of(events: Iterable[Event]) -> Iterator[Claim]:
    """The claim of each step's first item, after the commit that sent its message."""
    sent = {}
    for event in events:
        assert event.at is not None
        if event.type == "step_started":
            sent[event.step_id] = event.at
        elif event.type == "work_started" and event.step_id in sent:
            sent_at = sent.pop(event.step_id)
            yield Claim(step_id=event.step_id, sent_at=sent_at, seconds=(event.at - sent_at).total_seconds())
