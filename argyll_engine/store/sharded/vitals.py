# SPDX-License-Identifier: Apache-2.0
"""How several flow stores, their queues and workers are, as one. Called by the probes and the metrics page."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

from msgspec.structs import replace

from argyll_engine.model.vitals import QueueVitals, StoreVitals, Vitals
from argyll_engine.store.vitals import VitalsReader


class ShardedVitalsReader:
    """Reads the vitals of all shards at the same time; may be shared by threads.

    Args:
        readers: Those of the shards, by their names for people.
    """

    def __init__(self, readers: Mapping[str, VitalsReader]) -> None:
        self._readers = readers
        self._pool = ThreadPoolExecutor(len(readers), thread_name_prefix="vitals")

    def read(self) -> Vitals:
        """The vitals, at most a second old."""
        found = dict(
            zip(self._readers, self._pool.map(lambda reader: reader.read(), self._readers.values()), strict=True)
        )
        flow_stores = [replace(vitals.stores[0], name=name) for name, vitals in found.items()]
        alive = {name: vitals.workers_alive for name, vitals in found.items() if vitals.workers_alive is not None}
        flows = [vitals.active_flows for vitals in found.values() if vitals.active_flows is not None]
        return Vitals(
            stores=(*flow_stores, self._engine_store(list(found.values()))),
            queues=_queues([queue for vitals in found.values() for queue in vitals.queues]),
            workers_alive=sum(alive.values()) if alive else None,
            active_flows=sum(flows) if flows else None,
            unserved=tuple(name for name, count in alive.items() if not count),
        )

    def _engine_store(self, found: Sequence[Vitals]) -> StoreVitals:
        """As the first reader saw it that reached it."""
        engines = [vitals.stores[-1] for vitals in found]
        return next((engine for engine in engines if not engine.error), engines[0])


def _queues(found: Sequence[QueueVitals]) -> tuple[QueueVitals, ...]:
    """Each queue over all shards: sums, and the age of the oldest message."""
    order = list(dict.fromkeys(queue.name for queue in found))
    by_name = groupby(sorted(found, key=lambda queue: order.index(queue.name)), key=lambda queue: queue.name)
    return tuple(_sum(name, list(queues)) for name, queues in by_name)


def _sum(name: str, queues: Sequence[QueueVitals]) -> QueueVitals:
    return QueueVitals(
        name=name,
        ready=sum(queue.ready for queue in queues),
        in_progress=sum(queue.in_progress for queue in queues),
        delayed=sum(queue.delayed for queue in queues),
        dead_letters=sum(queue.dead_letters for queue in queues),
        oldest_seconds=max(queue.oldest_seconds for queue in queues),
    )
