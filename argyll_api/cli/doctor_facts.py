# SPDX-License-Identifier: Apache-2.0
"""Gathers what `argyll doctor` judges: asks the stores, the workers, the API and the archive. Judging is
`policy/fitness.py`.

Whatever does not answer is a fact too, so nothing here raises for it.
"""

import http.client
import importlib.metadata
import resource
import shutil
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from argyll_api.cli.startup import named_stores
from argyll_archiver.wiring import ArchiverConfig, FileTarget, open_sink
from argyll_engine.address import redact_url
from argyll_engine.config import EngineConfig, RedisConfig
from argyll_engine.diagnostics_wiring import build_vitals
from argyll_engine.dispatch import ARCHIVE_QUEUE, QUEUES
from argyll_engine.errors import ArgyllError
from argyll_engine.policy.fitness import BrokerFacts, Facts, PlaceFacts, RedisFacts, UrlFacts
from argyll_engine.recovery import SWEEP_LEASE
from argyll_engine.store.checks import check_redis
from argyll_engine.store.connect import connect, translated
from argyll_engine.store.keys import Keys
from argyll_engine.store.schema import SCHEMA, StoreSchema, Verdict
from argyll_engine.tasks.about import ask_about, broker_fault, skew_seconds
from argyll_engine.tasks.app import make_celery
from argyll_engine.tracing.opening import missing_for, wish_of

LONGEST_LOOK_SECONDS: Final = 60.0
LOOK_EVERY_SECONDS: Final = 0.05
URL_PATIENCE_SECONDS: Final = 5.0
OK: Final = 200
_LOCAL: Final = ("localhost", "127.0.0.1", "::1", "0.0.0.0", "")


def gather(
    config: EngineConfig, archive: ArchiverConfig, environment: Mapping[str, str], patience_seconds: float
) -> Facts:
    """All facts of a deployment, as seen from here.

    Args:
        patience_seconds: How long workers may take to answer.
    """
    app = make_celery(config)
    stores = tuple(_redis(name, store, config) for name, store in named_stores(config))
    flows_answer = not stores[1].error
    return Facts(
        version=importlib.metadata.version("argyll"),
        is_production=config.production,
        log_level=config.log_level,
        stores=stores,
        broker=BrokerFacts(url=redact_url(config.broker_url), error=broker_fault(app) if config.broker_url else ""),
        processes=ask_about(app, patience_seconds) if flows_answer else (),
        wanted_queues=tuple(queue for queue in QUEUES if queue != ARCHIVE_QUEUE or archive.target is not None),
        has_beat=flows_answer and _has_beat(config),
        max_queue_age_seconds=config.ready_max_queue_age_seconds,
        queues=build_vitals(config).read().queues if flows_answer else (),
        url=_url(config.webhook_base_url),
        archive=_archive(archive, environment),
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        tracing_error=missing_for(wish_of(environment)),
    )


def _redis(name: str, store: RedisConfig, config: EngineConfig) -> RedisFacts:
    host = urlsplit(store.url()).hostname or ""
    known: dict[str, Any] = {
        "name": name,
        "where": store.where(),
        "is_local": store.url().startswith("unix:") or host in _LOCAL,
        "is_tls": store.is_tls,
        "has_password": bool(store.secrets),
    }
    try:
        with connect(store) as client:
            known["faults"] = check_redis(client)
            with translated(name):
                asked_at = time.time()
                at: Any = client.time()
                skew = skew_seconds((at[0] + at[1] / 1e6) * 1e3, asked_at * 1e3, time.time() * 1e3)
                memory: Any = client.info("memory")
            form = StoreSchema(client, store.prefix, name).read()
    except ArgyllError as exc:
        return RedisFacts(error=str(exc), **known)
    schema_fault = ""
    if form is not None and form.verdict is not Verdict.FITS:
        schema_fault = f"its schema is {form.version}, and this version works with {SCHEMA}"
    return RedisFacts(
        used_bytes=memory["used_memory"],
        limit_bytes=memory["maxmemory"] or config.memory_limit_bytes,
        skew_seconds=skew,
        schema_fault=schema_fault,
        **known,
    )


def _has_beat(config: EngineConfig) -> bool:
    """Whether a sweep begins while we look: each holds its lease for half of the interval."""
    patience = min(config.recovery_interval_seconds * 1.5 + 1, LONGEST_LOOK_SECONDS)
    key, deadline = Keys(config.flow_redis.prefix).lease(SWEEP_LEASE), time.monotonic() + patience
    try:
        with connect(config.flow_redis) as client, translated("flow"):
            while not client.exists(key):
                if time.monotonic() > deadline:
                    return False
                time.sleep(LOOK_EVERY_SECONDS)
    except ArgyllError:
        return False
    return True


def _url(url: str) -> UrlFacts:
    is_local = (urlsplit(url).hostname or "") in _LOCAL
    status, error = _get(url, "/health")
    if error or status != OK:
        return UrlFacts(url=redact_url(url), is_local=is_local, error=error or f"HTTP {status}")
    return UrlFacts(url=redact_url(url), is_local=is_local, is_open=_get(url, "/engine/step")[0] == OK)


def _get(url: str, path: str) -> tuple[int, str]:
    """Status, and why there is none."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=URL_PATIENCE_SECONDS)
    try:
        connection.request("GET", parts.path.rstrip("/") + path)
        return connection.getresponse().status, ""
    except (OSError, http.client.HTTPException) as exc:
        return 0, str(exc) or type(exc).__name__
    finally:
        connection.close()


def _archive(config: ArchiverConfig, environment: Mapping[str, str]) -> PlaceFacts:
    """Whether an object can be written, read and removed there."""
    if config.target is None:
        return PlaceFacts()
    url = environment.get("ARCHIVE_BUCKET_URL") or "the archive"
    key, body = f"{config.prefix}doctor/{uuid.uuid4().hex}", b"argyll doctor was here"
    try:
        sink = open_sink(config.target)
        sink.put(key, body)
        came_back = sink.get(key) == body
        sink.delete(key)
    except ArgyllError as exc:
        return PlaceFacts(url=redact_url(url), error=str(exc))
    error = "" if came_back else "what was written is not what is read"
    return PlaceFacts(url=redact_url(url), error=error, used_share=_used_share(config))


def _used_share(config: ArchiverConfig) -> float:
    """Of the disk, where the archive is a directory."""
    if not isinstance(config.target, FileTarget) or not Path(config.target.directory).is_dir():
        return 0.0
    usage = shutil.disk_usage(config.target.directory)
    return usage.used / usage.total
