# SPDX-License-Identifier: Apache-2.0
"""How a deployment is at one moment: its stores, queues and workers. What that means is `policy/readiness.py`."""

from msgspec import Struct


class StoreVitals(Struct, frozen=True, kw_only=True):
    """One Redis: `error` says why it does not answer, `fault` what is wrong with how it keeps data; empty for nothing.

    `limit_bytes` 0 means that it has no limit.
    """

    name: str
    error: str = ""
    fault: str = ""
    used_bytes: int = 0
    limit_bytes: int = 0


class QueueVitals(Struct, frozen=True, kw_only=True):
    """One queue: messages that are ready, taken, waiting for their time, and given up; the age of the oldest ready."""

    name: str
    ready: int = 0
    in_progress: int = 0
    delayed: int = 0
    dead_letters: int = 0
    oldest_seconds: float = 0.0


class Vitals(Struct, frozen=True, kw_only=True):
    """All of it. `queues` is empty where the broker is not ours; the numbers are None while the flow store is away.

    Of several flow stores the numbers are sums over those that answer, and `unserved` names those of them that have no
    worker.
    """

    stores: tuple[StoreVitals, ...]
    queues: tuple[QueueVitals, ...] = ()
    workers_alive: int | None = None
    active_flows: int | None = None
    unserved: tuple[str, ...] = ()


class MemoryUse(Struct, frozen=True, kw_only=True):
    """Memory of the flow store; `limit_bytes` 0 means that it has no limit."""

    used_bytes: int
    limit_bytes: int
