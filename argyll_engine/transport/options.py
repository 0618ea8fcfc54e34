# SPDX-License-Identifier: Apache-2.0
"""What can be set through Celery's `broker_transport_options`, and reading the broker's URL. Opens nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from argyll_engine.transport.wire import DEFAULT_PREFIX, DEFAULT_PRIORITIES, Keys

CHECKS_PER_LEASE: Final = 3
LONGEST_TICK_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Settings of one connection. docs/transport.md says what each is good for.

    Args:
        global_keyprefix: Goes before every key; keep the braces on a Redis Cluster.
        visibility_timeout: Seconds after the last sign of life until a consumer's messages go to others.
        delivery_limit: Failed deliveries until a message becomes a dead letter; 0 for never.
        read_size: Messages that one read takes at most; the prefetch count of the consumer is a limit as well.
        turn_seconds: How long one `drain_events` goes on delivering what was read.
        priority_steps: Steps of priorities, the most urgent first.
        socket_timeout: Seconds to wait for an answer.
    """

    global_keyprefix: str = DEFAULT_PREFIX
    visibility_timeout: float = 60.0
    delivery_limit: int = 10
    read_size: int = 128
    turn_seconds: float = 0.02
    priority_steps: Sequence[int] = DEFAULT_PRIORITIES
    socket_timeout: float = 5.0
    socket_connect_timeout: float = 1.0
    socket_keepalive: bool | None = None
    health_check_interval: float = 30
    max_connections: int | None = None
    client_name: str | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Options":
        """The settings among the transport options; what this transport does not know is another's and is left out.

        Raises:
            ValueError: One is out of range.
        """
        known = {field.name for field in fields(cls)}
        found = cls(**{name: value for name, value in options.items() if name in known and value is not None})
        for name in ("visibility_timeout", "read_size", "socket_timeout", "socket_connect_timeout"):
            if getattr(found, name) <= 0:
                raise ValueError(f"broker_transport_options: {name} must be above 0")
        if not found.priority_steps or list(found.priority_steps) != sorted(set(found.priority_steps)):
            raise ValueError("broker_transport_options: priority_steps must ascend")
        return found

    @property
    def keys(self) -> Keys:
        """The keys of this deployment."""
        return Keys(self.global_keyprefix)

    @property
    def tick_seconds(self) -> float:
        """How often a consumer shows that it lives and looks for those that do not."""
        return min(self.visibility_timeout / CHECKS_PER_LEASE, LONGEST_TICK_SECONDS)

    @property
    def lease_ms(self) -> int:
        """`visibility_timeout` as Redis wants it."""
        return int(self.visibility_timeout * 1000)


def redis_url(broker_url: str) -> str:
    """The URL as redis-py wants it; `sentinel://` stays as it is."""
    scheme, separator, rest = broker_url.partition("://")
    if not separator:
        return f"redis://{broker_url or 'localhost:6379'}"
    scheme = scheme.removeprefix("redis-streams+").removesuffix("-streams")
    return f"{'unix' if scheme == 'socket' else scheme}://{rest or 'localhost:6379'}"


def safe_url(broker_url: str, mask: str) -> str:
    """The URL for people: a password becomes `mask`."""
    parts = urlsplit(broker_url)
    userinfo, at, host = parts.netloc.rpartition("@")
    if not at or ":" not in userinfo:
        return broker_url
    return urlunsplit(parts._replace(netloc=f"{userinfo.partition(':')[0]}:{mask}@{host}"))
