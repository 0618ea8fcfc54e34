# SPDX-License-Identifier: Apache-2.0
"""One batch: leased flows become verified objects, then digests. Written, verified, and only then deleted.

A child goes with its root or after it. What a crash leaves at any point is a lease that ends: whoever takes the flow
over writes the same bytes under the same key again. Called by `archiver.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import Final

from argyll_archiver.archive import FlowArchive
from argyll_archiver.meter import Tally, note_failure
from argyll_archiver.record import is_log_of
from argyll_engine.errors import (
    ArchiveUnavailableError,
    ArgyllError,
    BrokenError,
    DamagedArchiveError,
    InvalidRequestError,
)
from argyll_engine.model.digest import FlowDigest
from argyll_engine.model.ids import FlowID, is_child, root_of
from argyll_engine.ports import ArchiveJobs, ArchiveStore

GROUP_FLOWS: Final = 128
GROUP_EVENTS: Final = 20_000
"""Flows and events that are in memory at the same time, unless one flow alone has more."""

STOP_AFTER: Final = 8
"""So many flows that the target did not take, and none that it took: the rest of the batch is left for later."""


class Batches:
    """Carries batches out.

    Args:
        workers: Threads that make, write and verify objects.
        lease_ms: How long a flow rests that cannot be archived as it is, and the leases of children.
    """

    def __init__(
        self, *, store: ArchiveStore, jobs: ArchiveJobs, archive: FlowArchive, workers: Executor, lease_ms: int
    ) -> None:
        self._store, self._jobs, self._archive = store, jobs, archive
        self._workers, self._lease_ms = workers, lease_ms

    def run(self, tally: Tally) -> None:
        """Archive what was chosen, all of it leased by the owner, with its children; the tally says what came of it.

        Raises:
            StoreUnavailableError: Some may be archived; the leases of the others are still the owner's.
        """
        ready = self._with_children(tally)
        counts = dict(zip(ready, self._jobs.event_counts(ready), strict=True)) if ready else {}
        self._jobs.release(tally.owner, [flow_id for flow_id in ready if not counts[flow_id]])
        for group in _groups([flow_id for flow_id in ready if counts[flow_id]], counts):
            if tally.is_refused and tally.failures["target"] >= STOP_AFTER:
                self._give_back(tally, group)
            else:
                self._archive_group(tally, group)

    # ---- which flows ----

    def _with_children(self, tally: Tally) -> list[FlowID]:
        """The flows that can go now, each root before its children, all leased by the owner.

        A root whose live child is somebody else's rests: gone without it, nobody would ever come back for the child.
        """
        roots = [flow_id for flow_id in tally.chosen if not is_child(flow_id)]
        ready: list[FlowID] = []
        families = self._store.family(roots) if roots else ()
        children = [child for family in families for child in family]
        live = self._live(children)
        tally.children = tuple(self._jobs.hold(tally.owner, live, self._lease_ms))
        held = set(tally.children)
        missing = set(live) - held
        tally.conflicts += len(missing)
        for root, family in zip(roots, families, strict=True):
            if missing.isdisjoint(family):
                ready += (root, *(child for child in family if child in held))
            else:
                self._jobs.rest(tally.owner, [root], self._lease_ms)
                self._jobs.release(tally.owner, [child for child in family if child in held])
        return ready + self._orphans(tally, set(ready))

    def _live(self, flow_ids: Sequence[FlowID]) -> list[FlowID]:
        counts = self._jobs.event_counts(flow_ids) if flow_ids else ()
        return [flow_id for flow_id, count in zip(flow_ids, counts, strict=True) if count]

    def _orphans(self, tally: Tally, known: set[FlowID]) -> list[FlowID]:
        """Children that were chosen without their root; those whose root is live go with that, at its time."""
        children = [flow_id for flow_id in tally.chosen if is_child(flow_id) and flow_id not in known]
        digests = self._store.digests([root_of(child) for child in children]) if children else ()
        early = [child for child, digest in zip(children, digests, strict=True) if digest is None]
        self._jobs.release(tally.owner, early)
        return [child for child in children if child not in early]

    # ---- one group ----

    def _archive_group(self, tally: Tally, group: Sequence[FlowID]) -> None:
        logs = self._jobs.logs(group)
        made = list(self._workers.map(self._written, group, logs))
        self._settle_failures(tally, [result for result in made if not isinstance(result, FlowDigest)])
        digests = [result for result in made if isinstance(result, FlowDigest)]
        self._replace(tally, [digest for digest in digests if not is_child(digest.flow_id)])
        self._replace_children(tally, [digest for digest in digests if is_child(digest.flow_id)])

    def _written(self, flow_id: FlowID, events: Sequence[bytes]) -> "FlowDigest | _Failed":
        try:
            return self._archive.write(flow_id, events)
        except ArgyllError as exc:
            return flow_id, exc
        except Exception as exc:  # noqa: BLE001 - whatever is wrong with one flow, its neighbours go on
            return flow_id, BrokenError(f"{type(exc).__name__}: {exc}")

    def _replace(self, tally: Tally, digests: Sequence[FlowDigest]) -> None:
        done = self._jobs.replace(tally.owner, digests) if digests else ()
        for digest, is_replaced in zip(digests, done, strict=True):
            if is_replaced:
                tally.archived.append(digest.flow_id)
                tally.archived_bytes += digest.object_bytes
        lost = [digest for digest, is_replaced in zip(digests, done, strict=True) if not is_replaced]
        flow_ids = [digest.flow_id for digest in lost]
        tally.conflicts += len(lost)
        self._jobs.rest(tally.owner, flow_ids, self._lease_ms)  # those that are still ours, but not as they should be
        self._drop_erased(tally, lost)

    def _drop_erased(self, tally: Tally, lost: Sequence[FlowDigest]) -> None:
        """Delete the objects of flows that were erased while they were written: nobody else knows of them.

        Their ids may be those of other flows by now, whose objects have other keys.
        """
        flow_ids = [digest.flow_id for digest in lost]
        logs = self._jobs.logs(flow_ids) if lost else ()
        digests = self._store.digests(flow_ids) if lost else ()
        for digest, log, known in zip(lost, logs, digests, strict=True):
            if known is not None:
                is_needed = known.object_key == digest.object_key
            else:
                is_needed = is_log_of(log, digest)
            if is_needed:
                continue
            try:
                self._archive.delete(digest)
            except ArchiveUnavailableError as exc:
                note_failure(tally, digest.flow_id, _cause(exc), f"object of an erased flow: {exc}")

    def _replace_children(self, tally: Tally, digests: Sequence[FlowDigest]) -> None:
        """Only of roots that are archived by now: a child never goes before its root."""
        if not digests:
            return
        roots = self._store.digests([root_of(digest.flow_id) for digest in digests])
        with_root = [root is not None for root in roots]
        self._replace(tally, [digest for digest, is_ready in zip(digests, with_root, strict=True) if is_ready])
        early = [digest.flow_id for digest, is_ready in zip(digests, with_root, strict=True) if not is_ready]
        self._jobs.release(tally.owner, early)

    # ---- what went wrong ----

    def _settle_failures(self, tally: Tally, failed: Sequence["_Failed"]) -> None:
        again: list[FlowID] = []
        resting: list[FlowID] = []
        for flow_id, error in failed:
            if isinstance(error, InvalidRequestError) and is_child(flow_id):  # it may go on after its root has ended
                resting.append(flow_id)
                continue
            note_failure(tally, flow_id, _cause(error), str(error))
            # a running flow that was asked for is nobody's job; one that the index takes for ended may not come at once
            is_running = isinstance(error, InvalidRequestError) and tally.is_named
            (again if is_running or isinstance(error, ArchiveUnavailableError) else resting).append(flow_id)
        self._jobs.rest(tally.owner, resting, self._lease_ms)
        self._give_back(tally, again)

    def _give_back(self, tally: Tally, flow_ids: Sequence[FlowID]) -> None:
        """End the leases of flows that may be tried again at once. Nothing but its job speaks of a child."""
        self._jobs.release(tally.owner, [flow_id for flow_id in flow_ids if not is_child(flow_id)])
        self._jobs.rest(tally.owner, [flow_id for flow_id in flow_ids if is_child(flow_id)], 0)


_Failed = tuple[FlowID, ArgyllError]


def _cause(error: ArgyllError) -> str:
    if isinstance(error, ArchiveUnavailableError):
        return "target"
    return "verify" if isinstance(error, DamagedArchiveError) else "other"


def _groups(flow_ids: Sequence[FlowID], counts: Mapping[FlowID, int]) -> Iterator[list[FlowID]]:
    """The flows in their order, in groups of bounded size."""
    group: list[FlowID] = []
    events = 0
    for flow_id in flow_ids:
        if group and (len(group) >= GROUP_FLOWS or events + counts[flow_id] > GROUP_EVENTS):
            yield group
            group, events = [], 0
        group.append(flow_id)
        events += counts[flow_id]
    if group:
        yield group
