# SPDX-License-Identifier: Apache-2.0
"""Removes what a canary flow has left on Redis. Nothing else is removed this way: see `archive.py` for real flows."""

from redis import Redis

from argyll_engine.model.ids import FlowID, flow_stream, root_of
from argyll_engine.store.connect import translated
from argyll_engine.store.keys import Keys


class RedisRemains:
    """Forgets flows; `client` and `prefix` are those of the flow store."""

    def __init__(self, client: Redis, prefix: str) -> None:
        self._client, self._keys = client, Keys(prefix)

    def forget(self, flow_id: FlowID) -> None:
        """Every key and entry of one flow; messages that still name it find nothing. Raises StoreUnavailableError."""
        keys, stream_id = self._keys, flow_stream(flow_id)
        with translated("flow"):
            pipeline = self._client.pipeline(transaction=True)
            pipeline.delete(keys.events(stream_id), keys.snapshot(stream_id), keys.claims(stream_id))
            pipeline.hdel(keys.statuses(), flow_id)
            pipeline.zrem(keys.due(), flow_id)
            pipeline.srem(keys.family(flow_stream(root_of(flow_id))), flow_id)
            pipeline.execute()
