# SPDX-License-Identifier: Apache-2.0
"""An archiver on the memory store of a workshop, and flows for it. No assertions."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from argyll_archiver.archive import FlowArchive
from argyll_archiver.archiver import Archiver
from argyll_archiver.config import ArchiverConfig
from argyll_archiver.wiring import assemble_archiver
from argyll_engine.model.ids import FlowID, StepID, flow_stream
from argyll_engine.model.invocation import Succeeded
from argyll_engine.model.vitals import MemoryUse
from argyll_engine.store.memory_archive import MemoryArchiveJobs, MemoryArchiveStore
from tests.definitions import a_flow_step, a_step, optional, output
from tests.unit.archiver.sinks import MemorySink
from tests.workshop import Workshop

STEP = StepID("s")
LEASE_SECONDS = 900.0


class Archiving:
    """A workshop with finished flows, a sink, and archivers."""

    def __init__(self, **settings: Any) -> None:
        self.workshop = Workshop(lambda _: Succeeded(outputs={"out": "x"}))
        self.workshop.engine.register_step(a_step("s", {"in": optional(), "out": output()}))
        self.workshop.engine.register_step(a_flow_step("outer", ["s"], {"out": output()}))
        self.sink = MemorySink()
        self.store = MemoryArchiveStore(self.workshop.backend, self._now_ms)
        self.jobs = MemoryArchiveJobs(self.workshop.backend, self._now_ms)
        self.config = replace(ArchiverConfig(prefix="p/", max_age_seconds=0.0), **settings)
        self.archiver = self.another_archiver()

    def another_archiver(self, side_by_side: int = 1) -> Archiver:
        """One more, on the same stores."""
        return assemble_archiver(
            self.config,
            store=self.store,
            jobs=self.jobs,
            sink=self.sink,
            clock=self.workshop.clock,
            side_by_side=side_by_side,
        )

    def end(self, *flow_ids: str) -> dict[str, tuple[bytes, ...]]:
        """The logs of flows that were started and have ended now, one after the other."""
        for flow_id in flow_ids:
            self.workshop.engine.start_flow(FlowID(flow_id), (STEP,), {}, {})
            self.workshop.deliver_all()
            self.pass_time(1.0)
        return {flow_id: self.log(flow_id) for flow_id in flow_ids}

    def end_with_child(self, flow_id: str) -> FlowID:
        """The child of a flow that has ended now."""
        self.workshop.engine.start_flow(FlowID(flow_id), (StepID("outer"),), {}, {})
        self.workshop.deliver_all()
        self.pass_time(1.0)
        (children,) = self.store.family([FlowID(flow_id)])
        return children[0]

    def log(self, flow_id: str) -> tuple[bytes, ...]:
        """The live log of a flow."""
        return self.workshop.parts.stores.flows.read_log(flow_stream(flow_id))

    def archived_log(self, flow_id: str) -> tuple[bytes, ...] | None:
        """The events that the archive has of a flow; None if it is not archived."""
        (digest,) = self.store.digests([FlowID(flow_id)])
        found = FlowArchive(self.sink, "").read(digest) if digest else None
        return found.events if found else None

    def pass_time(self, seconds: float) -> None:
        """Moves the clock of everything."""
        self.workshop.clock.at += timedelta(seconds=seconds)

    def fill_memory(self, percent: int) -> None:
        """Lets the store say so."""
        self.store.use = MemoryUse(used_bytes=percent, limit_bytes=100)

    def _now_ms(self) -> int:
        return int(self.workshop.clock.at.timestamp() * 1000)
