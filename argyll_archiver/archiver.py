# SPDX-License-Identifier: Apache-2.0
"""When flows are archived: under pressure of memory, by age, and again where an archiver was lost.

Called by the tasks and the watch of `argyll archiver`. Any number of archivers may run: what one has leased, no other
takes. Which flows are asked for is `policy.py`, and what becomes of them `batches.py`.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Event, Lock
from typing import Final

from argyll_archiver.batches import Batches
from argyll_archiver.config import ArchiverConfig
from argyll_archiver.meter import Tally, note_backlog, note_batch, note_lost_store
from argyll_archiver.policy import follows_at_once, has_room, is_near_pressure, is_under_pressure, old_enough_before
from argyll_engine.errors import ArchiveUnavailableError, StoreUnavailableError
from argyll_engine.model.ids import FlowID
from argyll_engine.model.vitals import MemoryUse
from argyll_engine.ports import ArchiveJobs, ArchiveStore, Clock

PRESSURE: Final = "pressure"
AGE: Final = "age"
OTHER: Final = "other"
"""Why a batch is archived."""


class Archiver:
    """Archives batch after batch.

    Args:
        side_by_side: Batches at the same time while memory is short; they are small, and mostly wait.
        clock_seconds: A clock that only goes forward.
    """

    def __init__(
        self,
        *,
        config: ArchiverConfig,
        store: ArchiveStore,
        jobs: ArchiveJobs,
        batches: Batches,
        clock: Clock,
        side_by_side: int = 1,
        clock_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._store, self._jobs, self._batches = config, store, jobs, batches
        self._clock, self._clock_seconds, self._side_by_side = clock, clock_seconds, side_by_side
        self._stopping = Event()
        self._lock = Lock()
        self._abandoned: list[tuple[str, Sequence[FlowID]]] = []
        self._use = MemoryUse(used_bytes=0, limit_bytes=0)

    # ---- verbs ----

    def check_memory(self) -> int:
        """How many flows were archived because memory is short. Raises StoreUnavailableError."""
        self._use = self._store.memory()
        archived = self._relieve() if is_under_pressure(self._use, self._config) else 0
        self._note_backlog()
        return archived

    def _relieve(self) -> int:
        """Makes room, in several lanes at once."""
        with ThreadPoolExecutor(self._side_by_side, "relief") as threads:
            lanes = [threads.submit(self._make_room) for _ in range(self._side_by_side)]
        return sum(lane.result() for lane in lanes)

    def _make_room(self) -> int:
        """Small batches, one after the other, until there is room."""
        config = self._config
        return self._rounds(
            PRESSURE, config.pressure_batch, config.memory_check_interval_seconds, lambda: None, self._needs_room
        )

    def sweep(self, call_for_help: Callable[[], None] = lambda: None) -> int:
        """How many flows were archived because they are old. Raises StoreUnavailableError.

        Args:
            call_for_help: Called once if there are more than one batch, so that another archiver may join.
        """
        config = self._config
        return self._rounds(
            AGE,
            config.sweep_batch,
            config.sweep_interval_seconds,
            lambda: old_enough_before(self._clock.now(), config),
            lambda: True,
            call_for_help,
        )

    def finish(self) -> int:
        """How many flows of unfinished jobs were archived, such as those of archivers that were lost.

        Raises:
            StoreUnavailableError: The next look goes on from there.
        """
        self._return_abandoned()
        owner = uuid.uuid4().hex
        chosen = self._jobs.take_over(owner, self._config.sweep_batch, self._lease_ms)
        return len(self._archive(OTHER, owner, chosen, is_named=True).archived)

    def archive(self, flow_id: FlowID) -> bool:
        """Whether one ended flow was archived now; False for one that runs, is archived, or is somebody else's.

        Raises:
            StoreUnavailableError, ArchiveUnavailableError: Try again later.
        """
        owner = uuid.uuid4().hex
        chosen = self._jobs.hold(owner, [flow_id], self._lease_ms)
        tally = self._archive(OTHER, owner, chosen, is_named=True)
        if tally.is_refused:
            raise ArchiveUnavailableError(flow_id, "it did not take the flow; the line before says why")
        return flow_id in tally.archived

    def wants_check(self) -> bool:
        """Whether memory is so near the threshold that the next check may come too late. Raises StoreUnavailableError.

        So checks need neither beat nor messages, for which Redis may be too full.
        """
        self._use = self._store.memory()
        return is_near_pressure(self._use, self._config)

    def stop(self, **_signal: object) -> None:
        """No further batch begins; the current ones end."""
        self._stopping.set()

    # ---- batches ----

    def _rounds(
        self,
        reason: str,
        batch: int,
        interval_seconds: float,
        before: Callable[[], datetime | None],
        is_wanted: Callable[[], bool],
        call_for_help: Callable[[], None] = lambda: None,
    ) -> int:
        """Batches, one after the other, while they are wanted, there is more to do, and the interval has time left."""
        started, total = self._clock_seconds(), 0
        is_alone = True
        while not self._stopping.is_set() and is_wanted():
            owner = uuid.uuid4().hex
            chosen = self._jobs.reserve(owner, before(), batch, self._lease_ms)
            if is_alone and len(chosen) == batch:
                is_alone = False
                call_for_help()
            tally = self._archive(reason, owner, chosen)
            total += len(tally.archived)
            elapsed = self._clock_seconds() - started
            if tally.is_refused or not follows_at_once(len(chosen), batch, elapsed, interval_seconds):
                break
        return total

    def _archive(self, reason: str, owner: str, chosen: Sequence[FlowID], *, is_named: bool = False) -> Tally:
        tally = Tally(owner=owner, chosen=tuple(chosen), is_named=is_named)
        if not chosen:
            return tally
        started = self._clock_seconds()
        try:
            self._batches.run(tally)
        except StoreUnavailableError as exc:
            note_lost_store(tally, str(exc))
            with self._lock:
                self._abandoned.append((owner, tally.chosen + tally.children))
            raise
        note_batch(reason, tally, self._clock_seconds() - started)
        return tally

    def _return_abandoned(self) -> None:
        """Give back what was leased when the store went away, so that it need not wait for the end of the leases."""
        with self._lock:
            abandoned, self._abandoned = self._abandoned, []
        for index, (owner, flow_ids) in enumerate(abandoned):
            try:
                self._jobs.rest(owner, flow_ids, 0)
            except StoreUnavailableError:
                with self._lock:
                    self._abandoned += abandoned[index:]
                raise

    def _needs_room(self) -> bool:
        self._use = self._store.memory()
        return not has_room(self._use, self._config)

    def _note_backlog(self) -> None:
        due_at = old_enough_before(self._clock.now(), self._config) or self._clock.now()
        count, oldest_at = self._jobs.waiting(due_at)
        note_backlog(count, oldest_at, due_at)

    @property
    def _lease_ms(self) -> int:
        return int(self._config.lease_timeout_seconds * 1_000)
