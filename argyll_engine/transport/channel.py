# SPDX-License-Identifier: Apache-2.0
"""A kombu channel on streams: publishes, consumes, declares, counts. Created by `transport.py`.

Publishing may happen in any thread of the process, as far as kombu allows; consuming is the business of the thread
that drains events.
"""

import os
import socket
import time
import uuid
from datetime import UTC, datetime
from itertools import count
from queue import Empty
from typing import Any, Final

from kombu.log import get_logger

from argyll_engine.transport import scripts
from argyll_engine.transport.clients import tolerant
from argyll_engine.transport.consumer import Consumer, Delivery, NextRead
from argyll_engine.transport.message import Message
from argyll_engine.transport.pace import Pace
from argyll_engine.transport.qos import QoS as Deliveries
from argyll_engine.transport.queues import QueueChannel
from argyll_engine.transport.settlements import Settlement
from argyll_engine.transport.wire import MESSAGE_FIELD, Ready, decode, encode, seal, tag_of

NO_MESSAGE: Final = "not a message"
LATE_SECONDS: Final = 10.0
"""A Redis that hung may yet run what it had received on a connection that was given up: after an outage it is asked a
second time for what it gave away."""

log = get_logger(__name__)
_numbers = count(1)


class Channel(QueueChannel):
    """One channel of a connection."""

    _qos: Any
    QoS: Any = Deliveries
    Message: Any = Message

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self._consumer: Consumer | None = None
        self._no_ack: set[str] = set()
        self._look_again_at = 0.0
        self._pace = Pace(self.options.read_size)

    @property
    def consumer(self) -> Consumer | None:
        """What reads streams for this channel; None while it consumes none."""
        return self._consumer

    @property
    def deliveries(self) -> Deliveries:
        """What was delivered and is not settled."""
        if self._qos is None:
            self._qos = Deliveries(self)
        found: Deliveries = self._qos
        return found

    # -- consuming --

    def basic_consume(self, queue: str, no_ack: bool, callback: Any, consumer_tag: Any, **kwargs: Any) -> Any:
        """Consume from a queue, or from the broadcasts that it is bound to."""
        super().basic_consume(queue, no_ack, callback, consumer_tag, **kwargs)
        if queue in self._fanout_bindings:
            self.connection.fanout.subscribe(queue, *self._fanout_bindings[queue])
            return
        if no_ack:
            self._no_ack.add(queue)
        lasting = queue not in self._expires
        self._reader().add(queue, kept=lasting)
        if lasting:
            self.connection.keep()
        else:
            self._expire(queue)

    def basic_cancel(self, consumer_tag: str) -> None:
        """Consume no more; what was read ahead goes back at once."""
        queue = self._tag_to_queue.get(consumer_tag)
        super().basic_cancel(consumer_tag)
        if queue is None:
            return
        if queue in self._fanout_bindings:
            self.connection.fanout.unsubscribe(queue)
        elif self._consumer is not None:
            with tolerant("give back what was read ahead"):
                self._consumer.remove(queue)
        self._no_ack.discard(queue)

    def advance(self) -> int:
        """Send what was settled, read what is ready and deliver it for one turn; returns how many were delivered."""
        consumer = self._consumer
        if consumer is None:
            return 0
        if consumer.waiting.is_overdue(self.options.socket_timeout):
            raise ConnectionError("Redis does not answer")
        if consumer.has_lost:
            self.recover()
        elif self._look_again_at and time.monotonic() >= self._look_again_at:
            self.recover()
            self._look_again_at = 0.0
        limit = 0
        if not consumer.ready and not consumer.waiting.pending:
            self._pace.end()
            limit = 0 if consumer.found_nothing else self._credit()
            consumer.found_nothing = False
        before = len(consumer.ready)
        consumer.read(limit)
        if limit:
            self._pace.begin(len(consumer.ready) - before)
        until = time.monotonic() + self.options.turn_seconds
        delivered = 0
        while consumer.ready and self.deliveries.can_consume():
            self._hand_over(consumer.ready.popleft())
            delivered += 1
            if time.monotonic() >= until:
                break
        return delivered

    def next_read(self) -> NextRead | None:
        """The next read, for another call to the same Redis to carry; None if there is nothing to read now.

        For whoever runs all messages of a read at once, when they are done but for that call: then room for more is
        as good as there. Only for the thread that drains events.
        """
        consumer, deliveries = self._consumer, self.deliveries
        if consumer is None or consumer.ready or consumer.waiting.pending or not consumer.queues or consumer.has_lost:
            return None
        if "can_consume" in vars(deliveries):  # see _credit
            return None
        self._pace.end()
        limit = min(self._pace.limit, deliveries.prefetch_count or self._pace.limit)
        return consumer.next_read(limit, self._pace.begin)

    def recover(self) -> None:
        """After an outage: go on with all that is this channel's."""
        if self._consumer is not None:
            self._consumer.recover(self.deliveries.tags())
            self._look_again_at = time.monotonic() + LATE_SECONDS

    def may_wait(self) -> bool:
        """Whether this channel could take a message now."""
        consumer = self._consumer
        return consumer is not None and not consumer.ready and bool(consumer.queues) and self._credit() > 0

    def settle(self, settlement: Settlement) -> None:
        """Note what became of a message; from any thread."""
        if self._consumer is not None:
            self._consumer.settlements.add(settlement)

    def _credit(self) -> int:
        deliveries = self.deliveries
        if not deliveries.can_consume():
            return 0
        if "can_consume" in vars(deliveries):  # Celery's worker_disable_prefetch counts for itself
            return 1
        limit = deliveries.can_consume_max_estimate()
        return self._pace.limit if limit is None else min(limit, self._pace.limit)

    def _hand_over(self, delivery: Delivery) -> None:
        payload = self._decoded(delivery)
        if payload is None:
            return
        if delivery.queue in self._no_ack:
            self.settle(Settlement(delivery.queue, delivery.stream, delivery.entry_id))
        self.connection._deliver(payload, delivery.queue)

    def _decoded(self, delivery: Delivery) -> dict[str, Any] | None:
        try:
            payload = decode(delivery.payload)
        except ValueError:
            log.error("redis-streams: %s in %s is not a message", delivery.entry_id, delivery.stream)
            self.settle(Settlement(delivery.queue, delivery.stream, delivery.entry_id, reason=NO_MESSAGE))
            return None
        properties = payload["properties"]
        properties["delivery_tag"] = tag_of(delivery.stream, delivery.entry_id)
        where = properties.setdefault("delivery_info", {})
        where["queue"] = delivery.queue
        if delivery.failed_deliveries:
            where["redelivered"] = True
            payload.setdefault("headers", {})["redelivered"] = True
        return payload

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        reader = self._reader()
        added = queue not in reader.queues
        if added:
            reader.add(queue, kept=False)
        try:
            if not reader.ready:
                reader.read(1)
            payload = self._decoded(reader.ready.popleft()) if reader.ready else None
        finally:
            if added:
                reader.remove(queue)
        if payload is None:
            raise Empty
        return payload

    def _reader(self) -> Consumer:
        if self._consumer is None:
            name = f"{socket.gethostname()}:{os.getpid()}:{next(_numbers)}:{uuid.uuid4().hex[:8]}"
            self._consumer = Consumer(self._client, self.options, name, self.connection.alarm.ring)
        return self._consumer

    # -- publishing --

    def _put(self, queue: str, message: dict[str, Any], **_: Any) -> None:
        sealed = seal(self._keys, queue, message, self.options.priority_steps, datetime.now(UTC))
        if isinstance(sealed, Ready):
            self._client.execute_command("XADD", sealed.key, "*", MESSAGE_FIELD, sealed.payload)
        else:
            call = scripts.Call("delay", [sealed.key], [sealed.due_ms, sealed.member, sealed.wake])
            scripts.run(self._client, call)

    def _put_fanout(self, exchange: str, message: dict[str, Any], routing_key: str, **_: Any) -> None:
        self._client.publish(self._keys.fanout(exchange, routing_key), encode(message))

    def encode_body(self, body: Any, encoding: str | None = None) -> tuple[Any, Any]:
        """Text as it is, for the message is JSON anyway; bytes in base64."""
        return (body, "utf-8") if isinstance(body, str) else super().encode_body(body, "base64")

    def queue_delete(self, queue: str, if_unused: bool = False, if_empty: bool = False, **kwargs: Any) -> None:
        """Delete a queue; this channel consumes it no more."""
        if self._consumer is not None:
            self._consumer.remove(queue)
        super().queue_delete(queue, if_unused, if_empty, **kwargs)

    def close(self) -> None:
        """Stop consuming and give back what was not settled, so that others have it at once."""
        if not self.closed and self.connection is not None:
            consumer = self._consumer
            for tag in list(self._consumers):
                self.basic_cancel(tag)
            if consumer is not None:
                with tolerant("give messages back"):
                    consumer.close()
                consumer.waiting.drop()
                self._consumer = None
            with tolerant("delete queues"):
                for queue in self._own_queues():
                    self.queue_delete(queue)
        super().close()
