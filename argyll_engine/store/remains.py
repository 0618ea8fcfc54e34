# SPDX-License-Identifier: Apache-2.0
"""Removes what a canary flow has left on Redis. Nothing else is removed this way: see `archive.py` for real flows."""

import time
from typing import Any, Final

from redis import Redis

from argyll_engine.model.ids import FlowID, flow_stream, root_of
from argyll_engine.store.connect import translated
from argyll_engine.store.keys import Keys

LEFT_AFTER_SECONDS: Final = 60.0
"""Nobody runs a canary for so long: whoever began it was killed."""
MOST_AT_ONCE: Final = 100


class RedisRemains:
    """Forgets flows; `client` and `prefix` are those of the flow store."""

    def __init__(self, client: Redis, prefix: str) -> None:
        self._client, self._keys = client, Keys(prefix)

    def begin(self, flow_id: FlowID) -> tuple[FlowID, ...]:
        """Notes that a canary begins; those that began long ago and that nobody has forgotten.

        Raises StoreUnavailableError.
        """
        now_ms, key = time.time() * 1_000, self._keys.canaries()
        with translated("flow"):
            pipeline = self._client.pipeline(transaction=True)
            pipeline.zadd(key, {flow_id: now_ms})
            pipeline.zrange(key, "-inf", now_ms - LEFT_AFTER_SECONDS * 1_000, byscore=True, offset=0, num=MOST_AT_ONCE)
            found: Any = pipeline.execute()[1]
        return tuple(FlowID(member.decode()) for member in found)

    def forget(self, flow_id: FlowID) -> None:
        """Every key and entry of one flow; messages that still name it find nothing. Raises StoreUnavailableError."""
        keys, stream_id = self._keys, flow_stream(flow_id)
        with translated("flow"):
            pipeline = self._client.pipeline(transaction=True)
            pipeline.delete(keys.events(stream_id), keys.snapshot(stream_id), keys.claims(stream_id))
            pipeline.hdel(keys.statuses(), flow_id)
            pipeline.zrem(keys.due(), flow_id)
            pipeline.zrem(keys.canaries(), flow_id)
            pipeline.srem(keys.family(flow_stream(root_of(flow_id))), flow_id)
            pipeline.execute()
