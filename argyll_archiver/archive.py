# SPDX-License-Identifier: Apache-2.0
"""Flows as verified objects, and back. Deletes nothing from the live store, and knows no kind of store of objects.

An object counts as written when the store has confirmed its checksum, or when it was read back and is the one that was
meant.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from argyll_archiver.record import former_object_key, is_flow_of, make_object, object_key, read_object
from argyll_archiver.sinks.port import Sink
from argyll_engine.errors import DamagedArchiveError
from argyll_engine.model.digest import ArchivedFlow, FlowDigest
from argyll_engine.model.ids import FlowID


class FlowArchive:
    """Flows as objects in a sink, the writing half of `ports.Archive` included. Threads may share it.

    Args:
        prefix: What all keys begin with that are written; empty, or ending with a slash.
    """

    def __init__(self, sink: Sink, prefix: str) -> None:
        self._sink, self._prefix = sink, prefix

    def write(self, flow_id: FlowID, events: Sequence[bytes]) -> FlowDigest:
        """The digest of a deactivated flow whose object was written and verified. Writing it again changes nothing.

        Args:
            events: The whole log, encoded as stored.

        Raises:
            FlowNotFoundError, InvalidRequestError, UndecodableEventError: See `make_object`.
            ArchiveUnavailableError: Try again later.
            DamagedArchiveError: What was read back is not what was written.
        """
        made = make_object(flow_id, events)
        key = self._prefix + made.key
        if not self._sink.put(key, made.body) and self._sink.get(key) != made.body:
            raise DamagedArchiveError(key, "what was read back is not what was written")
        return replace(made.digest, object_key=key, object_bytes=len(made.body))

    def read(self, digest: FlowDigest) -> ArchivedFlow | None:
        """The flow that a digest stands for, checked; None if its object is gone.

        Raises:
            ArchiveUnavailableError: Try again later.
            DamagedArchiveError: The object is not whole, or that of another flow.
        """
        found = self.read_key(digest.object_key)
        if found is not None and not is_flow_of(found, digest):
            raise DamagedArchiveError(digest.object_key, f"it is not the flow {digest.flow_id} of its digest")
        return found

    def read_key(self, key: str) -> ArchivedFlow | None:
        """The flow of the object under a key, checked; None if there is none. Raises what `read` raises."""
        body = self._sink.get(key)
        return None if body is None else read_object(key, body)

    def delete(self, digest: FlowDigest) -> None:
        """Forget the object; one that is gone already is no error. Raises ArchiveUnavailableError.

        Of a flow that has none, that which it would have goes, by either form of keys: it may be left from before.
        """
        expected = (self._prefix + object_key(digest), self._prefix + former_object_key(digest))
        for key in (digest.object_key,) if digest.object_key else expected:
            self._sink.delete(key)
