# SPDX-License-Identifier: Apache-2.0
"""Both stores as checksummed objects, and back into empty stores. `docs/backup.md` describes the form.

A backup is a folder of parts, each some lines of JSON, compressed, and a manifest that is written last and names the
checksum of every part: without it there is no backup. Flows come back through the same commits by which they were made,
so nothing of an index is kept here. Composed by `argyll_api/cli/backup.py`.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from itertools import chain
from typing import Any, Final, Protocol

import msgspec

from argyll_engine.aggregates import FlowAggregate
from argyll_engine.codec import decode_recorded, encode
from argyll_engine.codec.wire import milliseconds
from argyll_engine.errors import DamagedBackupError, UndecodableEventError
from argyll_engine.model.digest import AuditRecord
from argyll_engine.model.events import Recorded
from argyll_engine.model.ids import FlowID
from argyll_engine.model.stored import StoredStream
from argyll_engine.ports import Commit, Committed, EventStore

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
PART_BYTES: Final = 16 * 1_048_576
"""Text of one part, about; a single flow is never divided."""
COMMITS: Final = 100
"""Flows that are restored in one round trip."""

STREAM, AUDIT = "stream", "audit"
"""Kinds of lines."""
FORMER_COUNT = "erasures"
"""A kind that former versions wrote, with a number that nobody needs any more."""


class _Line(msgspec.Struct, frozen=True):
    """One line of a part; which members it has depends on its kind."""

    kind: str
    stream: tuple[str, ...] = ()
    first: int = 0
    events: list[msgspec.Raw] = []
    covered: int = 0
    payload: bytes | None = None
    digest: str | None = None
    position: str = ""
    members: dict[str, str] = {}


class Objects(Protocol):
    """Where a backup goes: objects by key. Every method raises ArchiveUnavailableError."""

    def put(self, key: str, body: bytes) -> bool:
        """Keep an object, durably."""

    def get(self, key: str) -> bytes | None:
        """The whole object; None if there is none."""


class Contents(Protocol):
    """A store that is copied; `store/dump.py` implements it. Every method raises StoreUnavailableError."""

    def shared_streams(self) -> Sequence[StoredStream]:
        """Catalog and cluster."""

    def flows(self) -> Iterator[StoredStream]:
        """Every flow."""

    def put_shared(self, stream: StoredStream) -> None:
        """Put catalog or cluster there."""

    def put_archived(self, streams: Sequence[StoredStream]) -> None:
        """Put archived flows there."""

    def put_audit(self, records: Sequence[AuditRecord]) -> None:
        """Put the records of erased flows there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One object of a backup, as its manifest has it."""

    key: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds. `flows` are live ones, children too, and `archived` those of which there is a digest."""

    created_at: str
    written_by: str
    flows: int
    archived: int
    events: int
    parts: tuple[Part, ...]
    format: int = FORMAT


@dataclass(slots=True)
class _Counts:
    flows: int = 0
    archived: int = 0
    events: int = 0

    def add(self, stream: StoredStream) -> None:
        """Count a stream."""
        is_flow = stream.stream_id[0] == "flow"
        self.flows += is_flow and stream.digest is None
        self.archived += is_flow and stream.digest is not None
        self.events += len(stream.events)


@dataclass(slots=True)
class _Writer:
    """Lines to parts."""

    objects: Objects
    name: str
    parts: list[Part] = field(default_factory=list)
    _lines: list[bytes] = field(default_factory=list)
    _size: int = 0

    def add(self, line: Mapping[str, Any]) -> None:
        """One more line."""
        text = encode(line)
        self._lines.append(text)
        self._size += len(text)
        if self._size >= PART_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is there as a part."""
        if not self._lines:
            return
        body = gzip.compress(b"\n".join(self._lines) + b"\n", mtime=0)
        key = f"{self.name}/part-{len(self.parts) + 1:05}.jsonl.gz"
        self.objects.put(key, body)
        self.parts.append(Part(key=key, size_bytes=len(body), sha256=sha256(body).hexdigest()))
        self._lines, self._size = [], 0


def create(
    engine: Contents,
    flows: Contents,
    audit: Iterable[AuditRecord],
    objects: Objects,
    *,
    name: str,
    at: datetime,
    written_by: str,
) -> Manifest:
    """The manifest of a new backup, which is whole when this returns.

    Args:
        audit: The records of erased flows.
        name: The folder that the backup is.
        written_by: The version that writes it.

    Raises:
        StoreUnavailableError, ArchiveUnavailableError: There is no backup; what was written has no manifest.
    """
    writer, counts = _Writer(objects, name), _Counts()
    # Flows first: the catalog may then know more than they do, which hurts nobody.
    for store in (flows, engine):
        for stream in chain(store.shared_streams(), store.flows() if store is flows else ()):
            writer.add(_line(stream))
            counts.add(stream)
    for record in audit:
        writer.add({"kind": AUDIT, "position": record.position, "members": dict(record.members)})
    writer.flush()
    manifest = Manifest(
        created_at=at.isoformat(timespec="seconds"),
        written_by=written_by,
        flows=counts.flows,
        archived=counts.archived,
        events=counts.events,
        parts=tuple(writer.parts),
    )
    objects.put(f"{name}/{MANIFEST}", _sealed(manifest))
    return manifest


def verify(objects: Objects, name: str) -> Manifest:
    """The manifest of a backup, of which every part was read, every checksum compared and every event decoded.

    Raises:
        DamagedBackupError: It is not whole; the text names the object at fault.
        ArchiveUnavailableError: Try again later.
    """
    manifest, counts = read_manifest(objects, name), _Counts()
    for part, line in _lines(objects, manifest):
        if line.kind == STREAM:
            stream = _stream(line)
            counts.add(stream)
            _replayed(part, stream)
    found = (counts.flows, counts.archived, counts.events)
    if found != (manifest.flows, manifest.archived, manifest.events):
        raise DamagedBackupError(f"{name}/{MANIFEST}", f"it promises other numbers than there are: {found}")
    return manifest


def restore(
    objects: Objects, name: str, engine: Contents, flows: Contents, store: EventStore, at: datetime
) -> Manifest:
    """The manifest of a backup that was put into empty stores; recovery then sends what its active flows wait for.

    Args:
        store: The flow store, by whose commits flows come back.
        at: When recovery looks at active flows first.

    Raises:
        DamagedBackupError, ArchiveUnavailableError, StoreUnavailableError: The stores hold a part of it.
    """
    manifest = read_manifest(objects, name)
    live: list[Commit] = []
    archived: list[StoredStream] = []
    audit: list[AuditRecord] = []
    for part, line in _lines(objects, manifest):
        if line.kind == AUDIT:
            audit.append(AuditRecord(position=line.position, members=line.members))
        elif line.kind != FORMER_COUNT:
            stream = _stream(line)
            if stream.stream_id[0] != "flow":
                engine.put_shared(stream)
            elif stream.digest is not None:
                archived.append(stream)
            else:
                live.append(_commit(part, stream, at))
        if len(live) >= COMMITS:
            _apply(store, live)
            live = []
        if len(archived) >= COMMITS:
            flows.put_archived(archived)
            archived = []
    _apply(store, live)
    flows.put_archived(archived)
    flows.put_audit(audit)
    return manifest


def read_manifest(objects: Objects, name: str) -> Manifest:
    """The manifest of a backup. Raises DamagedBackupError if there is none or it was changed."""
    key = f"{name}/{MANIFEST}"
    text = objects.get(key)
    if text is None:
        raise DamagedBackupError(key, "there is no such backup, or it was never finished")
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
        if _sealed(manifest) != text:
            raise DamagedBackupError(key, "its content does not match its checksum")
    except (msgspec.DecodeError, msgspec.ValidationError) as exc:
        raise DamagedBackupError(key, str(exc)) from exc
    if manifest.format != FORMAT:
        raise DamagedBackupError(key, f"its format is {manifest.format}, and this version reads {FORMAT}")
    return manifest


def _sealed(manifest: Manifest) -> bytes:
    content = msgspec.to_builtins(manifest)
    seal = sha256(msgspec.json.encode(content, order="sorted")).hexdigest()
    return msgspec.json.format(msgspec.json.encode(content | {"sha256": seal}, order="sorted"), indent=1) + b"\n"


def _lines(objects: Objects, manifest: Manifest) -> Iterator[tuple[str, _Line]]:
    """Every line with the key of its part; a part is compared with its checksum first."""
    for part in manifest.parts:
        body = objects.get(part.key)
        if body is None:
            raise DamagedBackupError(part.key, "it is missing")
        if sha256(body).hexdigest() != part.sha256:
            raise DamagedBackupError(part.key, "its content does not match its checksum")
        try:
            for text in gzip.decompress(body).removesuffix(b"\n").split(b"\n"):
                yield part.key, msgspec.json.decode(text, type=_Line)
        except (OSError, EOFError, zlib.error, msgspec.DecodeError) as exc:
            raise DamagedBackupError(part.key, str(exc)) from exc


def _line(stream: StoredStream) -> dict[str, Any]:
    line: dict[str, Any] = {
        "kind": STREAM,
        "stream": stream.stream_id,
        "first": stream.first_sequence,
        "events": [msgspec.Raw(event) for event in stream.events],
    }
    if stream.payload is not None:
        line |= {"covered": stream.covered, "payload": stream.payload}
    if stream.digest is not None:
        line["digest"] = stream.digest.decode()
    return line


def _stream(line: _Line) -> StoredStream:
    return StoredStream(
        stream_id=line.stream,
        first_sequence=line.first,
        events=tuple(map(bytes, line.events)),
        covered=line.covered,
        payload=line.payload,
        digest=None if line.digest is None else line.digest.encode(),
    )


def _replayed(part: str, stream: StoredStream) -> list[Recorded]:
    """The events of a stream, each read."""
    read = (
        decode_recorded(stream.stream_id, stream.first_sequence + i, event) for i, event in enumerate(stream.events)
    )
    try:
        return [recorded for recorded in read if recorded is not None]
    except UndecodableEventError as exc:
        raise DamagedBackupError(part, str(exc)) from exc


def _commit(part: str, stream: StoredStream, at: datetime) -> Commit:
    """All events at once; their types are not named, so every subscription that covers the flow looks at them."""
    aggregate = FlowAggregate(grace_seconds=0)
    recorded = _replayed(part, stream)
    state = aggregate.replay(None, recorded)
    if state is None:
        raise DamagedBackupError(part, f"{':'.join(stream.stream_id)} has no event")
    return Commit(
        stream_id=stream.stream_id,
        expected_sequence=0,
        events=stream.events,
        index=aggregate.index(state, recorded),
        due_at_ms=0 if state.deactivated_at else milliseconds(at),
    )


def _apply(store: EventStore, commits: Sequence[Commit]) -> None:
    for commit, result in zip(commits, store.commit(commits) if commits else (), strict=True):
        if not isinstance(result, Committed):
            raise DamagedBackupError(FlowID(commit.stream_id[1]), "the flow is there already: the store was not empty")
