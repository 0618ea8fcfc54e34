# SPDX-License-Identifier: Apache-2.0
"""How stores, queues and workers are, read from Redis in one or two round trips and kept for a second.

Called by the probes and the metrics page, never by what runs flows. It fails for nothing: what cannot be read is said
in the vitals.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

from msgspec.structs import replace
from redis import Redis
from redis.exceptions import RedisError

from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.vitals import QueueVitals, StoreVitals, Vitals
from argyll_engine.store.checks import persistence_trouble
from argyll_engine.store.keys import Keys

KEPT_SECONDS: Final = 1.0
_MS: Final = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueKeys:
    """Where one queue of a broker on streams lies on the flow store's Redis."""

    name: str
    streams: tuple[str, ...]
    delayed: str
    dead: str
    group: str


class VitalsReader:
    """Reads the vitals of one deployment; may be shared by threads.

    Args:
        flow_client: From `connect`, with a short timeout: a probe must answer in time.
        engine_client: The same for the engine store; None where both are one Redis.
        flow_prefix: Of the flow store's keys.
        queues: Empty where the broker is elsewhere.
        is_strict: Whether a Redis that could lose data is at fault, as in production.
    """

    def __init__(
        self,
        *,
        flow_client: Redis,
        engine_client: Redis | None,
        flow_prefix: str,
        queues: Sequence[QueueKeys],
        is_strict: bool,
    ) -> None:
        self._flow_client, self._engine_client = flow_client, engine_client
        self._keys, self._queues, self._is_strict = Keys(flow_prefix), tuple(queues), is_strict
        self._lock = Lock()
        self._read_at = float("-inf")
        self._vitals = Vitals(stores=())

    def read(self) -> Vitals:
        """The vitals, at most a second old."""
        with self._lock:
            if time.monotonic() - self._read_at > KEPT_SECONDS:
                self._vitals = self._read()
                self._read_at = time.monotonic()
            return self._vitals

    def _read(self) -> Vitals:
        try:
            vitals = self._read_flow_store()
        except (RedisError, OSError) as exc:
            vitals = Vitals(stores=(_away("flow", exc),))
        return replace(vitals, stores=(*vitals.stores, self._engine_store(vitals.stores[0])))

    def _read_flow_store(self) -> Vitals:
        pipeline = self._flow_client.pipeline(transaction=False)
        pipeline.info()
        pipeline.time()
        pipeline.zrange(self._keys.workers(), 0, -1, withscores=True)
        pipeline.zcard(self._keys.status(FlowStatus.ACTIVE))
        for queue in self._queues:
            pipeline.zcard(queue.delayed)
            pipeline.xlen(queue.dead)
            for stream in queue.streams:
                pipeline.xlen(stream)
                pipeline.xinfo_groups(stream)
        info, now, workers, active, *rest = _ran(pipeline)
        for answer in (now, workers, active):
            if isinstance(answer, RedisError):  # an ACL user that may not read them
                raise answer
        answers = iter(rest)
        now_ms = now[0] * _MS + now[1] / _MS
        counted = [_count(queue, answers) for queue in self._queues]
        return Vitals(
            stores=(self._store("flow", info),),
            queues=self._with_ages(counted, now_ms),
            workers_alive=sum(until_ms > now_ms for _, until_ms in workers),
            active_flows=active,
        )

    def _with_ages(self, counted: "Sequence[_Counted]", now_ms: float) -> tuple[QueueVitals, ...]:
        """The queues with the age of what is ready, which costs one more round trip if anything is."""
        places = [place for queue in counted for place in queue.unread]
        oldest: dict[str, float] = {}
        if places:
            pipeline = self._flow_client.pipeline(transaction=False)
            for stream, last_read in places:
                pipeline.xrange(stream, min=f"({last_read}", count=1)
            for (stream, _), rows in zip(places, _ran(pipeline), strict=True):
                if not isinstance(rows, Exception) and rows:
                    oldest[stream] = max(now_ms - float(rows[0][0].partition(b"-")[0]), 0.0) / _MS
        return tuple(
            replace(
                queue.vitals, oldest_seconds=max((oldest.get(stream, 0.0) for stream, _ in queue.unread), default=0.0)
            )
            for queue in counted
        )

    def _engine_store(self, flow_store: StoreVitals) -> StoreVitals:
        if self._engine_client is None:
            return replace(flow_store, name="engine")
        try:
            return self._store("engine", self._engine_client.info())
        except (RedisError, OSError) as exc:
            return _away("engine", exc)

    def _store(self, name: str, info: Any) -> StoreVitals:
        if isinstance(info, Exception):
            return _away(name, info)
        if info.get("loading"):
            return StoreVitals(name=name, error="it is still loading its data")
        return StoreVitals(
            name=name,
            fault=persistence_trouble(info, is_strict=self._is_strict),
            used_bytes=int(info.get("used_memory", 0)),
            limit_bytes=int(info.get("maxmemory", 0)),
        )


@dataclass(frozen=True, slots=True)
class _Counted:
    """A queue as counted, and where its oldest ready message may be: streams with what was read of them last."""

    vitals: QueueVitals
    unread: tuple[tuple[str, str], ...]


def _count(queue: QueueKeys, answers: Any) -> _Counted:
    delayed, dead = next(answers), next(answers)
    ready = in_progress = 0
    unread: list[tuple[str, str]] = []
    for stream in queue.streams:
        length, groups = _number(next(answers)), next(answers)
        group = _group(groups, queue.group)
        pending = int(group.get("pending", 0))
        in_progress += pending
        ready += max(length - pending, 0)
        if length > pending:
            last_read = group.get("last-delivered-id", b"0")
            unread.append((stream, last_read.decode()))
    vitals = QueueVitals(
        name=queue.name,
        ready=ready,
        in_progress=in_progress,
        delayed=_number(delayed),
        dead_letters=_number(dead),
    )
    return _Counted(vitals, tuple(unread))


def _group(groups: Any, name: str) -> Mapping[str, Any]:
    """What Redis says of a consumer group; nothing where stream or group are not there yet."""
    if isinstance(groups, Exception):
        return {}
    return next((group for group in groups if group.get("name") == name.encode()), {})


def _number(answer: Any) -> int:
    return 0 if isinstance(answer, Exception) else int(answer)


def _ran(pipeline: Any) -> list[Any]:
    """The answers; refusals of single commands are among them. Raises RedisError when Redis does not answer."""
    answers: list[Any] = pipeline.execute(raise_on_error=False)
    return answers


def _away(name: str, exc: Exception) -> StoreVitals:
    return StoreVitals(name=name, error=str(exc) or type(exc).__name__)
