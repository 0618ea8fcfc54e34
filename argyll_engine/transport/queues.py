# SPDX-License-Identifier: Apache-2.0
"""The queues of a channel: declared, bound to exchanges, counted, purged and deleted. `channel.py` builds on it."""

import time
from typing import Any, Final

from kombu.transport import virtual
from kombu.transport.base import to_rabbitmq_queue_arguments  # type: ignore[attr-defined]  # not in its stubs

from argyll_engine.transport import scripts
from argyll_engine.transport.options import Options
from argyll_engine.transport.wire import GROUP, Keys

BINDING_SEPARATOR: Final = "\x06\x16"
BINDING_SECONDS: Final = 3600
"""How long the binding of a queue that expires is kept beyond its own time."""
LEAST_EXPIRY_SECONDS: Final = 300
"""Queues that expire live this long at least: nobody refreshes them while they are read."""


class QueueChannel(virtual.Channel):
    """What a channel knows of queues. Broadcasts leave no trace in Redis, other bindings do."""

    connection: Any
    supports_fanout = True

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self.options: Options = connection.options
        self._keys = self.options.keys
        self._client = connection.redis
        self._fanout_bindings: dict[str, tuple[str, str]] = {}
        self._expires: dict[str, int] = {}
        self._temporary: set[str] = set()

    def prepare_queue_arguments(self, arguments: Any, **kwargs: Any) -> Any:
        """Queue options as arguments, `expires` among them."""
        return to_rabbitmq_queue_arguments(arguments, **kwargs)

    def _new_queue(self, queue: str, auto_delete: bool = False, **kwargs: Any) -> None:
        if auto_delete:
            self._temporary.add(queue)
        expires = (kwargs.get("arguments") or {}).get("x-expires")
        if expires:
            self._expires[queue] = max(int(expires), LEAST_EXPIRY_SECONDS * 1000)

    def _has_queue(self, queue: str, **_: Any) -> bool:
        return bool(self._client.exists(*self._streams(queue), self._keys.delayed(queue)))

    def _size(self, queue: str) -> int:
        return int(scripts.run(self._client, scripts.Call("size", self._streams(queue), [GROUP])))

    def _purge(self, queue: str) -> int:
        keys = [self._keys.delayed(queue), *self._streams(queue)]
        return int(scripts.run(self._client, scripts.Call("purge", keys, [GROUP])))

    def queue_delete(self, queue: str, if_unused: bool = False, if_empty: bool = False, **kwargs: Any) -> None:
        """Delete a queue with its messages and bindings; its dead letters stay."""
        if if_empty and self._size(queue):
            return
        super().queue_delete(queue, if_unused, if_empty, **kwargs)
        keys = self._keys
        self._client.delete(*self._streams(queue), keys.delayed(queue), keys.alive(queue), keys.pulse(queue))
        self._temporary.discard(queue)

    def _delete(self, queue: str, exchange: str, routing_key: str, pattern: str, *_: Any, **__: Any) -> None:
        self._client.zrem(self._keys.bindings(exchange), _binding(routing_key, pattern, queue))

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        if self.typeof(exchange).type == "fanout":
            self._fanout_bindings[queue] = (exchange, routing_key.replace("#", "*"))
            return
        expires = self._expires.get(queue)
        until = "+inf" if expires is None else str(time.time() + expires / 1000 + BINDING_SECONDS)
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.zadd(self._keys.bindings(exchange), {_binding(routing_key, pattern, queue): until})
            pipeline.zremrangebyscore(self._keys.bindings(exchange), "-inf", time.time())
            pipeline.execute()

    def get_table(self, exchange: str) -> Any:
        """What is bound to an exchange, by anybody: routing key, pattern, queue."""
        found = self._client.zrangebyscore(self._keys.bindings(exchange), time.time(), "+inf")
        return [tuple(member.decode().split(BINDING_SEPARATOR)) for member in found]

    def _streams(self, queue: str) -> tuple[str, ...]:
        keys: Keys = self._keys
        return keys.streams(queue, self.options.priority_steps)

    def _expire(self, queue: str) -> None:
        with self._client.pipeline(transaction=False) as pipeline:
            for stream in self._streams(queue):
                pipeline.pexpire(stream, self._expires[queue])
            pipeline.execute()

    def _own_queues(self) -> list[str]:
        return [queue for queue in self._temporary if queue not in self._fanout_bindings and queue in self._expires]


def _binding(routing_key: str, pattern: str, queue: str) -> str:
    return BINDING_SEPARATOR.join((routing_key or "", pattern or "", queue))
