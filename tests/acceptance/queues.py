# SPDX-License-Identifier: Apache-2.0
"""What lies in the broker, and taking it away, once for each kind of broker that a stack can have."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from redis import Redis
from redis.exceptions import ResponseError

from argyll_engine.dispatch import RUN_WORK
from argyll_engine.transport.wire import DEFAULT_PRIORITIES, GROUP, Keys

Open = Callable[[], AbstractContextManager[Redis]]


class Queues(Protocol):
    """The queues of a stack."""

    def lose(self, *queues: str) -> int:
        """How many messages were dropped that nobody had taken."""

    def forget_deliveries(self, *queues: str) -> None:
        """Let the broker forget what workers had taken and not acknowledged."""

    def is_idle(self, *queues: str) -> bool:
        """Whether nothing waits, and every work item that a worker has taken is done."""

    def take(self, queue: str) -> bool:
        """Whether there was a message; it is taken as by a worker that dies at once."""


class ListQueues:
    """Of Celery's stock Redis transport."""

    def __init__(self, client: Open, prefix: str) -> None:
        self._open, self._prefix = client, prefix

    def lose(self, *queues: str) -> int:
        """See `Queues`."""
        keys = [self._prefix + queue for queue in queues]
        with self._open() as client:
            count = sum(client.llen(key) for key in keys)
            client.delete(*keys)
        return count

    def forget_deliveries(self, *queues: str) -> None:
        """See `Queues`."""
        with self._open() as client:
            client.delete(self._prefix + "unacked", self._prefix + "unacked_index")

    def is_idle(self, *queues: str) -> bool:
        """See `Queues`."""
        with self._open() as client:
            waiting = sum(client.llen(self._prefix + queue) for queue in queues)
            taken: Any = client.hvals(self._prefix + "unacked")
        return waiting + sum(RUN_WORK.encode() in message for message in taken) == 0

    def take(self, queue: str) -> bool:
        """See `Queues`."""
        with self._open() as client:
            return client.rpop(self._prefix + queue) is not None


class QueuesOfShards:
    """Of several brokers, one a flow shard."""

    def __init__(self, shards: Sequence[Queues]) -> None:
        self._shards = shards

    def lose(self, *queues: str) -> int:
        """See `Queues`."""
        return sum(shard.lose(*queues) for shard in self._shards)

    def forget_deliveries(self, *queues: str) -> None:
        """See `Queues`."""
        for shard in self._shards:
            shard.forget_deliveries(*queues)

    def is_idle(self, *queues: str) -> bool:
        """See `Queues`."""
        return all(shard.is_idle(*queues) for shard in self._shards)

    def take(self, queue: str) -> bool:
        """See `Queues`."""
        return any(shard.take(queue) for shard in self._shards)


class StreamQueues:
    """Of our own transport."""

    def __init__(self, client: Open, prefix: str) -> None:
        self._open, self._keys = client, Keys(prefix)

    def lose(self, *queues: str) -> int:
        """See `Queues`."""
        count = 0
        with self._open() as client:
            for stream in self._streams(queues):
                taken = _taken(client, stream)
                waiting = [entry_id for entry_id, _ in _entries(client, stream) if entry_id not in taken]
                count += int(client.xdel(stream, *waiting)) if waiting else 0
            for queue in queues:
                count += client.zcard(self._keys.delayed(queue))
                client.delete(self._keys.delayed(queue))
        return count

    def forget_deliveries(self, *queues: str) -> None:
        """See `Queues`."""
        with self._open() as client:
            for stream in self._streams(queues):
                if taken := _taken(client, stream):
                    client.xack(stream, GROUP, *taken)
                    client.xdel(stream, *taken)

    def is_idle(self, *queues: str) -> bool:
        """See `Queues`."""
        with self._open() as client:
            waiting = sum(client.xlen(stream) for stream in self._streams(queues))
            delayed: list[Any] = [row for queue in queues for row in client.zrange(self._keys.delayed(queue), 0, -1)]
        return waiting + sum(RUN_WORK.encode() in message for message in delayed) == 0

    def take(self, queue: str) -> bool:
        """See `Queues`."""
        with self._open() as client:
            return any(client.xreadgroup(GROUP, "dead", {s: ">"}, count=1) for s in self._streams((queue,)))

    def _streams(self, queues: tuple[str, ...]) -> list[str]:
        return [stream for queue in queues for stream in self._keys.streams(queue, DEFAULT_PRIORITIES)]


def _entries(client: Redis, stream: str) -> list[Any]:
    return list(client.xrange(stream) or ())


def _taken(client: Redis, stream: str) -> list[bytes]:
    try:
        rows: Any = client.xpending_range(stream, GROUP, "-", "+", 10_000)
    except ResponseError:  # nobody has ever consumed it
        return []
    return [row["message_id"] for row in rows]
