# SPDX-License-Identifier: Apache-2.0
"""How a deployment is at one moment: its stores, queues and workers. What that means is `policy/readiness.py`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreVitals:
    """One Redis: `error` says why it does not answer, `fault` what is wrong with how it keeps data; empty for nothing.

    `limit_bytes` 0 means that it has no limit.
    """

    name: str
    error: str = ""
    fault: str = ""
    used_bytes: int = 0
    limit_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueVitals:
    """One queue: messages that are ready, taken, waiting for their time, and given up; the age of the oldest ready."""

    name: str
    ready: int = 0
    in_progress: int = 0
    delayed: int = 0
    dead_letters: int = 0
    oldest_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """All of it. `queues` is empty where the broker is not ours; the numbers are None while the flow store is away.

    Of several flow stores the numbers are sums over those that answer, and `unserved` names those of them that have no
    worker.
    """

    stores: tuple[StoreVitals, ...]
    queues: tuple[QueueVitals, ...] = ()
    workers_alive: int | None = None
    active_flows: int | None = None
    unserved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """Memory of the flow store; `limit_bytes` 0 means that it has no limit."""

    used_bytes: int
    limit_bytes: int
