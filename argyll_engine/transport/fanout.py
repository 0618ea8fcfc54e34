# SPDX-License-Identifier: Apache-2.0
"""Broadcasts over Redis pub/sub: remote control, worker events, and the wake-up call for delayed messages.

One subscription a connection, opened with its first consumer.
"""

import re
from collections.abc import Callable
from typing import Any

from kombu.log import get_logger
from redis import Redis

from argyll_engine.transport.wire import Keys, decode

log = get_logger(__name__)

_GLOB = re.compile(r"([*?\[\]^\\])")


class Fanout:
    """The subscriptions of one connection.

    Args:
        on_wake: called when a delayed message is due sooner than others.
        on_message: called with a broadcast and the queue it is for.
    """

    def __init__(
        self, client: Redis, keys: Keys, on_wake: Callable[[], None], on_message: Callable[[dict[str, Any], str], None]
    ) -> None:
        self._client = client
        self._keys = keys
        self._on_wake = on_wake
        self._on_message = on_message
        self._queues: dict[str, set[str]] = {}
        self._pubsub: Any = None  # redis-py gives few types for it

    def subscribe(self, queue: str, exchange: str, routing_key: str) -> None:
        """Have a queue receive what is broadcast to an exchange; `*` and `#` in the key stand for anything."""
        pattern = pattern_of(self._keys, exchange, routing_key)
        self._queues.setdefault(pattern, set()).add(queue)
        if self._pubsub is None:
            self.fileno()  # now, and not with the first poll: what is sent in between would be missed
        else:
            self._pubsub.psubscribe(pattern)

    def unsubscribe(self, queue: str) -> None:
        """End it."""
        for pattern, queues in list(self._queues.items()):
            queues.discard(queue)
            if not queues:
                del self._queues[pattern]
                if self._pubsub is not None:
                    self._pubsub.punsubscribe(pattern)

    def fileno(self) -> int:
        """What to poll; connects if need be."""
        if self._pubsub is None:
            pubsub: Any = self._client.pubsub()  # type: ignore[no-untyped-call]
            pubsub.subscribe(self._keys.wake())
            if self._queues:
                pubsub.psubscribe(*self._queues)
            self._pubsub = pubsub
        number: int = self._pubsub.connection._sock.fileno()
        return number

    def receive(self) -> int:
        """Deliver all that has arrived; returns how many."""
        count = 0
        while self._pubsub is not None and (heard := self._pubsub.get_message(timeout=0)) is not None:
            if heard["type"] == "message":
                self._on_wake()
            elif heard["type"] == "pmessage":
                count += self._deliver(heard["pattern"].decode(), heard["data"])
        return count

    def drop(self) -> None:
        """Close the connection; the next `fileno` opens another, with the same subscriptions."""
        pubsub, self._pubsub = self._pubsub, None
        if pubsub is not None:
            pubsub.close()

    def _deliver(self, pattern: str, payload: bytes) -> int:
        try:
            queues = tuple(self._queues.get(pattern, ()))
            for queue in queues:
                self._on_message(decode(payload), queue)
        except ValueError:
            log.error("redis-streams: dropped a broadcast that is no message, for %s", pattern)
            return 0
        return len(queues)


def pattern_of(keys: Keys, exchange: str, routing_key: str) -> str:
    """The pattern of channels for a binding; a binding without a key takes everything."""
    parts = re.split(r"[*#]", routing_key or "#")
    literal = [_GLOB.sub(r"\\\1", part) for part in (keys.fanout(exchange, parts[0]), *parts[1:])]
    return "*".join(literal)
