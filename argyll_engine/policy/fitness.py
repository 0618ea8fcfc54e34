# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a deployment, and what mends it, from facts that somebody has gathered. Pure.

`argyll doctor` gathers the facts and prints the findings. The questions are those that are asked before going live.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from argyll_engine.model.process import ProcessAbout
from argyll_engine.model.vitals import QueueVitals
from argyll_engine.policy.readiness import ENGINE

MAX_SKEW_SECONDS: Final = 1.0
"""Clocks may differ by this much without anybody noticing."""
MIN_OPEN_FILES: Final = 16_384
"""Each WebSocket is an open file."""
FULL_SHARE: Final = 0.85
"""Of a memory or disk, from which on it is about to be full."""


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The answer to one question; `fix` says what to do, empty where there is nothing to do."""

    check: str
    level: Level
    text: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisFacts:
    """One store's Redis. `error` says why nothing else is known; `faults` what its own settings get wrong.

    `schema_fault` is about the form of the keys. `skew_seconds` is its clock's lead over ours.
    """

    name: str
    where: str
    error: str = ""
    faults: tuple[str, ...] = ()
    schema_fault: str = ""
    used_bytes: int = 0
    limit_bytes: int = 0
    is_local: bool = True
    is_tls: bool = False
    has_password: bool = False
    skew_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerFacts:
    """A broker that is not the flow store's Redis, and why it cannot be used; an empty URL means that there is none."""

    url: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlFacts:
    """How the API answers under the URL that services send webhooks to; `error` is empty if it does.

    `is_open` says that it also shows the catalog to whoever asks.
    """

    url: str
    is_local: bool
    error: str = ""
    is_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceFacts:
    """Where archives go: empty for nowhere; `error` says why an object could not be written, read and removed."""

    url: str = ""
    error: str = ""
    used_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is asked about. `tracing_error` says why traces that were asked for cannot be sent."""

    version: str
    is_production: bool
    log_level: str
    stores: tuple[RedisFacts, ...]
    processes: tuple[ProcessAbout, ...]
    wanted_queues: tuple[str, ...]
    has_beat: bool
    max_queue_age_seconds: float
    queues: tuple[QueueVitals, ...]
    url: UrlFacts
    archive: PlaceFacts
    open_files: int
    tracing_error: str = ""
    broker: BrokerFacts = BrokerFacts()


def findings(facts: Facts) -> tuple[Finding, ...]:
    """An answer to every question, in the order in which things are mended."""
    return (
        *_environment(facts),
        *(finding for store in facts.stores for finding in _store(store, facts.is_production)),
        *_separation(facts.stores),
        *_broker(facts.broker),
        *_workers(facts),
        *_clocks(facts),
        *_queues(facts),
        _webhooks(facts.url, facts.is_production),
        _access(facts.url, facts.is_production),
        _archive(facts.archive),
        _open_files(facts.open_files),
        _traces(facts.tracing_error),
    )


def _ok(check: str, text: str) -> Finding:
    return Finding(check=check, level=Level.OK, text=text)


def _environment(facts: Facts) -> Iterator[Finding]:
    if not facts.is_production:
        fix = "set ENV=production where this deployment is meant for it: an unsafe Redis is refused then"
        yield Finding(check="environment", level=Level.NOTE, text="ENV is not `production`", fix=fix)
    elif facts.log_level == "debug":
        fix = "set LOG_LEVEL=info: at debug every work item writes lines"
        yield Finding(check="environment", level=Level.WARNING, text="LOG_LEVEL is debug in production", fix=fix)
    else:
        yield _ok("environment", f"production, version {facts.version}")


def _store(store: RedisFacts, is_production: bool) -> Iterator[Finding]:
    check, unsafe = f"{store.name} store", Level.FAULT if is_production else Level.WARNING
    if store.error:
        fix = f"see that Redis runs at {store.where} and that {store.name.upper()}_REDIS_* are right"
        yield Finding(check=check, level=Level.FAULT, text=store.error, fix=fix)
        return
    for fault in store.faults:
        yield Finding(check=check, level=unsafe, text=fault, fix="deploy/redis.conf has the settings, with reasons")
    if store.schema_fault:
        yield Finding(check=check, level=Level.FAULT, text=store.schema_fault, fix="docs/upgrading.md says how")
    if not store.is_local and not store.has_password:
        fix = f"set a password or an ACL user there, and {store.name.upper()}_REDIS_USER and _PASSWORD here"
        yield Finding(check=check, level=unsafe, text="whoever reaches it may use it: no password is sent", fix=fix)
    if not store.is_local and not store.is_tls:
        fix = "use rediss://, unless the network between is trusted"
        yield Finding(check=check, level=Level.WARNING, text="what is sent is not encrypted", fix=fix)
    yield from _memory(store)
    if not (store.faults or store.schema_fault):
        yield _ok(check, f"Redis at {store.where} answers and keeps what it is given")


def _memory(store: RedisFacts) -> Iterator[Finding]:
    check = f"{store.name} store memory"
    if not store.limit_bytes:
        fix = "set maxmemory there (or ARCHIVE_MEMORY_LIMIT): without it nothing is archived before memory ends"
        yield Finding(check=check, level=Level.WARNING, text="it has no limit (maxmemory 0)", fix=fix)
    elif store.used_bytes > FULL_SHARE * store.limit_bytes:
        text = f"{store.used_bytes / store.limit_bytes:.0%} of maxmemory is used"
        fix = "give it memory, or let flows be archived sooner (ARCHIVE_MAX_AGE, ARCHIVE_MEMORY_PERCENT)"
        yield Finding(check=check, level=Level.WARNING, text=text, fix=fix)
    else:
        yield _ok(check, f"{store.used_bytes / store.limit_bytes:.0%} of maxmemory is used")


def _separation(stores: Sequence[RedisFacts]) -> Iterator[Finding]:
    if len({store.where for store in stores}) == 1 and len(stores) > 1:
        fix = "a Redis of its own for each lets flows fill theirs without taking the catalog along"
        yield Finding(check="stores", level=Level.NOTE, text="engine and flows share one Redis", fix=fix)


def _broker(broker: BrokerFacts) -> Iterator[Finding]:
    if broker.error:
        fix = "see that it runs, and that CELERY_BROKER_URL is right and its library installed"
        yield Finding(check="broker", level=Level.FAULT, text=f"{broker.url}: {broker.error}", fix=fix)
    elif broker.url:
        yield _ok("broker", f"{broker.url} takes connections")


def _workers(facts: Facts) -> Iterator[Finding]:
    if not facts.processes:
        yield Finding(check="workers", level=Level.FAULT, text="no worker answers", fix="start `argyll worker`")
    else:
        yield _ok("workers", f"{len(facts.processes)} worker processes answer")
        served = {queue for process in facts.processes for queue in process.queues}
        for queue in sorted(set(facts.wanted_queues) - served):
            starts = "argyll archiver" if queue == "archive" else "argyll worker"
            text = f"nobody takes messages from the queue {queue}"
            yield Finding(check="workers", level=Level.FAULT, text=text, fix=f"start `{starts}`")
        for queue in sorted(set(facts.wanted_queues) & served):
            if sum(queue in process.queues for process in facts.processes) == 1 and queue in ("steps", "work"):
                text = f"one process alone takes messages from the queue {queue}"
                yield Finding(check="workers", level=Level.NOTE, text=text, fix="run two, on two machines")
    yield from _versions(facts)
    if facts.has_beat:
        yield _ok("beat", "periodic tasks are started")
    else:
        text = "no periodic task was started lately: lost work and changes of health go unnoticed"
        yield Finding(check="beat", level=Level.FAULT, text=text, fix="start `argyll beat`, and a worker for its queue")


def _versions(facts: Facts) -> Iterator[Finding]:
    found = sorted({process.version for process in facts.processes} - {facts.version})
    if found:
        text = f"workers run version {', '.join(found)}, and this is {facts.version}"
        yield Finding(check="versions", level=Level.WARNING, text=text, fix="end the upgrade: docs/upgrading.md")
    elif facts.processes:
        yield _ok("versions", f"all run {facts.version}")


def _clocks(facts: Facts) -> Iterator[Finding]:
    clocks = [(f"Redis of the {store.name} store", store.skew_seconds) for store in facts.stores if not store.error]
    clocks += [(process.name, process.skew_seconds) for process in facts.processes]
    wrong = [(name, skew) for name, skew in clocks if abs(skew) > MAX_SKEW_SECONDS]
    for name, skew in wrong:
        text = f"the clock of {name} is {abs(skew):.1f} s {'ahead' if skew > 0 else 'behind'}"
        yield Finding(check="clocks", level=Level.WARNING, text=text, fix="keep clocks together with NTP")
    if clocks and not wrong:
        yield _ok("clocks", f"they differ by less than {MAX_SKEW_SECONDS:.0f} s")


def _queues(facts: Facts) -> Iterator[Finding]:
    limit = facts.max_queue_age_seconds
    late = [queue for queue in facts.queues if 0 < limit < queue.oldest_seconds]
    dead = [queue for queue in facts.queues if queue.dead_letters]
    for queue in late:
        text = f"the oldest message in {queue.name} has waited for {queue.oldest_seconds:.0f} s"
        yield Finding(check="queues", level=Level.WARNING, text=text, fix="start more workers, or see what holds them")
    for queue in dead:
        fix = f"`argyll dead-letters list {queue.name}`, then retry or drop them"
        text = f"{queue.dead_letters} messages of {queue.name} were given up"
        yield Finding(check="dead letters", level=Level.WARNING, text=text, fix=fix)
    if not facts.queues and any(store.error for store in facts.stores if store.name != ENGINE):
        return  # what is wrong with the store was told, and the queues may be in it
    if not facts.queues:
        text = "ages and dead letters are not known on this broker"
        yield Finding(check="queues", level=Level.NOTE, text=text, fix="ask the broker's own tools")
    elif not late and not dead:
        yield _ok("queues", "no message waits for long, and none was given up")


def _webhooks(url: UrlFacts, is_production: bool) -> Finding:
    check, fix = "webhooks", "set WEBHOOK_BASE_URL to what services reach the API by"
    if url.is_local and is_production:
        text = f"services are sent to {url.url}, which only this machine reaches"
        return Finding(check=check, level=Level.FAULT, text=text, fix=fix)
    if url.error:
        return Finding(check=check, level=Level.FAULT, text=f"no API answers at {url.url}: {url.error}", fix=fix)
    return _ok(check, f"the API answers at {url.url}")


def _access(url: UrlFacts, is_production: bool) -> Finding:
    if url.is_open and is_production:
        text = f"{url.url} shows the catalog to whoever asks"
        fix = "put a proxy with authentication before the API (deploy/nginx); it has none itself"
        return Finding(check="access", level=Level.WARNING, text=text, fix=fix)
    return _ok("access", "no open API was found where services send webhooks" if not url.is_open else "not asked")


def _archive(place: PlaceFacts) -> Finding:
    if not place.url:
        fix = "set ARCHIVE_BUCKET_URL and start `argyll archiver`"
        return Finding(check="archive", level=Level.NOTE, text="ended flows stay in Redis for ever", fix=fix)
    if place.error:
        fix = "see that the bucket or directory is there and may be written"
        return Finding(check="archive", level=Level.FAULT, text=f"{place.url}: {place.error}", fix=fix)
    if place.used_share > FULL_SHARE:
        text = f"the disk of {place.url} is {place.used_share:.0%} full"
        return Finding(check="archive", level=Level.WARNING, text=text, fix="make room, or set ARCHIVE_RETENTION")
    return _ok("archive", f"{place.url} takes objects and gives them back")


def _open_files(count: int) -> Finding:
    if count < MIN_OPEN_FILES:
        text, fix = f"a process may open {count} files", f"raise the limit (ulimit -n) to {MIN_OPEN_FILES} or more"
        return Finding(check="open files", level=Level.WARNING, text=text, fix=fix)
    return _ok("open files", f"a process may open {count}")


def _traces(error: str) -> Finding:
    if error:
        fix = "pip install 'argyll[otel]', or unset OTEL_*"
        return Finding(check="traces", level=Level.FAULT, text=error, fix=fix)
    return _ok("traces", "off, or ready to be sent")
