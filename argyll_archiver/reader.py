# SPDX-License-Identifier: Apache-2.0
"""The archive as processes see it that only read and delete: opened when it is first asked, which most never do.

Made by `wiring.py` for the API and the console.
"""

from threading import Lock

from argyll_archiver.archive import FlowArchive
from argyll_archiver.sinks.opening import open_sink
from argyll_archiver.sinks.port import Sink
from argyll_archiver.target import Target, is_same_place, parse_target, target_text
from argyll_engine.errors import ArchiveUnavailableError
from argyll_engine.model.digest import ArchivedFlow, FlowDigest, ObjectPlace


class ArchiveReader:
    """Implements `ports.Archive`. Threads may share it.

    Args:
        target: Where objects are.
        prefix: What keys begin with that are written now; digests know theirs.
    """

    def __init__(self, target: Target, prefix: str) -> None:
        self._target, self.prefix = target, prefix
        self._sink: Sink | None = None
        self._lock = Lock()

    @property
    def sink(self) -> Sink:
        """The store of objects. Raises ArchiveUnavailableError if its settings cannot be used."""
        with self._lock:
            if self._sink is None:
                self._sink = open_sink(self._target)
            return self._sink

    def read(self, digest: FlowDigest) -> ArchivedFlow | None:
        """The flow that a digest stands for; None if its object is gone.

        Raises:
            ArchiveUnavailableError, DamagedArchiveError
        """
        return FlowArchive(self.sink, self.prefix).read(digest)

    def place(self, digest: FlowDigest) -> ObjectPlace:
        """Where that object is."""
        return ObjectPlace(target=target_text(self._target), key=digest.object_key)

    def delete(self, digest: FlowDigest) -> None:
        """Forget the object. Raises ArchiveUnavailableError."""
        FlowArchive(self.sink, self.prefix).delete(digest)

    def delete_former(self, place: ObjectPlace) -> None:
        """Forget an object that a flow had before, here or where objects went then. Raises ArchiveUnavailableError."""
        try:
            target = parse_target(place.target)
        except ValueError as exc:
            raise ArchiveUnavailableError(place.key, f"it was written to {place.target!r}: {exc}") from exc
        sink = self.sink if is_same_place(target, self._target) else open_sink(target)
        sink.delete(place.key)
