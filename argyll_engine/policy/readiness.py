# SPDX-License-Identifier: Apache-2.0
"""Whether a deployment can do its work, as a list of named checks. Pure; called by the probes of API and workers."""

from collections.abc import Iterator
from dataclasses import dataclass

from argyll_engine.model.vitals import QueueVitals, Vitals

GOOD = "ok"
ENGINE = "engine"
"""The name of the engine store; the others are flow stores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question: what was asked, whether the answer is good, and the answer in words."""

    name: str
    is_good: bool
    detail: str = GOOD


def readiness(vitals: Vitals, max_queue_age_seconds: float) -> tuple[Check, ...]:
    """The checks in a fixed order: the stores, how they keep data, the workers, the age of what waits.

    Args:
        max_queue_age_seconds: what the oldest ready message may have; 0 for no limit.
    """
    return (
        *_stores(vitals),
        _persistence(vitals),
        _workers(vitals),
        _queues(vitals, max_queue_age_seconds),
    )


def _stores(vitals: Vitals) -> Iterator[Check]:
    """Of several flow stores one must answer: flows of the others wait, and theirs go on."""
    flow_stores = [store for store in vitals.stores if store.name != ENGINE]
    can_spare = len(flow_stores) > 1 and not all(store.error for store in flow_stores)
    for store in vitals.stores:
        is_spared = can_spare and store in flow_stores
        detail = f"its flows wait: {store.error}" if is_spared and store.error else store.error or GOOD
        yield Check(name=f"{store.name}_store", is_good=is_spared or not store.error, detail=detail)


def _persistence(vitals: Vitals) -> Check:
    faults = [f"{store.name} store: {store.fault}" for store in vitals.stores if store.fault]
    return Check(name="persistence", is_good=not faults, detail="; ".join(faults) or GOOD)


def _workers(vitals: Vitals) -> Check:
    if vitals.workers_alive is None:
        return Check(name="workers", is_good=False, detail="not known while the flow store is away")
    if vitals.unserved:
        missing = ", ".join(vitals.unserved)
        return Check(name="workers", is_good=False, detail=f"no worker has shown a sign of life lately on {missing}")
    if not vitals.workers_alive:
        return Check(name="workers", is_good=False, detail="no worker has shown a sign of life lately")
    return Check(name="workers", is_good=True, detail=f"{vitals.workers_alive} alive")


def _queues(vitals: Vitals, max_age_seconds: float) -> Check:
    if not vitals.queues:
        reason = "while the flow store is away" if vitals.workers_alive is None else "on this broker"
        return Check(name="queues", is_good=True, detail=f"ages are not known {reason}")
    late = [queue for queue in vitals.queues if 0 < max_age_seconds < queue.oldest_seconds]
    return Check(name="queues", is_good=not late, detail="; ".join(_lateness(late)) or GOOD)


def _lateness(late: list[QueueVitals]) -> Iterator[str]:
    for queue in late:
        yield f"the oldest of {queue.ready} messages in {queue.name} has waited for {queue.oldest_seconds:.0f} s"
