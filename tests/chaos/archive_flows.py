# SPDX-License-Identifier: Apache-2.0
"""Finished flows on a real Redis, archivers for them, and what must be true of them in the end. Few assertions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from redis import Redis

from argyll_archiver.archive import FlowArchive
from argyll_archiver.archiver import Archiver
from argyll_archiver.config import ArchiverConfig
from argyll_archiver.sinks.port import Sink
from argyll_archiver.wiring import assemble_archiver
from argyll_engine.clock import SystemClock
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID, StepID, flow_stream
from argyll_engine.model.invocation import Succeeded
from argyll_engine.ports import ArchiveJobs, Commit, IndexChange
from argyll_engine.store.archive import RedisArchiveStore
from argyll_engine.store.archive_jobs import RedisArchiveJobs
from argyll_engine.store.redis import RedisEventStore
from argyll_engine.store.schema import StoreSchema
from tests.definitions import a_flow_step, a_script_step, output
from tests.workshop import Workshop

PREFIX: Final = "test"
LEASE_SECONDS: Final = 1.0
CONFIG: Final = ArchiverConfig(
    prefix="archived/", max_age_seconds=0.0, lease_timeout_seconds=LEASE_SECONDS, sweep_batch=100
)
_ID: Final = b"template-flow"


def finished_logs() -> dict[FlowID, tuple[bytes, ...]]:
    """The logs of a flow with a child, and of the child, as the engine writes them."""
    workshop = Workshop(lambda _: Succeeded(outputs={"out": {"text": "Grüße", "large": 2**70}}))
    workshop.engine.register_step(a_script_step("inner", {"out": output()}))
    workshop.engine.register_step(a_flow_step("outer", ["inner"], {"out": output()}))
    workshop.engine.start_flow(FlowID(_ID.decode()), (StepID("outer"),), {}, {})
    workshop.deliver_all()
    return {FlowID(flow_id): tuple(log.events) for (_, *ids), log in workshop.backend.logs.items() for flow_id in ids}


@dataclass(frozen=True, slots=True)
class Flows:
    """Finished flows on one Redis."""

    client: Redis
    logs: Mapping[FlowID, tuple[bytes, ...]]

    @classmethod
    def put(cls, client: Redis, count: int, *, with_children: bool = True) -> "Flows":
        """So many root flows, each with a child if wanted."""
        StoreSchema(client, PREFIX, "flow").begin()
        store, logs = RedisEventStore(client, PREFIX, store_name="flow"), {}
        templates = finished_logs()
        for number in range(count):
            for template, events in templates.items():
                if ":" in template and not with_children:
                    continue
                name = b"flow-%06d" % number
                flow_id = FlowID(template.replace(_ID.decode(), name.decode()))
                logs[flow_id] = tuple(event.replace(_ID, name) for event in events)
        ids = sorted(logs)
        for first in range(0, len(ids), 500):
            store.commit([_commit(flow_id, logs[flow_id], 1_700_000_000_000 + first) for flow_id in ids[first:][:500]])
        return cls(client, logs)

    @property
    def store(self) -> RedisArchiveStore:
        """The digests."""
        return RedisArchiveStore(self.client, PREFIX)

    @property
    def jobs(self) -> RedisArchiveJobs:
        """The leases."""
        return RedisArchiveJobs(self.client, PREFIX)

    def archiver(self, sink: Sink, jobs: ArchiveJobs | None = None, **settings: object) -> Archiver:
        """An archiver for them."""
        config = replace(CONFIG, **settings)  # type: ignore[arg-type]  # whatever the configuration takes
        return assemble_archiver(config, store=self.store, jobs=jobs or self.jobs, sink=sink, clock=SystemClock())

    def faults(self, sink: Sink) -> list[str]:
        """What is wrong: flows that are lost, doubled or changed, and objects that nobody needs."""
        ids = sorted(self.logs)
        live, digests = self.jobs.logs(ids), self.store.digests(ids)
        archive, faults = FlowArchive(sink, ""), []
        for flow_id, log, digest in zip(ids, live, digests, strict=True):
            found = archive.read(digest) if digest else None
            if bool(log) == bool(digest):
                faults.append(f"{flow_id}: {len(log)} live events, digest {digest}")
            elif (found.events if found else log) != self.logs[flow_id]:
                faults.append(f"{flow_id}: its events are not what they were")
        keys = [entry.key for entry in sink.list("archived/")]
        if len(keys) != len(set(keys)) or len(keys) > len(ids):
            faults.append(f"{len(keys)} objects for {len(ids)} flows")
        return faults

    def archived(self) -> list[FlowID]:
        """Those that are archived, children too."""
        ids = sorted(self.logs)
        return [flow_id for flow_id, digest in zip(ids, self.store.digests(ids), strict=True) if digest]


def _commit(flow_id: FlowID, events: Sequence[bytes], at_ms: int) -> Commit:
    index = IndexChange(flow_id=flow_id, status=FlowStatus.COMPLETED, at_ms=at_ms)
    return Commit(stream_id=flow_stream(flow_id), expected_sequence=0, events=tuple(events), index=index)
