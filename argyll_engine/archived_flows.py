# SPDX-License-Identifier: Apache-2.0
"""Archived flows as clients see them: their events through a bounded cache, and whether a start repeats one.

The digest of a flow is in the flow store, its events are in the archive. Called by the read side and the engine.
Nothing here changes a flow; that is `archive_changes.py`.
"""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Final

from argyll_engine.codec import digest_from_text
from argyll_engine.errors import ArchiveUnavailableError, DamagedArchiveError, FlowExistsError, FlowNotFoundError
from argyll_engine.model.commands import StartFlow
from argyll_engine.model.digest import ArchivedFlow, FlowDigest, ObjectPlace, goals_sha256, init_sha256
from argyll_engine.model.ids import FlowID
from argyll_engine.ports import Archive, ArchiveStore

CACHED_FLOWS: Final = 256
CACHED_BYTES: Final = 32 * 1_048_576
"""What a process keeps of archived flows that were read lately: this many, and so many bytes of events."""

NOT_CONFIGURED: Final = "no archive is configured (ARCHIVE_BUCKET_URL)"


class NoArchive:
    """Implements `ports.Archive` where none is configured: flows that were archived before cannot be read."""

    def read(self, digest: FlowDigest) -> ArchivedFlow | None:
        """Raises ArchiveUnavailableError."""
        raise ArchiveUnavailableError(digest.object_key, NOT_CONFIGURED)

    def place(self, digest: FlowDigest) -> ObjectPlace:
        """Somewhere that nobody knows."""
        return ObjectPlace(target="", key=digest.object_key)

    def delete(self, digest: FlowDigest) -> None:
        """Nothing for a flow that is not archived. Raises ArchiveUnavailableError for others."""
        if digest.object_key:
            raise ArchiveUnavailableError(digest.object_key, NOT_CONFIGURED)

    def delete_former(self, place: ObjectPlace) -> None:
        """Raises ArchiveUnavailableError."""
        raise ArchiveUnavailableError(place.key, NOT_CONFIGURED)


class ArchivedFlows:
    """Reads archived flows.

    Args:
        store: Has their digests.
        archive: Has their objects.
    """

    def __init__(self, store: ArchiveStore, archive: Archive) -> None:
        self._store, self._archive = store, archive
        self._cache = EventCache(CACHED_FLOWS, CACHED_BYTES)

    def digest(self, flow_id: FlowID) -> FlowDigest | None:
        """The digest of a flow; None for one that is not archived. Raises StoreUnavailableError."""
        (digest,) = self._store.digests([flow_id])
        return digest

    def events(self, digest: FlowDigest) -> tuple[bytes, ...]:
        """The events of an archived flow, byte for byte as they were stored.

        Raises:
            ArchiveUnavailableError: Try again later.
            DamagedArchiveError: The object is gone, or not what was written.
            FlowNotFoundError: The flow was erased since its digest was read.
        """
        found = self._cache.get(digest)
        if found is None:
            found = self._read(digest)
            self._cache.put(digest, found)
        return found

    def _read(self, digest: FlowDigest) -> tuple[bytes, ...]:
        try:
            return read_events(self._archive, digest)
        except DamagedArchiveError as exc:
            if self.digest(digest.flow_id) != digest:
                raise FlowNotFoundError(digest.flow_id) from exc
            raise

    def events_of(self, raw_digest: bytes) -> tuple[bytes, ...]:
        """The same by an encoded digest."""
        return self.events(digest_from_text(raw_digest))

    def forget(self, flow_id: FlowID) -> None:
        """Drop what is kept of a flow; it was erased."""
        self._cache.drop(flow_id)

    def check_repeat(self, command: StartFlow) -> bool:
        """Whether the start is that of the archived flow; False if that is in the archive no more: start it again.

        Raises:
            FlowExistsError: The start is another one. Source: the contract, http §1.7.
        """
        digest = self.digest(command.flow_id)
        if digest is not None and not is_same_start(digest, command):
            raise FlowExistsError(command.flow_id)
        return digest is not None


def is_same_start(digest: FlowDigest, command: StartFlow) -> bool:
    """Whether a start has the goals and the initial values of an archived flow."""
    same_goals = digest.goals_sha256 == goals_sha256(command.plan.goals)
    return same_goals and digest.init_sha256 == init_sha256(command.init)


def read_events(archive: Archive, digest: FlowDigest) -> tuple[bytes, ...]:
    """The events that a digest stands for, from the archive.

    Raises:
        ArchiveUnavailableError: Try again later.
        DamagedArchiveError: The object is gone, or not what was written, or of another flow.
    """
    flow = archive.read(digest)
    if flow is None:
        raise DamagedArchiveError(digest.object_key, "it is gone")
    if flow.flow_id != digest.flow_id or len(flow.events) != digest.event_count:
        raise DamagedArchiveError(digest.object_key, "it is not the flow that its digest stands for")
    return flow.events


class EventCache:
    """Events of archived flows, the least recently used dropped first. Safe among threads."""

    def __init__(self, max_flows: int, max_bytes: int) -> None:
        self._max_flows, self._max_bytes = max_flows, max_bytes
        self._kept: OrderedDict[tuple[object, ...], tuple[bytes, ...]] = OrderedDict()
        self._size_bytes = 0
        self._lock = Lock()

    def get(self, digest: FlowDigest) -> tuple[bytes, ...] | None:
        """The events of the flow that had this digest; None if they are not kept."""
        with self._lock:
            found = self._kept.get(_key(digest))
            if found is not None:
                self._kept.move_to_end(_key(digest))
            return found

    def put(self, digest: FlowDigest, events: tuple[bytes, ...]) -> None:
        """Keep them, unless they alone are more than may be kept."""
        size_bytes = _size(events)
        if size_bytes > self._max_bytes:
            return
        with self._lock:
            if _key(digest) not in self._kept:
                self._kept[_key(digest)] = events
                self._size_bytes += size_bytes
            while self._size_bytes > self._max_bytes or len(self._kept) > self._max_flows:
                _, dropped = self._kept.popitem(last=False)
                self._size_bytes -= _size(dropped)

    def drop(self, flow_id: FlowID) -> None:
        """Forget every flow that had this id."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == flow_id]:
                self._size_bytes -= _size(self._kept.pop(key))

    def __len__(self) -> int:
        with self._lock:
            return len(self._kept)


def _key(digest: FlowDigest) -> tuple[object, ...]:
    """An id alone is not enough: it may have been erased and used again."""
    return digest.flow_id, digest.created_at, digest.deactivated_at, digest.event_count


def _size(events: Sequence[bytes]) -> int:
    return sum(map(len, events))
