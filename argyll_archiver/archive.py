# SPDX-License-Identifier: Apache-2.0
"""One flow to one verified object, and back. Deletes nothing, and knows no kind of store.

An object counts as written when it was read back from the store and is the one that was meant.
"""

from dataclasses import dataclass

from argyll_archiver.digest import FlowDigest
from argyll_archiver.record import ArchivedFlow, make_object, read_object
from argyll_archiver.sinks.port import Sink
from argyll_engine import log
from argyll_engine.errors import DamagedArchiveError
from argyll_engine.model.ids import FlowID, flow_stream
from argyll_engine.ports import EventStore

_log = log.get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An object that is in the store, verified. `key` has the prefix."""

    key: str
    size_bytes: int
    digest: FlowDigest


class FlowArchive:
    """Flows as objects in a sink.

    Args:
        store: The flow store; only read.
        prefix: What all keys begin with; empty, or ending with a slash.
    """

    def __init__(self, store: EventStore, sink: Sink, prefix: str) -> None:
        self._store, self._sink, self._prefix = store, sink, prefix

    def write(self, flow_id: FlowID) -> Written:
        """The object of a deactivated flow, written and read back. Writing it again changes nothing.

        Raises:
            FlowNotFoundError, InvalidRequestError, UndecodableEventError: See `make_object`.
            StoreUnavailableError, ArchiveUnavailableError: Try again later.
            DamagedArchiveError: What was read back is not what was written.
        """
        made = make_object(flow_id, self._store.read_log(flow_stream(flow_id)))
        key = self._prefix + made.key
        self._sink.put(key, made.body)
        if self._sink.get(key) != made.body:
            raise DamagedArchiveError(key, "what was read back is not what was written")
        _log.debug("flow_written", flow_id=flow_id, key=key, bytes=len(made.body))
        return Written(key=key, size_bytes=len(made.body), digest=made.digest)

    def read(self, key: str) -> ArchivedFlow | None:
        """The flow of an object, checked; None if there is none.

        Raises:
            ArchiveUnavailableError: Try again later.
            DamagedArchiveError: The object is not whole.
        """
        body = self._sink.get(key)
        return None if body is None else read_object(key, body)
