# SPDX-License-Identifier: Apache-2.0
"""What every long-running command does first: read the configuration, try the port, look at the Redis.

Each fault is one clear line on stderr and exit code 2 (`Refusal`). Called by the commands of this package
only; they are entry points, so the environment is read here.
"""

import errno
import os
import socket
import time
from collections.abc import Mapping
from typing import Final

import click

from argyll_engine import log
from argyll_engine.config import EngineConfig, RedisConfig
from argyll_engine.errors import ConfigError, StoreUnavailableError
from argyll_engine.store.checks import check_redis
from argyll_engine.store.connect import connect
from argyll_engine.store.schema import RESTORING, SCHEMA, StoreSchema, Verdict

REDIS_PATIENCE_SECONDS: Final = 5.0
"""How long a Redis may take to answer at start. Source: the contract, ops §1.2."""

_RETRY_SECONDS: Final = 0.05
_log = log.get(__name__)


class Refusal(click.ClickException):
    """Why a command does not start, as one line per fault on stderr; exit code 2."""

    exit_code = 2

    def show(self, file: object = None) -> None:
        """Prints the reason without click's `Error:`."""
        for line in self.message.splitlines():
            click.echo(f"argyll: {line}", err=True)


def read_config(environment: Mapping[str, str] | None = None) -> EngineConfig:
    """The configuration that the environment (or the given one) describes, with logging set up by it.

    Raises:
        Refusal: With one line per fault.
    """
    try:
        config = EngineConfig.from_env(os.environ if environment is None else environment)
    except ConfigError as exc:
        raise Refusal(str(exc)) from exc
    log.configure(config.log_settings())
    return config


def check_port(host: str, port: int, patience_seconds: float = 1.0, variable: str = "API_PORT") -> str:
    """The numeric address to listen on, once it is known to be free; `variable` is where the port was set.

    A port that was freed a moment ago by a killed predecessor gets `patience_seconds` to become so.

    Raises:
        Refusal: The port is taken, the permission is missing, or the host is not ours.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return _bind_once(host, port)
        except OSError as exc:
            if exc.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise Refusal(_port_fault(host, port, variable, exc)) from exc
        time.sleep(_RETRY_SECONDS)


def _bind_once(host: str, port: int) -> str:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
    return str(address[0])


def _port_fault(host: str, port: int, variable: str, exc: OSError) -> str:
    if exc.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken: stop what listens there, or set {variable}"
    if exc.errno == errno.EACCES:
        return f"no permission to listen on port {port}: set {variable} to one above 1023"
    return f"cannot listen on {host} port {port}: {exc.strerror} (API_HOST, {variable})"


def check_stores(config: EngineConfig) -> None:
    """Looks whether each Redis keeps what the engine's promises rest on; warns, or refuses in production.

    Raises:
        Refusal: `ENV=production` and a Redis is not fit.
        click.ClickException: A Redis did not answer in time (exit code 1: another try may help). Of several flow
            shards some may be away, for their flows wait and the others go on.
    """
    away: dict[str, click.ClickException] = {}
    for url, store in {store.url(): store for _, store in named_stores(config)}.items():
        try:
            _check_safety(config, store)
        except Refusal:
            raise
        except click.ClickException as exc:
            away[url] = exc
    flows = {shard.url() for shard in config.shards}
    if config.engine_redis.url() in away or flows <= away.keys():
        raise next(iter(away.values()))
    for left_out in away.values():
        _log.warning("shard_away", reason=left_out.message)
    for name, store in named_stores(config):
        if store.url() not in away:
            _check_form(name, store)


def _check_safety(config: EngineConfig, store: RedisConfig) -> None:
    faults = [f"Redis at {store.where()}: {fault}" for fault in _faults_of(store)]
    if faults and config.production:
        raise Refusal("\n".join(faults))
    for fault in faults:
        _log.warning("redis_unsafe", reason=fault)


def named_stores(config: EngineConfig) -> tuple[tuple[str, RedisConfig], ...]:
    """All stores with their names for people, first the engine's; they may be on one Redis, under other prefixes."""
    flows = ((config.flow_store_name(number), shard) for number, shard in enumerate(config.shards, 1))
    return ("engine", config.engine_redis), *flows


def _check_form(name: str, store: RedisConfig) -> None:
    """Gives a new store its form, and refuses one that this version cannot work with."""
    try:
        with connect(store) as client:
            form = StoreSchema(client, store.prefix, name).begin()
    except StoreUnavailableError as exc:
        raise click.ClickException(f"Redis at {store.where()}: {exc.reason}") from exc
    match form.verdict:
        case Verdict.OLDER:
            raise Refusal(f"{name} store: its schema is {form.version}, and {SCHEMA} is needed: run `argyll migrate`")
        case Verdict.NEWER if form.needs == RESTORING:
            raise Refusal(f"{name} store: `argyll backup restore` has not ended: empty it and restore again")
        case Verdict.NEWER:
            raise Refusal(f"{name} store: a newer version of Argyll has migrated it to schema {form.version}")


def _faults_of(store: RedisConfig) -> tuple[str, ...]:
    deadline = time.monotonic() + REDIS_PATIENCE_SECONDS
    with connect(store, timeout_seconds=REDIS_PATIENCE_SECONDS) as client:
        while True:
            try:
                return check_redis(client)
            except StoreUnavailableError as exc:
                if time.monotonic() > deadline:
                    raise click.ClickException(f"Redis at {store.where()}: {exc.reason}") from exc
            time.sleep(_RETRY_SECONDS)
