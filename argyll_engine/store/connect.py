# SPDX-License-Identifier: Apache-2.0
"""Opens Redis clients and translates what Redis says is wrong. Called by wiring, the CLI and the stores.

No command is sent twice behind the caller's back: when its answer is lost, it may have been applied. Whoever
repeats a commit then meets a conflict whose missed events are its own, and the decision, taken again, finds
nothing left to do. A restarted Redis is no fault all the same: redis-py looks at an idle connection before it
uses it, and opens a new one where the old one was closed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry
from redis.sentinel import Sentinel

from argyll_engine.config import RedisConfig
from argyll_engine.errors import ArgyllError, BrokenError, StoreUnavailableError

DEFAULT_TIMEOUT_SECONDS: Final = 5.0
MAX_CONNECT_SECONDS: Final = 1.0
HEALTH_CHECK_SECONDS: Final = 30

_UNFIT: Final = (
    "BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOAUTH", "NOPERM", "NOREPLICAS", "NOSCRIPT",
    "OOM", "READONLY", "TRYAGAIN", "UNKILLABLE", "WRONGPASS",
)  # fmt: skip
"""First words of refusals that are the server's state and not our mistake. Source: Redis, server.c."""


def connect(config: RedisConfig, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> Redis:
    """A client of bytes (nothing is decoded), safe among threads. It connects with its first command.

    Args:
        config: Where the Redis is; sentinels are asked for their primary.
        timeout_seconds: How long one answer may take; a connect gets a second at most.
    """
    options = _options(timeout_seconds)
    sentinels = config.sentinels()
    if sentinels is None:
        return Redis.from_url(config.url(), **options)
    options |= {"db": sentinels.db, "username": sentinels.user or None, "password": sentinels.password or None}
    # redis-py gives no types for its sentinels.
    watchers = Sentinel(sentinels.hosts, **_options(timeout_seconds))  # type: ignore[no-untyped-call]
    primary: Redis = watchers.master_for(sentinels.primary, **options)  # type: ignore[no-untyped-call]
    return primary


def _options(timeout_seconds: float) -> dict[str, Any]:
    return {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": min(timeout_seconds, MAX_CONNECT_SECONDS),
        "health_check_interval": HEALTH_CHECK_SECONDS,
        "retry": Retry(NoBackoff(), 0),
        # The same answers from every version of redis-py, and no handshake to agree on the protocol.
        "protocol": 2,
    }


@contextmanager
def translated(store: str) -> Iterator[None]:
    """A block whose Redis errors leave it as errors of ours; `store` is the store's name for people.

    Raises:
        StoreUnavailableError: Redis does not answer, or its state does not allow the command.
        BrokenError: Redis refused the command itself, say for a key of another type.
    """
    try:
        yield
    except (RedisError, OSError) as exc:
        raise our_error(store, exc) from exc


def our_error(store: str, exc: Exception) -> ArgyllError:
    """The error of ours that a Redis error amounts to; see `translated`."""
    reason = str(exc) or type(exc).__name__
    if isinstance(exc, ResponseError) and not _is_unfit(exc, reason):
        return BrokenError(f"the {store} store's Redis refused a command: {reason}")
    return StoreUnavailableError(store, reason)


def _is_unfit(exc: ResponseError, reason: str) -> bool:
    """Whether the server's state is to blame; redis-py cuts the code off where it knows a class for it.

    Redis 6.2 puts its refusal of a script's command behind words of its own: `… user_script: 1: -OOM …`.
    """
    if type(exc) is not ResponseError:
        return True
    words = reason.split(" ", 1)[0], *(word[1:] for word in reason.split() if word.startswith("-"))
    return any(word in _UNFIT for word in words)
