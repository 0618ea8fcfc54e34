# SPDX-License-Identifier: Apache-2.0
"""Shows that this connection's consumers live, and takes messages from those that do not. A thread, because a worker
that runs tasks in its main thread is busy for as long as they take.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Final

from kombu.log import get_logger
from redis import Redis
from redis.exceptions import RedisError

from argyll_engine.transport import scripts
from argyll_engine.transport.consumer import Consumer
from argyll_engine.transport.options import Options
from argyll_engine.transport.wire import GROUP

REAPED_AT_ONCE: Final = 1000

log = get_logger(__name__)


class Keeper:
    """Ticks until it is stopped.

    Args:
        consumers: gives the consumers of the moment.
    """

    def __init__(self, client: Redis, options: Options, consumers: Callable[[], Iterable[Consumer]]) -> None:
        self._client = client
        self._options = options
        self._consumers = consumers
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="redis-streams-keeper", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the tick that is under way."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(self._options.socket_timeout + 1)

    def tick(self) -> None:
        """One round. Raises RedisError when Redis does not answer."""
        for consumer in self._consumers():
            for queue in consumer.kept_queues:
                self.refresh(consumer.name, queue)
                self.reap(queue)

    def refresh(self, name: str, queue: str) -> None:
        """A sign of life of one consumer."""
        keys = self._options.keys
        call = scripts.Call("beat", [keys.alive(queue), keys.pulse(queue)], [name, self._options.lease_ms])
        scripts.run(self._client, call)

    def reap(self, queue: str) -> int:
        """How many messages were taken from the dead; -1 when another consumer has just looked."""
        options, keys = self._options, self._options.keys
        places = [keys.returned(queue), keys.dead(queue), keys.alive(queue), keys.pulse(queue), keys.guard(queue)]
        pause_ms = max(int(options.tick_seconds * 900), 1)
        args: list[scripts.Argument] = [GROUP, options.delivery_limit, pause_ms, REAPED_AT_ONCE]
        call = scripts.Call("reap", [*places, *keys.streams(queue, options.priority_steps)], args)
        taken = int(scripts.run(self._client, call))
        if taken > 0:
            log.warning("redis-streams: took %d messages of %s from consumers that are gone", taken, queue)
        return taken

    def _run(self) -> None:
        while not self._stopping.wait(self._options.tick_seconds):
            try:
                self.tick()
            except (RedisError, OSError) as exc:
                log.debug("redis-streams: no sign of life sent: %s", exc)  # the loop itself reports the outage
            except Exception:  # this loop must live: a consumer that seems dead loses its messages
                log.exception("redis-streams: the keeper failed; it goes on")
