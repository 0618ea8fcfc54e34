# SPDX-License-Identifier: Apache-2.0
"""The one table of environment variables: every spelling, how it parses, what it means. No `os.environ` here.

`config.py` reads the table to build the configuration; `tests/architecture/test_environment.py` holds it
against `docs/operations.md` and `deploy/env/`. A new variable is a new row here and a line in each of those
two. Long because it is one table, which is to be read as one.
"""

import re
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from argyll_engine.address import parse_address, parse_addresses
from argyll_engine.durations import NANOSECONDS_PER_SECOND, format_seconds, parse_duration_ns
from argyll_engine.variable import Variable

MAX_STEP_TIMEOUT_MS: Final = 31_536_000_000  # one year
MAX_BACKOFF_MS: Final = 86_400_000  # one day
MIB: Final = 1_048_576
_UNITS: Final = {"b": 1, "k": 1_000, "kb": 1_024, "m": 1_000_000, "mb": MIB, "g": 10**9, "gb": 1_024 * MIB}


def _integer(low: int, high: int) -> tuple[Callable[[str], int], str]:
    def parse(text: str) -> int:
        if re.fullmatch(r"[+-]?[0-9]+", text) is None or not low <= int(text) <= high:
            raise ValueError(text)
        return int(text)

    return parse, f"an integer from {low} to {high}"


def _duration(low_seconds: float, high_seconds: float) -> tuple[Callable[[str], float], str]:
    def parse(text: str) -> float:
        seconds = parse_duration_ns(text) / NANOSECONDS_PER_SECOND
        if not low_seconds <= seconds <= high_seconds:
            raise ValueError(text)
        return seconds

    return (
        parse,
        f"a duration from {format_seconds(low_seconds)} to {format_seconds(high_seconds)}, such as 10s",
    )


def _memory(text: str) -> int:
    """Bytes of a size in the form of redis.conf. Source: Redis, redis.conf, "Note on units"."""
    found = re.fullmatch(r"([0-9]{1,12})(b|kb|mb|gb|k|m|g)?", text.lower())
    if found is None:
        raise ValueError(text)
    return int(found[1]) * _UNITS[found[2] or "b"]


def _any_duration(text: str) -> float:
    return parse_duration_ns(text) / NANOSECONDS_PER_SECOND


def _finite(text: str) -> float:
    if not isfinite(number := float(text)):
        raise ValueError(text)
    return number


def _folder(text: str) -> str:
    # a path from the root of the file system would lead out of the directory of a file:/// target
    return f"{text.strip('/')}/" if text.strip("/") else ""


def _one_of(*words: str) -> tuple[Callable[[str], str], str]:
    def parse(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(text)
        return text.lower()

    return parse, "one of " + ", ".join(words)


def _text(text: str) -> str:
    return text


def _readable_file(text: str) -> str:
    if text and not Path(text).is_file():
        raise ValueError(text)
    return text


def _names(text: str) -> tuple[str, ...]:
    return tuple(sorted({name.strip() for name in text.split(",")} - {""}))


def _base_url(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError(text)
    return text.rstrip("/")


def _broker_url(text: str) -> str:
    if text and "://" not in text:
        raise ValueError(text)
    return text


def _row(names: str, field: str, kind: tuple[Callable[[str], object], str], default: str, meaning: str) -> Variable:
    parse, allowed = kind
    spellings = tuple(names.split())
    return Variable(names=spellings, field=field, parse=parse, default=default, allowed=allowed, meaning=meaning)


def _redis_rows(name: str, older: str, field: str, prefix: str, holds: str) -> tuple[Variable, ...]:
    allowed = "host:port or a URL redis://, rediss://, unix:// or redis+sentinel://"
    address: tuple[Callable[[str], str], str] = (parse_address, allowed)
    if name == "FLOW":
        address = (parse_addresses, f"{allowed}, or several of them, separated by commas")
    file = (_readable_file, "a file that is there (PEM)")

    def names(suffix: str) -> str:
        return f"{name}_REDIS_{suffix} {older}_REDIS_{suffix}"

    return (
        _row(names("ADDR"), f"{field}.addr", address, "localhost:6379", f"Redis of {holds}"),
        _row(
            names("PASSWORD"), f"{field}.password", (_text, "any text"), "", "its password, where the address has none"
        ),
        _row(names("USER"), f"{field}.user", (_text, "any text"), "", "its ACL user; empty: the default user"),
        _row(names("DB"), f"{field}.db", _integer(0, 65_535), "0", "its database number there"),
        _row(names("PREFIX"), f"{field}.prefix", (_text, "any text"), prefix, "first part of every key there"),
        _row(
            names("CA_PATH"),
            f"{field}.ca_path",
            file,
            "",
            "certificates that its own is checked against; empty: those of the system",
        ),
        _row(names("CERT_PATH"), f"{field}.cert_path", file, "", "our certificate, where it asks for one"),
        _row(
            names("KEY_PATH"),
            f"{field}.key_path",
            file,
            "",
            "the private key of that certificate, if it is not in the same file",
        ),
        _row(
            f"{name}_SNAPSHOT_WORKERS {older}_SNAPSHOT_WORKERS",
            "",
            _integer(0, 1_024),
            "4",
            "checked, without effect: whoever commits writes the snapshot",
        ),
    )


VARIABLES: Final[tuple[Variable, ...]] = (
    *_redis_rows("ENGINE", "CATALOG", "engine_redis", "argyll:engine", "catalog, health, memo and locks"),
    *_redis_rows("FLOW", "PARTITION", "flow_redis", "argyll:flow", "flows, their indexes, feed and queues"),
    _row(
        "CELERY_BROKER_URL",
        "broker_url",
        (_broker_url, "a broker URL"),
        "",
        "broker of the Celery messages; empty: the flow Redis",
    ),
    _row(
        "BROKER_VISIBILITY_TIMEOUT",
        "visibility_timeout_seconds",
        _duration(1, 604_800),
        "1h",
        "after this long a message that nobody acknowledged is delivered again (stock Redis broker)",
    ),
    _row("API_HOST", "api_host", (_text, "a host name or address"), "0.0.0.0", "where the API listens"),
    _row("API_PORT ENGINE_PORT", "api_port", _integer(1, 65_535), "8080", "port of the API"),
    _row(
        "WEBHOOK_BASE_URL",
        "webhook_base_url",
        (_base_url, "an http:// or https:// URL"),
        "",
        "how async steps reach the API; empty: http://localhost:<API_PORT>",
    ),
    _row(
        "WEBHOOK_MAX_BODY_BYTES",
        "max_webhook_bytes",
        _integer(1_024, 1_024 * MIB),
        "4194304",
        "longest webhook body",
    ),
    _row(
        "PLAN_MAX_BODY_BYTES",
        "max_plan_bytes",
        _integer(1_024, 1_024 * MIB),
        "4194304",
        "longest body of a plan or a flow query",
    ),
    _row(
        "START_BATCH_MAX_BODY_BYTES",
        "max_start_batch_bytes",
        _integer(1_024, 1_024 * MIB),
        "16777216",
        "longest body of a request that starts many flows",
    ),
    _row(
        "FEED_MAX_LENGTH",
        "feed_max_length",
        _integer(1_000, 100_000_000),
        "10000",
        "commits whose notes each store keeps for WebSockets that were cut off from it",
    ),
    _row(
        "WEBSOCKET_MAX_BUFFER_BYTES",
        "max_socket_buffer_bytes",
        _integer(65_536, 1_024 * MIB),
        "8388608",
        "what may wait to be sent to one WebSocket before it is closed",
    ),
    _row(
        "START_MAX_WAIT",
        "max_wait_seconds",
        _duration(1, 3_600),
        "5m",
        "longest that a start with `wait` waits for its flow to end",
    ),
    _row(
        "LOG_LEVEL ENGINE_LOGGING_LEVEL",
        "log_level",
        _one_of("debug", "info", "warn", "error"),
        "info",
        "least severe line that is logged",
    ),
    _row(
        "LOG_FORMAT",
        "log_format",
        _one_of("json", "console"),
        "json",
        "one JSON object a line, or text for people (the default of `argyll up`)",
    ),
    _row(
        "LOG_REDACT",
        "log_redact",
        (_names, "names, separated by commas"),
        "",
        "attributes whose values are never written to a log line",
    ),
    _row(
        "ENV",
        "environment",
        (_text, "any text"),
        "",
        "name of the deployment, in every log line; `production` refuses an unsafe Redis",
    ),
    _row(
        "RAFT_NODE_ID",
        "node_id",
        (_text, "any text"),
        "argyll-1",
        "logical node in health events; the same for all processes",
    ),
    _row(
        "STEP_TIMEOUT",
        "step_timeout_ms",
        _integer(1, MAX_STEP_TIMEOUT_MS),
        "30000",
        "milliseconds an HTTP step may take when it says nothing itself",
    ),
    _row(
        "STEP_PROTOCOL",
        "step_protocol",
        _one_of("bare", "envelope"),
        "bare",
        "request body of HTTP steps: the arguments, or {arguments, metadata}",
    ),
    _row(
        "STEP_UNHEALTHY",
        "step_unhealthy",
        _one_of("hold", "fail"),
        "hold",
        "work for an unhealthy step: wait for its health, or fail",
    ),
    _row(
        "STEP_MAX_RESPONSE_BYTES",
        "max_step_response_bytes",
        _integer(1_024, 1_024 * MIB),
        "16777216",
        "longest answer of a step",
    ),
    _row(
        "RETRY_MAX_RETRIES",
        "retry.max_retries",
        _integer(1, 1_000),
        "10",
        "retries of a work item when its step says nothing itself",
    ),
    _row(
        "RETRY_INITIAL_BACKOFF RETRY_BACKOFF RETRY_BACKOFF_MS",
        "retry.init_backoff_ms",
        _integer(1, MAX_BACKOFF_MS),
        "1000",
        "milliseconds before the first retry",
    ),
    _row(
        "RETRY_MAX_BACKOFF RETRY_MAX_BACKOFF_MS",
        "retry.max_backoff_ms",
        _integer(1, MAX_BACKOFF_MS),
        "60000",
        "milliseconds between retries at most; not below the first",
    ),
    _row(
        "RETRY_BACKOFF_TYPE",
        "retry.backoff_type",
        _one_of("fixed", "linear", "exponential"),
        "exponential",
        "how the delay grows",
    ),
    _row(
        "FLOW_CACHE_SIZE TIMEBOX_CACHE_SIZE",
        "flow_cache_size",
        _integer(1, 1_024_000),
        "4096",
        "flows whose state a process keeps in memory",
    ),
    _row(
        "MEMO_CACHE_SIZE",
        "memo_cache_size",
        _integer(1, 10_240_000),
        "4096",
        "results of memoizable steps that each process keeps, and Redis for all of them",
    ),
    _row(
        "WORK_THREADS",
        "work_threads",
        _integer(1, 1_024),
        "32",
        "HTTP steps that one work process runs at the same time",
    ),
    _row(
        "WORKER_LEASE",
        "worker_lease_seconds",
        _duration(0.1, 3_600),
        "15s",
        "after this long without a sign of life a worker's tasks are taken over",
    ),
    _row(
        "HEALTH_CHECK_INTERVAL",
        "health_check_interval_seconds",
        _duration(0.1, 3_600),
        "30s",
        "between two looks at the health of every step",
    ),
    _row(
        "RECOVERY_INTERVAL",
        "recovery_interval_seconds",
        _duration(0.1, 3_600),
        "10s",
        "between two looks for stranded flows",
    ),
    _row(
        "RECOVERY_GRACE",
        "recovery_grace_seconds",
        _duration(0.1, 3_600),
        "15s",
        "a flow is left alone for this long before it counts as stranded",
    ),
    _row(
        "SCRIPT_TIMEOUT_MS",
        "script_timeout_ms",
        _integer(1, 3_600_000),
        "1000",
        "milliseconds that one script may run",
    ),
    _row("SCRIPT_MEMORY_MB", "script_memory_mb", _integer(1, 65_536), "64", "MiB that one script may use"),
    _row(
        "SCRIPT_MAX_STEPS",
        "script_max_steps",
        _integer(1_000, 1_000_000_000_000),
        "100000000",
        "steps that one script may take: calls and elements in Ale, instructions in Lua, visited values in jpath",
    ),
    _row(
        "SCRIPT_MAX_RESULT_BYTES",
        "script_max_result_bytes",
        _integer(1_024, 1_073_741_824),
        "16777216",
        "size of one script's result as JSON, roughly",
    ),
    _row(
        "READY_MAX_QUEUE_AGE",
        "ready_max_queue_age_seconds",
        _duration(0, 86_400),
        "60s",
        "`/readyz` fails when a message has waited longer for a worker; 0s: never for that",
    ),
    _row(
        "WORKER_METRICS_PORT",
        "worker_metrics_port",
        _integer(0, 65_535),
        "0",
        "where `argyll worker`, `beat` and `archiver` serve `/metrics` and probes; 0: nowhere",
    ),
    _row(
        "WORKER_STUCK_AFTER",
        "worker_stuck_after_seconds",
        _duration(5, 86_400),
        "60s",
        "a supervised process that gets nowhere for so long is started again",
    ),
    _row(
        "ARCHIVE_MEMORY_LIMIT",
        "memory_limit_bytes",
        (_memory, "a size such as 512mb, or 0"),
        "0",
        "memory of the flow store, where its Redis has no `maxmemory`; 0: no limit",
    ),
    _row(
        "ARGYLL_DATA_DIR",
        "data_dir",
        (_text, "a directory"),
        "./var",
        "where `argyll up` keeps its private Redis",
    ),
)
"""Every variable of the engine, the workers and the API. Source: the contract, http §8 and ops §1.2–1.3."""

ARCHIVE_VARIABLES: Final[tuple[Variable, ...]] = (
    _row(
        "ARCHIVE_BUCKET_URL",
        "bucket_url",
        (_text, "s3://bucket?options or file:///directory"),
        "",
        "where archived flows go; empty: nowhere",
    ),
    _row(
        "ARCHIVE_PREFIX", "prefix", (_folder, "any text"), "", "what the keys of objects begin with; ends with a slash"
    ),
    _row(
        "ARCHIVE_MEMORY_PERCENT",
        "memory_percent",
        (_finite, "a number"),
        "80",
        "share of `maxmemory` from which flows are archived whatever their age; 0 or less: always, above 100: never",
    ),
    _row(
        "ARCHIVE_MAX_AGE",
        "max_age_seconds",
        (_any_duration, "a duration, such as 24h"),
        "24h",
        "how long a flow stays after it was deactivated; 0 or less: not at all",
    ),
    _row(
        "ARCHIVE_MEMORY_CHECK_INTERVAL",
        "memory_check_interval_seconds",
        _duration(0.1, 86_400),
        "5s",
        "between two looks at the memory of the flow store",
    ),
    _row(
        "ARCHIVE_SWEEP_INTERVAL",
        "sweep_interval_seconds",
        _duration(0.1, 604_800),
        "1h",
        "between two looks for old flows",
    ),
    _row(
        "ARCHIVE_LEASE_TIMEOUT",
        "lease_timeout_seconds",
        _duration(1, 86_400),
        "15m",
        "after this long another archiver takes over a flow that is not done",
    ),
    _row("ARCHIVE_PRESSURE_BATCH", "pressure_batch", _integer(1, 100_000), "10", "flows of one batch under pressure"),
    _row("ARCHIVE_SWEEP_BATCH", "sweep_batch", _integer(1, 100_000), "100", "flows of one batch of old flows"),
    _row(
        "ARCHIVE_POLL_INTERVAL",
        "poll_interval_seconds",
        _duration(0.01, 3_600),
        "500ms",
        "between two looks at unfinished work",
    ),
    _row(
        "ARCHIVE_RETENTION",
        "retention_seconds",
        (_any_duration, "a duration, such as 8760h"),
        "0",
        "how long after its deactivation an archived flow is kept, then it is deleted for good; 0 or less: for ever",
    ),
)
"""The variables of archiving. Source: the contract, ops §1.4."""
