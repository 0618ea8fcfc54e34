# SPDX-License-Identifier: Apache-2.0
"""Looking at the whole archive, for operators: what is there, whether every object is whole, copies of all of it.

Reads only. Called by the console.
"""

import gzip
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final, TypeVar

from msgspec.structs import replace

from argyll_archiver.archive import FlowArchive
from argyll_archiver.reader import ArchiveReader
from argyll_archiver.record import FORMER_LAYOUT, LAYOUT, is_flow_of, read_object
from argyll_engine.errors import DamagedArchiveError
from argyll_engine.model.digest import FlowDigest
from argyll_engine.model.ids import FlowID
from argyll_engine.model.listing import Cursor, FlowQuery, Sort
from argyll_engine.ports import ArchiveStore, FlowIndex

THREADS: Final = 16
PAGE: Final = 500
"""Root flows that are looked up together."""

GONE: Final = "it is gone"

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which archived flows are meant: deactivated from `since` to before `until` (None: any), ids that begin so."""

    since: datetime | None = None
    until: datetime | None = None
    id_prefix: str = ""

    def has_day(self, day: str) -> bool:
        """Whether flows of a day, as in keys, may be meant."""
        last = None if self.until is None else _day(self.until - timedelta.resolution)
        return (self.since is None or day >= _day(self.since)) and (last is None or day <= last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One object that was read again; `fault` is empty for a whole one.

    `is_used` is False for an object that no digest speaks of: that of a restored flow, or of an unfinished job.
    """

    key: str
    flow_id: str
    fault: str = ""
    is_used: bool = True


class Inspection:
    """Reads the archive through."""

    def __init__(self, *, index: FlowIndex, store: ArchiveStore, reader: ArchiveReader) -> None:
        self._index, self._store, self._reader = index, store, reader

    def digests(self, selection: Selection) -> Iterator[FlowDigest]:
        """Every archived flow, each root before its children, in the order of their deactivation.

        Raises:
            StoreUnavailableError
        """
        for roots in self._pages(selection):
            families = self._store.family(roots)
            flow_ids = [each for root, family in zip(roots, families, strict=True) for each in (root, *family)]
            yield from (digest for digest in self._store.digests(flow_ids) if digest is not None)

    def verify(self, selection: Selection) -> Iterator[Finding]:
        """Every object of the selection, read again and checked: those of digests, then those of nobody.

        Raises:
            StoreUnavailableError, ArchiveUnavailableError: The rest is not known.
        """
        used: set[int] = set()
        for finding in _in_threads(self._check, self.digests(selection)):
            used.add(hash(finding.key))
            yield finding
        if not selection.id_prefix:
            unused = (key for key in self._keys(selection) if hash(key) not in used)
            yield from (finding for finding in _in_threads(self._check_unused, unused) if finding is not None)

    def texts(self, selection: Selection) -> Iterator[tuple[str, bytes]]:
        """Key and JSON text of every archived flow of the selection, checked.

        Raises:
            StoreUnavailableError, ArchiveUnavailableError, DamagedArchiveError
        """
        found = _in_threads(self._text_if_there, self.digests(selection))
        return (text for text in found if text is not None)

    def text(self, digest: FlowDigest) -> tuple[str, bytes]:
        """Key and JSON text of one archived flow; raises as `texts` does."""
        body = self._reader.sink.get(digest.object_key)
        if body is None:
            raise DamagedArchiveError(digest.object_key, GONE)
        if not is_flow_of(read_object(digest.object_key, body), digest):
            raise DamagedArchiveError(digest.object_key, f"it is not the flow {digest.flow_id} of its digest")
        return digest.object_key, gzip.decompress(body)

    def _pages(self, selection: Selection) -> Iterator[list[FlowID]]:
        cursor = None
        if selection.since is not None:
            cursor = Cursor(id=FlowID(""), group=1, recent_ms=int(selection.since.timestamp() * 1_000))
        query = FlowQuery(archived=True, id_prefix=selection.id_prefix, limit=PAGE, sort=Sort.RECENT_ASC, cursor=cursor)
        while True:
            page = self._index.query(query)
            rows = [row for row in page.items if selection.until is None or row.at < selection.until]
            if rows:
                yield [row.id for row in rows]
            if page.next_cursor is None or len(rows) < len(page.items):
                return
            query = replace(query, cursor=page.next_cursor)

    def _keys(self, selection: Selection) -> Iterator[str]:
        """Every object whose day is in the selection."""
        for layout in (FORMER_LAYOUT, LAYOUT):
            folder = self._reader.prefix + layout
            after = folder + _day(selection.since) if selection.since else ""
            for entry in self._reader.sink.list(folder, after):
                if selection.has_day(entry.key.removeprefix(folder).partition("/")[0]):
                    yield entry.key

    def _check(self, digest: FlowDigest) -> Finding:
        fault = self._fault(digest)
        # an object that is gone, or another's by now, is none of a flow that was erased since its digest was read
        is_used = not fault or self._is_current(digest)
        return Finding(key=digest.object_key, flow_id=digest.flow_id, fault=fault if is_used else "", is_used=is_used)

    def _fault(self, digest: FlowDigest) -> str:
        try:
            found = FlowArchive(self._reader.sink, self._reader.prefix).read(digest)
        except DamagedArchiveError as exc:
            return exc.reason
        return "" if found is not None else GONE

    def _is_current(self, digest: FlowDigest) -> bool:
        return tuple(self._store.digests([digest.flow_id])) == (digest,)

    def _check_unused(self, key: str) -> Finding | None:
        """None for an object that is gone since it was listed: its flow was erased."""
        try:
            found = FlowArchive(self._reader.sink, self._reader.prefix).read_key(key)
        except DamagedArchiveError as exc:
            return Finding(key=key, flow_id="", fault=exc.reason, is_used=False)
        if found is None:
            return None
        # it may have been archived since digests were listed
        (digest,) = self._store.digests([found.flow_id])
        return Finding(key=key, flow_id=found.flow_id, is_used=digest is not None and digest.object_key == key)

    def _text_if_there(self, digest: FlowDigest) -> tuple[str, bytes] | None:
        """None for a flow that was restored or erased since its digest was read."""
        try:
            return self.text(digest)
        except DamagedArchiveError:
            if self._is_current(digest):
                raise
            return None


def _day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d}"


def _in_threads(act: Callable[[A], B], things: Iterable[A]) -> Iterator[B]:
    """What comes of each thing, in their order; a few at a time."""
    rest = iter(things)
    with ThreadPoolExecutor(THREADS, "inspection") as pool:
        while group := list(islice(rest, PAGE)):
            yield from pool.map(act, group)
