# SPDX-License-Identifier: Apache-2.0
"""Who executes what, who lives, what is due, and named leases, on Redis. Called by workers and the sweep.

Claims themselves are recorded by `load` and ended by commits (`redis.py`); here is what happens to them
otherwise.
"""

from collections.abc import Mapping
from typing import Any, Final

from redis import Redis

from argyll_engine.model.ids import FlowID, Token, flow_stream
from argyll_engine.store.connect import translated
from argyll_engine.store.keys import Keys
from argyll_engine.store.scripts import ScriptCall, ScriptRunner, read_script

FORGET_WORKER_AFTER_MS: Final = 3_600_000
"""A worker silent for so long is dropped from the list; it counted as dead from its last `until_ms` on."""


class RedisWorkLeases:
    """Implements `ports.WorkLeases`; `prefix` is that of the store whose flows or leases are meant."""

    def __init__(self, client: Redis, prefix: str, *, store_name: str = "flow") -> None:
        self._client, self._name, self._keys = client, store_name, Keys(prefix)
        self._scripts = ScriptRunner(client, store_name)
        self._held, self._accept, self._acquire, self._release = map(
            read_script, ("held", "accept", "acquire_lease", "release_lease")
        )

    def refresh_worker(self, worker_id: str, until_ms: int) -> None:
        """Say that a worker lives, until `until_ms` at least; forgets workers that are long gone."""
        workers = self._keys.workers()
        with translated(self._name):
            pipeline = self._client.pipeline(transaction=False)
            pipeline.zadd(workers, {worker_id: until_ms}, gt=True)
            pipeline.zremrangebyscore(workers, "-inf", until_ms - FORGET_WORKER_AFTER_MS)
            pipeline.execute()

    def retire_worker(self, worker_id: str) -> None:
        """Say that a worker has stopped: whatever it still holds is free."""
        with translated(self._name):
            self._client.zrem(self._keys.workers(), worker_id)

    def held(self, flow_id: FlowID, now_ms: int) -> frozenset[Token]:
        """Tokens whose worker lives past `now_ms`, or whose child flow was started."""
        keys = (self._keys.claims(flow_stream(flow_id)), self._keys.workers())
        (tokens,) = self._scripts.run([ScriptCall(self._held, keys, (now_ms,))])
        return frozenset(Token(token.decode()) for token in tokens)

    def accept(self, flow_id: FlowID, token: Token) -> None:
        """Make a claim everlasting; without one, the webhook's commit was faster and nothing is awaited."""
        self._scripts.run([ScriptCall(self._accept, (self._keys.claims(flow_stream(flow_id)),), (token,))])

    def due_flows(self, now_ms: int, limit: int) -> tuple[FlowID, ...]:
        """Flows due by now, longest overdue first, at most `limit`."""
        with translated(self._name):
            found: Any = self._client.zrangebyscore(self._keys.due(), "-inf", now_ms, start=0, num=limit)
        return tuple(FlowID(flow_id.decode()) for flow_id in found)

    def postpone(self, until_ms: Mapping[FlowID, int]) -> None:
        """Look at these flows again later; flows that are no longer listed stay so."""
        if not until_ms:
            return
        with translated(self._name):
            self._client.zadd(self._keys.due(), {str(flow_id): at for flow_id, at in until_ms.items()}, xx=True)

    def acquire_lease(self, name: str, owner: str, ttl_ms: int) -> bool:
        """Whether `owner` holds the lease now; an owner that asks again prolongs it."""
        call = ScriptCall(self._acquire, (self._keys.lease(name),), (owner, ttl_ms))
        return self._scripts.run([call]) == [1]

    def release_lease(self, name: str, owner: str) -> None:
        """End a lease, if `owner` still holds it."""
        self._scripts.run([ScriptCall(self._release, (self._keys.lease(name),), (owner,))])
