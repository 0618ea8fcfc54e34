# SPDX-License-Identifier: Apache-2.0
"""The kombu transport: one connection with its client, its channels and the loop that drains them.

It says that it is not asynchronous, so Celery drains it in its plain loop, with every pool. A connection that is lost
while events are drained comes back by itself; nothing that was taken is given up for it.
"""

import select
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any, Final

import redis
from kombu.log import get_logger
from kombu.transport import virtual
from redis.exceptions import NoScriptError, RedisError

from argyll_engine.transport.channel import Channel
from argyll_engine.transport.clients import open_client
from argyll_engine.transport.consumer import Consumer
from argyll_engine.transport.fanout import Fanout
from argyll_engine.transport.keeper import Keeper
from argyll_engine.transport.options import Options, safe_url
from argyll_engine.transport.settlements import Alarm

RETRY_SECONDS: Final = 0.25
"""Pause between two attempts to reach a Redis that is away."""
LONGEST_WAIT_SECONDS: Final = 5.0
HURRY_SECONDS: Final = 4.0
HURRIED_WAIT_SECONDS: Final = 0.1
"""How long waits are short after a signal: Celery looks for an order to stop between two of them only, and waits once
more after it has found one."""

log = get_logger(__name__)


class Transport(virtual.Transport):
    """Redis Streams as a broker. docs/transport.md says how to use it."""

    Channel = Channel
    client: Any
    channels: Any
    _callbacks: Any
    can_parse_url = True
    driver_type = "redis"
    driver_name = "redis-streams"
    default_port = 6379
    polling_interval = None
    implements = virtual.Transport.implements.extend(
        asynchronous=False, exchange_type=frozenset(["direct", "topic", "fanout"])
    )
    connection_errors = (
        *virtual.Transport.connection_errors,
        redis.exceptions.ConnectionError,
        redis.exceptions.TimeoutError,
        redis.exceptions.ReadOnlyError,
        OSError,
    )
    channel_errors = (*virtual.Transport.channel_errors, redis.exceptions.ResponseError, redis.exceptions.DataError)

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self.options = Options.of(client.transport_options or {})
        self.after_turn: list[Callable[[], None]] = []
        """Called after a drain that delivered messages, in the thread that drains: the place to run a batch."""
        self._alarm: Alarm | None = None
        self._redis: redis.Redis | None = None
        self._fanout: Fanout | None = None
        self._keeper: Keeper | None = None
        self._broadcast_count = 0
        self._away_since: float | None = None
        self._hurried_until = 0.0
        self._lock = threading.Lock()

    # -- what kombu asks --

    def driver_version(self) -> str:
        """Version of the Redis client."""
        return redis.__version__

    def as_uri(self, uri: str, include_password: bool = False, mask: str = "**") -> str:
        """The URL for people."""
        return uri if include_password else safe_url(uri, mask)

    def establish_connection(self) -> Any:
        """The connection, once Redis has answered. Raises an error of `connection_errors` if it does not."""
        self.redis.ping()
        return super().establish_connection()

    def close_connection(self, connection: Any) -> None:
        """Give back what is not settled, stop the thread, close the sockets."""
        super().close_connection(connection)
        if self._keeper is not None:
            self._keeper.stop()
            self._keeper = None
        if self._fanout is not None:
            self._fanout.drop()
            self._fanout = None
        if self._redis is not None:
            self._redis.close()
            self._redis.connection_pool.disconnect()
            self._redis = None
        if self._alarm is not None:
            self._alarm.close()
            self._alarm = None

    def drain_events(self, connection: Any, timeout: float | None = None, **_: Any) -> None:
        """Deliver messages for one turn, waiting for the first one.

        Raises:
            TimeoutError: None came in time, or a signal came: whoever calls may want to look why.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._guarded_turn(deadline):
            now = time.monotonic()
            if (deadline is not None and now >= deadline) or now < self._hurried_until:
                raise TimeoutError("no message")

    # -- what channels ask --

    @property
    def redis(self) -> redis.Redis:
        """The one client of this connection."""
        with self._lock:
            if self._redis is None:
                ssl = self.client.ssl
                options: Mapping[str, Any] | None = ssl if isinstance(ssl, Mapping) else None
                self._redis = open_client(self.client.hostname or "", self.options, options)
        return self._redis

    @property
    def fanout(self) -> Fanout:
        """The broadcasts of this connection."""
        if self._fanout is None:
            self._fanout = Fanout(self.redis, self.options.keys, self._look_again, self._broadcast)
        return self._fanout

    @property
    def alarm(self) -> Alarm:
        """What wakes the loop of this connection."""
        if self._alarm is None:
            self._alarm = Alarm()
        return self._alarm

    def keep(self) -> None:
        """Show from now on that this connection's consumers live."""
        if self._keeper is None:
            self._keeper = Keeper(self.redis, self.options, self._consumers)
            self._keeper.start()

    # -- the loop --

    def _guarded_turn(self, deadline: float | None) -> bool:
        try:
            if self._away_since is not None:
                for channel in self._consuming():
                    channel.recover()
            delivered = self._turn(deadline)
        except (RedisError, OSError) as exc:
            if isinstance(exc, TimeoutError):
                raise
            self._lost(exc, deadline)
            return False
        if self._away_since is not None:
            log.warning("redis-streams: Redis is back after %.1f s", time.monotonic() - self._away_since)
            self._away_since = None
        return delivered

    def _turn(self, deadline: float | None) -> bool:
        """Whether anything was delivered; waits when there was nothing."""
        delivered = self._hear(poll(self._sources(), 0))
        for channel in self._consuming():
            delivered += channel.advance()
        if not delivered:
            seconds = self._begin_waits(deadline)
            delivered = self._hear(poll(self._sources(), seconds, self.alarm))
        if delivered:
            for callback in self.after_turn:
                callback()
        return delivered > 0

    def _begin_waits(self, deadline: float | None) -> float:
        """Seconds to wait; whatever may come meanwhile wakes the poll."""
        waits = [HURRIED_WAIT_SECONDS if time.monotonic() < self._hurried_until else LONGEST_WAIT_SECONDS]
        if deadline is not None:
            waits.append(max(deadline - time.monotonic(), 0.0))
        waits += [due for consumer in self._consumers() if (due := consumer.seconds_until_due()) is not None]
        if any(channel.consumer.ready and channel.qos.can_consume() for channel in self._consuming()):
            return 0.0
        seconds = min(waits)
        if seconds > 0:
            for channel in self._consuming():
                if channel.may_wait():
                    channel.consumer.begin_wait(seconds)
        return seconds

    def _sources(self) -> dict[int, Any]:
        sources: dict[int, Any] = {self.alarm.fileno(): self.alarm}
        if any(channel._consumers for channel in self.channels):
            sources[self.fanout.fileno()] = self.fanout
        for consumer in self._consumers():
            if consumer.waiting.pending:
                sources[consumer.waiting.fileno()] = consumer
        return sources

    def _hear(self, numbers: set[int]) -> int:
        """How many broadcasts were delivered."""
        before = self._broadcast_count
        for number, source in self._sources().items() if numbers else ():
            if number not in numbers:
                continue
            if source is self.alarm:
                if self.alarm.silence():
                    self._hurried_until = time.monotonic() + HURRY_SECONDS
            elif source is self._fanout:
                self._fanout.receive()
            else:
                source.end_wait()
        return self._broadcast_count - before

    def _broadcast(self, payload: dict[str, Any], queue: str) -> None:
        if queue in self._callbacks:
            self._broadcast_count += 1
            self._deliver(payload, queue)

    def _look_again(self) -> None:
        for consumer in self._consumers():
            consumer.look_again()

    def _consuming(self) -> list[Any]:
        return [channel for channel in list(self.channels) if channel.consumer is not None]

    def _consumers(self) -> list[Consumer]:
        return [channel.consumer for channel in self._consuming()]

    def _lost(self, exc: Exception, deadline: float | None) -> None:
        if isinstance(exc, NoScriptError):
            log.info("redis-streams: Redis has forgotten its scripts")
        if self._away_since is None:
            self._away_since = time.monotonic()
            log.warning("redis-streams: lost Redis, trying again until it is back: %s", exc)
        for consumer in self._consumers():
            consumer.waiting.drop()
        if self._fanout is not None:
            self._fanout.drop()
        pause = RETRY_SECONDS if deadline is None else min(RETRY_SECONDS, max(deadline - time.monotonic(), 0.0))
        time.sleep(pause)


def poll(sources: Iterable[int], seconds: float, alarm: Alarm | None = None) -> set[int]:
    """Those that have something to read, as soon as one has; a signal ends the wait by ringing the alarm."""
    poller = select.poll()
    for number in sources:
        poller.register(number, select.POLLIN)
    with alarm.hearing_signals() if alarm is not None and seconds > 0 else nullcontext():
        return {number for number, _ in poller.poll(seconds * 1000)}
