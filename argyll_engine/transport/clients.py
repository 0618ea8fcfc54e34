# SPDX-License-Identifier: Apache-2.0
"""Opens the Redis client of a connection, once. Called by `transport.py`, and by whoever tends dead letters."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from kombu.log import get_logger
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel

from argyll_engine.transport.options import Options, redis_url

DEFAULT_SENTINEL_PORT = 26379

log = get_logger(__name__)


def open_client(broker_url: str, options: Options, ssl: Mapping[str, Any] | None = None) -> Redis:
    """A client of bytes; it connects with its first command and repeats none of them by itself.

    Args:
        broker_url: `redis-streams://…`, `rediss-streams://…`, `redis-streams+unix:///path?db=0`, or
            `redis-streams+sentinel://[:password@]host:port,host:port/primary[/db]`.
        ssl: Arguments of redis-py's TLS connections (`broker_use_ssl`).
    """
    url = redis_url(broker_url)
    settings = _settings(options) | dict(ssl or {})
    if ssl and url.startswith("redis://"):
        url = "rediss" + url.removeprefix("redis")
    if not url.startswith("sentinel://"):
        return Redis.from_url(url, **settings)
    parts = urlsplit(url)
    userinfo, _, hosts = parts.netloc.rpartition("@")
    primary, _, db = parts.path.strip("/").partition("/")
    user, _, password = map(unquote, userinfo.partition(":"))
    watchers = Sentinel([_host(text) for text in hosts.split(",")], **_settings(options))  # type: ignore[no-untyped-call]
    client: Redis = watchers.master_for(  # type: ignore[no-untyped-call]
        primary, db=int(db or 0), username=user or None, password=password or None, **settings
    )
    return client


@contextmanager
def tolerant(purpose: str) -> Iterator[None]:
    """A block that a Redis which does not answer cannot break: others take over when this one's time is up."""
    try:
        yield
    except (RedisError, OSError) as exc:
        log.warning("redis-streams: could not %s: %s", purpose, exc)


def _host(text: str) -> tuple[str, int]:
    name, _, port = text.rpartition(":")
    return (name, int(port)) if port.isdecimal() and name else (text, DEFAULT_SENTINEL_PORT)


def _settings(options: Options) -> dict[str, Any]:
    settings = {
        "socket_timeout": options.socket_timeout,
        "socket_connect_timeout": options.socket_connect_timeout,
        "socket_keepalive": options.socket_keepalive,
        "health_check_interval": options.health_check_interval,
        "client_name": options.client_name,
        "max_connections": options.max_connections,
        "retry": Retry(NoBackoff(), 0),
        # Answers of the same shape from every version of redis-py.
        "protocol": 2,
    }
    return {name: value for name, value in settings.items() if value is not None}
