# SPDX-License-Identifier: Apache-2.0
"""Engines that read the archive of a place, and flows in it."""

from datetime import timedelta

from argyll_archiver.archive import FlowArchive
from argyll_engine.archive_changes import ArchiveAccess
from argyll_engine.engine import Engine
from argyll_engine.model.digest import FlowDigest, ObjectPlace
from argyll_engine.wiring import assemble_engine
from tests.unit.archiver.archiving import Archiving
from tests.unit.archiver.sinks import MemorySink

REST = timedelta(hours=1)
"""How long restored flows are left alone."""


class PlainArchive(FlowArchive):
    """Implements `ports.Archive` with one sink, whatever the place."""

    def __init__(self, sink: MemorySink, prefix: str) -> None:
        super().__init__(sink, prefix)
        self._objects = sink

    def place(self, digest: FlowDigest) -> ObjectPlace:
        """In the sink."""
        return ObjectPlace(target="memory:", key=digest.object_key)

    def delete_former(self, place: ObjectPlace) -> None:
        """From the sink."""
        self._objects.delete(place.key)


def another_engine(place: Archiving, prefix: str = "p/") -> Engine:
    """That of another process, with caches of its own."""
    access = ArchiveAccess(archive=PlainArchive(place.sink, prefix), rest=REST)
    return assemble_engine(place.workshop.config, place.workshop.parts_of_another_process(), access)


def an_archived(place: Archiving, *flow_ids: str) -> dict[str, tuple[bytes, ...]]:
    """Logs of flows that have ended and are in the archive."""
    logs = place.end(*flow_ids)
    assert len(flow_ids) == place.archiver.sweep()
    return logs
