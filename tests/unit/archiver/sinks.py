# SPDX-License-Identifier: Apache-2.0
"""A store of objects in memory, with faults that a test asks for. No assertions."""

from collections.abc import Callable, Iterator
from threading import Lock

from argyll_archiver.sinks.port import ObjectEntry
from argyll_engine.errors import ArchiveUnavailableError


class MemorySink:
    """Implements `Sink`. It can lose bytes, be away, refuse some keys, and call back before a write or a deletion."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.kept_bytes: int | None = None
        self.is_away = False
        self.refused = ""
        self.confirms = False
        self.put_keys: list[str] = []
        self.got_keys: list[str] = []
        self.before_put: Callable[[str], None] = lambda key: None
        self.before_delete: Callable[[str], None] = lambda key: None
        self._lock = Lock()

    def put(self, key: str, body: bytes) -> bool:
        """Keeps the first `kept_bytes` of an object."""
        self.before_put(key)
        if self.is_away or (self.refused and self.refused in key):
            raise ArchiveUnavailableError(key, "gone fishing")
        with self._lock:
            self.put_keys.append(key)
            self.objects[key] = body[: self.kept_bytes]
        return self.confirms

    def get(self, key: str) -> bytes | None:
        """What is kept."""
        self.got_keys.append(key)
        self._check_is_there(key)
        return self.objects.get(key)

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectEntry]:
        """What is kept below a prefix."""
        for key in sorted(self.objects):
            if key.startswith(prefix) and key > after:
                yield ObjectEntry(key=key, size_bytes=len(self.objects[key]))

    def delete(self, key: str) -> None:
        """Forgets an object."""
        self.before_delete(key)
        self._check_is_there(key)
        self.objects.pop(key, None)

    def _check_is_there(self, key: str) -> None:
        if self.is_away:
            raise ArchiveUnavailableError(key, "gone fishing")
