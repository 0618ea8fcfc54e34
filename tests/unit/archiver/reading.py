# SPDX-License-Identifier: Apache-2.0
"""Engines that read the archive of a place, and flows in it."""

from datetime import timedelta

from argyll_archiver.archive import FlowArchive
from argyll_engine.archive_changes import ArchiveAccess
from argyll_engine.engine import Engine
from argyll_engine.wiring import assemble_engine
from tests.unit.archiver.archiving import Archiving

REST = timedelta(hours=1)
"""How long restored flows are left alone."""


def another_engine(place: Archiving) -> Engine:
    """That of another process, with caches of its own."""
    access = ArchiveAccess(archive=FlowArchive(place.sink, "p/"), rest=REST)
    return assemble_engine(place.workshop.config, place.workshop.parts_of_another_process(), access)


def an_archived(place: Archiving, *flow_ids: str) -> dict[str, tuple[bytes, ...]]:
    """Logs of flows that have ended and are in the archive."""
    logs = place.end(*flow_ids)
    assert len(flow_ids) == place.archiver.sweep()
    return logs
