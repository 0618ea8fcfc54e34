# SPDX-License-Identifier: Apache-2.0
"""Remembered results of memoizable steps: what this process has seen lately, in front of what all processes share.

Called by the work runner before it starts an item, and by whoever records that one succeeded, after the commit: a
crash in between loses nothing but the memory. Nothing here fails a flow. Source: the contract, execution §5.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from threading import Lock
from typing import Final, Generic, TypeVar

from argyll_engine import log as logs
from argyll_engine.errors import BrokenError, TransientError
from argyll_engine.model.events import Recorded, WorkSucceeded
from argyll_engine.model.flow import FlowState
from argyll_engine.model.ids import JSONValue, Name
from argyll_engine.model.invocation import Succeeded
from argyll_engine.model.step import Step
from argyll_engine.policy.memo_key import inputs_digest, step_digest
from argyll_engine.policy.work import effective_inputs
from argyll_engine.ports import Clock, Memo

PAUSE: Final = timedelta(seconds=1)
"""How long the shared memory is left alone after it did not answer: a store that is away must not slow every item."""
DIGESTS: Final = 256
"""Steps whose half of the key is kept: the plans of the flows at hand."""

K = TypeVar("K")
V = TypeVar("V")

log = logs.get(__name__)


class Memoization:
    """Finds results of earlier calls, and keeps new ones; the first result of a call is the one that is kept.

    Args:
        shared: what all processes remember.
        capacity: results that this process keeps of its own.
    """

    def __init__(self, shared: Memo, *, capacity: int, clock: Clock) -> None:
        self._shared = shared
        self._clock = clock
        self._kept: _Recent[str, Succeeded] = _Recent(capacity)
        self._digests: _Recent[int, tuple[Step, str]] = _Recent(DIGESTS)
        self._away_until: datetime | None = None

    def find(self, step: Step, inputs: Mapping[Name, JSONValue]) -> Succeeded | None:
        """The result of an earlier call like this one; None for none, and for a step that is not memoizable."""
        if not step.memoizable:
            return None
        key = self._key(step, inputs)
        found = self._kept.get(key)
        if found is None and (found := self._find_shared(key)) is not None:
            found = self._kept.add(key, found)
        return found

    def keep(self, state: FlowState, recorded: Sequence[Recorded]) -> None:
        """Remember the raw outputs of the items that these events say have succeeded.

        Args:
            state: the flow after the events.
        """
        for record in recorded:
            event = record.event
            if isinstance(event, WorkSucceeded) and state.plan.steps[event.step_id].memoizable:
                ex = state.executions[event.step_id]
                inputs = effective_inputs(ex, ex.work_items[event.token])
                key = self._key(state.plan.steps[event.step_id], inputs)
                self._kept.add(key, self._keep_shared(key, Succeeded(outputs=event.outputs)))

    def _key(self, step: Step, inputs: Mapping[Name, JSONValue]) -> str:
        known = self._digests.get(id(step))
        if known is None:
            known = self._digests.add(id(step), (step, step_digest(step)))  # held, so that no other gets its id
        return f"{known[1]}:{inputs_digest(inputs)}"

    # ---- what all processes share ----

    def _find_shared(self, key: str) -> Succeeded | None:
        if self._is_away():
            return None
        try:
            (found,) = self._shared.find([key])
        except (TransientError, BrokenError) as exc:
            self._leave_alone(exc)
            return None
        return found

    def _keep_shared(self, key: str, result: Succeeded) -> Succeeded:
        """What is kept in the end: what another process was faster with, or else this result."""
        if self._is_away():
            return result
        try:
            return self._shared.keep({key: result})[key]
        except (TransientError, BrokenError) as exc:
            self._leave_alone(exc)
            return result

    def _is_away(self) -> bool:
        return self._away_until is not None and self._clock.now() < self._away_until

    def _leave_alone(self, exc: Exception) -> None:
        log.warning("memo_unavailable", error=str(exc))
        self._away_until = self._clock.now() + PAUSE


class _Recent(Generic[K, V]):
    """At most `capacity` values, the least recently used dropped first. Safe among threads."""

    __slots__ = ("_capacity", "_kept", "_lock")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        """The value; None for none."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def add(self, key: K, value: V) -> V:
        """The value that is kept: the one that was there, else this one."""
        with self._lock:
            kept = self._kept.setdefault(key, value)
            self._kept.move_to_end(key)
            if len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
            return kept
