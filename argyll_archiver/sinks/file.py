# SPDX-License-Identifier: Apache-2.0
"""Objects as files below one directory. A reader sees the old file or the new one, never a part.

What a kill leaves behind is a file `.put-*` beside its place, which nothing reads.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from threading import Lock
from typing import Final
from weakref import WeakValueDictionary

from argyll_archiver.sinks.port import ObjectEntry
from argyll_archiver.target import FileTarget
from argyll_engine.errors import ArchiveUnavailableError

_UNFINISHED: Final = ".put-"


class FileSink:
    """Implements `Sink`. Directories are made as they are needed. Threads may share it."""

    def __init__(self, target: FileTarget) -> None:
        self._root = Path(target.directory)
        self._turns = WeakValueDictionary[Path, _Turn]()
        self._lock = Lock()  # guards the turns; never held while the disk is asked
        self._lasting: set[Path] = set()
        self._making = Lock()  # guards those directories; who needs a new one waits until it lasts

    def put(self, key: str, body: bytes) -> bool:
        """See Sink. The file and the directories above it are on the disk then. Directories know no checksums."""
        path = self._root / key
        with _translated(key):
            self._ensure(path.parent)
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=_UNFINISHED)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(body)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(name, path)
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise
            self._sync(path.parent)
        return False

    def get(self, key: str) -> bytes | None:
        """See Sink."""
        with _translated(key):
            try:
                return (self._root / key).read_bytes()
            except FileNotFoundError:
                return None

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectEntry]:
        """See Sink. Only directories that may hold such keys are read."""
        with _translated(prefix):
            yield from self._below("", prefix, after)

    def delete(self, key: str) -> None:
        """See Sink. Directories stay."""
        path = self._root / key
        with _translated(key):
            path.unlink(missing_ok=True)
            if path.parent.is_dir():  # it may be gone by a call before whose sync failed
                self._sync(path.parent)

    def _ensure(self, directory: Path) -> None:
        """Make it with all above it; it lasts then, which takes a sync of the directory above it."""
        if directory not in self._lasting or not directory.is_dir():
            with self._making:
                self._make(directory)

    def _make(self, directory: Path) -> None:
        if self._root not in directory.parents and directory.is_dir():
            return  # whoever has made it saw to it
        if directory in self._lasting and directory.is_dir():
            return
        self._make(directory.parent)
        directory.mkdir(exist_ok=True)
        _sync_directory(directory.parent)
        self._lasting.add(directory)

    def _sync(self, directory: Path) -> None:
        """What this thread has changed in a directory is on the disk then.

        One thread syncs at a time. What others have changed before it began is in it, so they need no sync of their
        own, and when it fails it has failed for them too: the system reports an error once. A directory takes as long
        as a file, and many threads work in the same one.
        """
        with self._lock:
            turn = self._turns.setdefault(directory, _Turn())
            turn.changes += 1
            change = turn.changes
        with turn.syncing:
            if turn.settled < change:
                with self._lock:
                    before, turn.settled = turn.settled, turn.changes
                try:
                    _sync_directory(directory)
                except OSError as exc:
                    turn.lost |= dict.fromkeys(range(before + 1, turn.settled + 1), (exc.errno, exc.strerror))
            if change in turn.lost:
                raise OSError(*turn.lost.pop(change))

    def _below(self, folder: str, prefix: str, after: str) -> Iterator[ObjectEntry]:
        """The objects of one directory, whose key is `folder`, and of those in it."""
        for key, entry in sorted(_keyed(folder, self._root / folder), key=itemgetter(0)):
            if entry.is_dir(follow_symlinks=False):
                # keys below it begin with its own; it is skipped where none of them can match
                if (key.startswith(prefix) or prefix.startswith(key)) and (key > after or after.startswith(key)):
                    yield from self._below(key, prefix, after)
            elif key.startswith(prefix) and key > after and not entry.name.startswith(_UNFINISHED):
                yield ObjectEntry(key=key, size_bytes=entry.stat().st_size)


class _Turn:
    """Who syncs a directory, how many changes of it have been counted, and of how many the outcome is known."""

    def __init__(self) -> None:
        self.syncing = Lock()
        self.changes = self.settled = 0
        self.lost: dict[int, tuple[int | None, str | None]] = {}  # why, for those that are not on the disk


def _keyed(folder: str, directory: Path) -> list[tuple[str, os.DirEntry[str]]]:
    """What is in a directory, with the keys of files, and what the keys of all files in a directory begin with."""
    try:
        with os.scandir(directory) as entries:
            return [
                (folder + each.name + ("/" if each.is_dir(follow_symlinks=False) else ""), each) for each in entries
            ]
    except FileNotFoundError:
        return []


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise ArchiveUnavailableError(key, exc.strerror or str(exc)) from exc


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
