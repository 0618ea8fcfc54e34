# SPDX-License-Identifier: Apache-2.0
"""Whether a Redis keeps what the engine's promises rest on. Reads `INFO` only, as managed services allow.

Called by the CLI before anything starts. `deploy/redis.conf` has the settings that pass, each with its
reason.
"""

from collections.abc import Mapping
from typing import Final

from redis import Redis

from argyll_engine.errors import StoreUnavailableError
from argyll_engine.store.connect import translated

MIN_VERSION: Final = (6, 2)


def check_redis(client: Redis) -> tuple[str, ...]:
    """One plain sentence for each thing that is wrong; empty when the Redis is fit.

    Raises:
        StoreUnavailableError: It does not answer, or is still loading.
    """
    with translated("redis"):
        facts = client.info()
    if facts.get("loading"):
        raise StoreUnavailableError("redis", "it is still loading its data")
    faults = (_version_fault(facts), _persistence_fault(facts), _eviction_fault(facts))
    return tuple(fault for fault in faults if fault)


def persistence_trouble(facts: Mapping[str, object], *, is_strict: bool) -> str:
    """What is wrong with how a running Redis keeps data, by its `INFO`; empty for nothing.

    Args:
        is_strict: Whether settings that may lose data are wrong, and not only writes that fail.
    """
    if facts.get("aof_enabled") and facts.get("aof_last_write_status", "ok") != "ok":
        return "its last write to the append-only file failed"
    if not facts.get("aof_enabled") and facts.get("rdb_last_bgsave_status", "ok") != "ok":
        return "its last snapshot failed"
    faults = (_persistence_fault(facts), _eviction_fault(facts)) if is_strict else ()
    return "; ".join(fault for fault in faults if fault)


def _version_fault(facts: dict[str, object]) -> str:
    version = str(facts.get("redis_version", "0"))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if numbers >= MIN_VERSION:
        return ""
    return f"its version is {version}; the engine needs 6.2 or newer"


def _persistence_fault(facts: Mapping[str, object]) -> str:
    if facts.get("aof_enabled"):
        return ""
    return "its append-only file is off (appendonly no), so a crash loses flows; set appendonly yes"


def _eviction_fault(facts: Mapping[str, object]) -> str:
    policy = str(facts.get("maxmemory_policy", "noeviction"))
    if policy == "noeviction":
        return ""
    return f"its maxmemory-policy is {policy}, so it may drop flows when memory runs short; set noeviction"
