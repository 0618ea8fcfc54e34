# SPDX-License-Identifier: Apache-2.0
"""How queues and messages lie in Redis: keys, entries, delivery tags. Pure; whoever puts messages into a queue by a
script of its own needs this module and nothing else of the transport.

A queue is one stream a priority, a stream of what came back, a sorted set of what waits for its time, a sorted set of
live consumers and a stream of dead letters. An entry has two fields, or four when it was delivered before:
`m` the message as JSON, `n` how many deliveries failed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from kombu.utils.json import dumps as dumps_any

GROUP: Final = "workers"
"""The consumer group of every stream."""
DEFAULT_PREFIX: Final = "{celery}:"
"""The braces make all keys share a slot of a Redis Cluster."""
DEFAULT_PRIORITIES: Final = (0, 3, 6, 9)
"""Smallest first, as with Celery's stock Redis transport."""
MESSAGE_FIELD: Final = "m"
TAG_SEPARATOR: Final = "|"

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


@dataclass(frozen=True, slots=True)
class Keys:
    """Builds the keys of the transport. `prefix` goes before each of them."""

    prefix: str = DEFAULT_PREFIX

    def stream(self, queue: str, priority: int = 0) -> str:
        """Messages that are ready, of one step of priorities."""
        return f"{self.prefix}queue:{queue}:{priority}"

    def returned(self, queue: str) -> str:
        """Messages that were taken and came back; they go first, one at a time."""
        return f"{self.prefix}queue:{queue}:returned"

    def streams(self, queue: str, priorities: Sequence[int]) -> tuple[str, ...]:
        """Every stream that is consumed, in the order in which they are."""
        return (self.returned(queue), *(self.stream(queue, priority) for priority in priorities))

    def delayed(self, queue: str) -> str:
        """Messages that wait, by the time when they are due (ms since 1970)."""
        return f"{self.prefix}delayed:{queue}"

    def dead(self, queue: str) -> str:
        """Messages that were given up."""
        return f"{self.prefix}dead:{queue}"

    def alive(self, queue: str) -> str:
        """Consumers of a queue, by the time until which they are taken to be alive (ms since 1970)."""
        return f"{self.prefix}alive:{queue}"

    def pulse(self, queue: str) -> str:
        """When a consumer of a queue last showed a sign of life, and until when nobody is taken for dead."""
        return f"{self.prefix}pulse:{queue}"

    def guard(self, queue: str) -> str:
        """There while nobody need look for dead consumers of a queue."""
        return f"{self.prefix}guard:{queue}"

    def bindings(self, exchange: str) -> str:
        """Queues bound to an exchange."""
        return f"{self.prefix}bindings:{exchange}"

    def fanout(self, exchange: str, routing_key: str) -> str:
        """The channel of a broadcast."""
        return f"{self.prefix}fanout:{exchange}/{routing_key}"

    def wake(self) -> str:
        """The channel on which consumers hear of a message that is due sooner than what they know of."""
        return f"{self.prefix}wake"


@dataclass(frozen=True, slots=True)
class Ready:
    """A message for a stream: `XADD key * m payload`."""

    key: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Delayed:
    """A message that waits: `ZADD key due_ms member`; a new first one is told on `wake` (`lua/delay.lua`)."""

    key: str
    due_ms: int
    member: bytes
    wake: str


def seal(
    keys: Keys, queue: str, message: Mapping[str, Any], priorities: Sequence[int], now: datetime
) -> Ready | Delayed:
    """Where a message goes and what is written there.

    Args:
        message: What kombu hands to a virtual transport: body, headers, properties. It is not changed.
        priorities: The steps of priorities of this deployment, ascending.
        now: An aware time; what has an ETA after it waits.
    """
    priority = priority_step(message, priorities)
    due = due_at(message)
    if due is not None:
        # The worker must not wait again for what waited here.
        message = {**message, "headers": {**message["headers"], "eta": None}}
    return lay(keys, queue, encode(message), priority, due, now)


def lay(keys: Keys, queue: str, payload: bytes, priority: int, due: datetime | None, now: datetime) -> Ready | Delayed:
    """Where an encoded message goes that is due then (None: at once) and says nothing of an ETA itself.

    Args:
        priority: One of the steps of priorities of this deployment.
    """
    if due is None or due <= now:
        return Ready(keys.stream(queue, priority), payload)
    # A member says its priority first: `3 {…}`.
    return Delayed(keys.delayed(queue), int(due.timestamp() * 1000), b"%d %b" % (priority, payload), keys.wake())


def due_at(message: Mapping[str, Any]) -> datetime | None:
    """When a task message may be delivered; None for at once, and for an ETA that is no time.

    Source: Celery, task message protocol 2 (`headers.eta`, ISO 8601).
    """
    eta = (message.get("headers") or {}).get("eta")
    if not eta:
        return None
    try:
        due = eta if isinstance(eta, datetime) else datetime.fromisoformat(str(eta))
    except ValueError:
        return None
    return due if due.tzinfo is not None else due.replace(tzinfo=UTC)


def priority_step(message: Mapping[str, Any], priorities: Sequence[int]) -> int:
    """The step that a message's priority belongs to: the largest that is not above it."""
    try:
        priority = int(message["properties"]["priority"])
    except (KeyError, TypeError, ValueError):
        return priorities[0]
    return max((step for step in priorities if step <= priority), default=priorities[0])


def encode(message: Mapping[str, Any]) -> bytes:
    """The message as JSON; values that plain JSON does not know are written the way kombu does."""
    try:
        return _encoder.encode(message)
    except TypeError:
        text: str = dumps_any(message)
        return text.encode()


def decode(payload: bytes) -> dict[str, Any]:
    """The message again.

    Raises:
        ValueError: It is no message.
    """
    message = _decoder.decode(payload)
    if not isinstance(message, dict) or not isinstance(message.get("properties"), dict):
        raise ValueError("not a message")
    return message


def tag_of(stream: str, entry_id: str) -> str:
    """The delivery tag of an entry."""
    return f"{stream}{TAG_SEPARATOR}{entry_id}"


def split_tag(tag: str) -> tuple[str, str]:
    """Stream and entry of a delivery tag: what `XACK` and `XDEL` need.

    Raises:
        ValueError: It is no tag of this transport.
    """
    stream, separator, entry_id = tag.rpartition(TAG_SEPARATOR)
    if not separator:
        raise ValueError(f"not a delivery tag of a stream: {tag!r}")
    return stream, entry_id
