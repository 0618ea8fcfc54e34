# SPDX-License-Identifier: Apache-2.0
"""Objects as files below one directory. A reader sees the old file or the new one, never a part.

What a kill leaves behind is a file `.put-*` beside its place, which nothing reads.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from argyll_archiver.target import FileTarget
from argyll_engine.errors import ArchiveUnavailableError


class FileSink:
    """Implements `Sink`. Directories are made as they are needed."""

    def __init__(self, target: FileTarget) -> None:
        self._root = Path(target.directory)

    def put(self, key: str, body: bytes) -> None:
        """See Sink. The file and the directories above it are on the disk when this returns."""
        path = self._root / key
        with _translated(key):
            _make_directory(path.parent)
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".put-")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(body)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(name, path)
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise
            _sync_directory(path.parent)

    def get(self, key: str) -> bytes | None:
        """See Sink."""
        with _translated(key):
            try:
                return (self._root / key).read_bytes()
            except FileNotFoundError:
                return None


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise ArchiveUnavailableError(key, exc.strerror or str(exc)) from exc


def _make_directory(directory: Path) -> None:
    """Make it with all above it; a new one lasts once the directory above it is on the disk."""
    if directory.is_dir():
        return
    _make_directory(directory.parent)
    directory.mkdir(exist_ok=True)
    _sync_directory(directory.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
