# SPDX-License-Identifier: Apache-2.0
"""`argyll up` and `argyll down`: everything in one terminal, with a Redis of its own if none is named.

What each process does is decided in its own command; here they are only put together and stopped in order.
"""

import http.client
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import click

from argyll_api.cli.archiver import archiver_children, read_archiver_config
from argyll_api.cli.console import line_printer
from argyll_api.cli.directory import hold, stop_holder
from argyll_api.cli.embedded import EmbeddedRedis, find_server
from argyll_api.cli.metrics_folder import metrics_folder, note_restart
from argyll_api.cli.migrate import migrate_stores
from argyll_api.cli.shards import served_shards
from argyll_api.cli.startup import Refusal, check_port, check_stores, read_config
from argyll_api.cli.supervisor import ChildSpec, Supervisor
from argyll_api.cli.workers import DEFAULT_STEPS, Fleet, beat_child, named_environment, patience_with, worker_children
from argyll_engine.config import EngineConfig
from argyll_engine.metrics.signs import FOLDER_VARIABLE
from argyll_engine.variable import FILE_SUFFIX

STOP_API, STOP_BEAT, STOP_WORKERS, STOP_REDIS = range(4)
"""The order of stopping: no new requests, no new periods, no new work; the store last."""

ADDRESS_VARIABLES: Final = tuple(f"{store}_REDIS_ADDR" for store in ("ENGINE", "FLOW", "CATALOG", "PARTITION"))
_NOT_FOR_A_SOCKET: Final = tuple(
    name.replace("_ADDR", part) + suffix
    for name in ADDRESS_VARIABLES
    for part in ("_USER", "_PASSWORD", "_CA_PATH", "_CERT_PATH", "_KEY_PATH")
    for suffix in ("", FILE_SUFFIX)
)
_API_STOP_SECONDS: Final = 12.0
_LOADING_NOTICE_SECONDS: Final = 5.0


@click.command("up")
@click.option("--steps", type=click.IntRange(0), default=DEFAULT_STEPS, help="Processes for decisions and scripts.")
@click.option("--work", type=click.IntRange(0), default=1, show_default=True, help="Processes for HTTP steps.")
def up(steps: int, work: int) -> None:
    """Run everything here: Redis, API, workers, beat, and an archiver where there is an archive. Ctrl-C stops it."""
    environment = dict(os.environ)
    environment["LOG_FORMAT"] = environment.get("LOG_FORMAT") or "console"
    config = read_config(environment)
    archivers = int(read_archiver_config(environment).target is not None)
    started_at = time.monotonic()
    with hold(config.data_dir) as directory:
        check_port(config.api_host, config.api_port)
        is_named = any(environment.get(name) or environment.get(name + FILE_SUFFIX) for name in ADDRESS_VARIABLES)
        embedded = None if is_named else EmbeddedRedis.prepare(directory, find_server())
        with metrics_folder() as folder, Supervisor(line_printer(config.log_format), note_restart) as supervisor:
            environment |= {FOLDER_VARIABLE: folder} if folder else {}
            if embedded is None:
                check_stores(config)
            else:
                environment |= _start_redis(supervisor, embedded)
                _migrate(supervisor, environment)
            for child in _children(config, environment, Fleet(steps=steps, work=work, archivers=archivers)):
                supervisor.start(child)
            if supervisor.wait_until(lambda: _is_answering(config)):
                seconds = time.monotonic() - started_at
                click.echo(f"argyll is ready at {_shown_url(config)} after {seconds:.1f} s; Ctrl-C stops it")
            code = supervisor.run()
        if embedded is not None:
            embedded.discard_socket()
    raise SystemExit(code)


@click.command("down")
def down() -> None:
    """Stop the `argyll up` that holds ARGYLL_DATA_DIR."""
    config = read_config()
    pid = stop_holder(config.data_dir)
    click.echo(f"no `argyll up` holds {config.data_dir}" if pid is None else f"stopped `argyll up` (pid {pid})")


def _start_redis(supervisor: Supervisor, embedded: EmbeddedRedis) -> Mapping[str, str]:
    """The variables that lead the other processes to the private Redis, once it answers.

    Raises:
        Refusal: It ended instead.
    """
    supervisor.start(embedded.child(STOP_REDIS))
    notice_at = time.monotonic() + _LOADING_NOTICE_SECONDS

    def is_ready() -> bool:
        nonlocal notice_at
        if supervisor.deaths("redis"):
            raise Refusal(f"{embedded.server.program} did not start: {embedded.last_words()}")
        if time.monotonic() > notice_at:
            notice_at += _LOADING_NOTICE_SECONDS
            click.echo("waiting for Redis to load its data")
        return embedded.is_ready()

    supervisor.wait_until(is_ready)
    addresses = dict.fromkeys(ADDRESS_VARIABLES[:2], embedded.address)
    return addresses | dict.fromkeys(_NOT_FOR_A_SOCKET, "")


def _migrate(supervisor: Supervisor, environment: Mapping[str, str]) -> None:
    """Brings the private Redis to the form of this version; nobody else works on it."""
    if not supervisor.is_stopping:
        migrate_stores(read_config(environment))


def _children(config: EngineConfig, environment: Mapping[str, str], fleet: Fleet) -> tuple[ChildSpec, ...]:
    api = ChildSpec(
        name="api",
        argv=(sys.executable, "-P", "-m", "argyll_api.cli", "api"),
        environment=named_environment(environment, "api"),
        stop_rank=STOP_API,
        grace_seconds=_API_STOP_SECONDS,
        patience=patience_with(environment.get(FOLDER_VARIABLE, ""), "api", config.worker_stuck_after_seconds),
    )
    children = [api]
    for served in served_shards(config, environment=environment):
        own = replace(fleet, suffix=served.suffix)
        children += worker_children(served.config, own, served.environment, STOP_WORKERS)
        children += archiver_children(served, fleet.archivers, fleet.node, STOP_WORKERS)
        children.append(beat_child(served, STOP_BEAT))
    return tuple(children)


def _is_answering(config: EngineConfig) -> bool:
    host = "127.0.0.1" if config.api_host in ("", "0.0.0.0", "::") else config.api_host
    connection = http.client.HTTPConnection(host, config.api_port, timeout=0.5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _shown_url(config: EngineConfig) -> str:
    host = "localhost" if config.api_host in ("", "0.0.0.0", "::") else config.api_host
    return f"http://{f'[{host}]' if ':' in host else host}:{config.api_port}"
