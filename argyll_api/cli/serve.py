# SPDX-License-Identifier: Apache-2.0
"""`argyll api`: the Flask application under granian. Its views live in `argyll_api/routes`, not here."""

import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import click

from argyll_api.cli.startup import check_port, check_stores, read_config
from argyll_api.cli.tether import tether
from argyll_engine.config import EngineConfig

APPLICATION: Final = "argyll_api.wsgi:app"
DEFAULT_THREADS: Final = 16
STOP_SECONDS: Final = 10
"""How long open requests may take at the end. Source: the contract, ops §3.5."""

# Granian's few lines go where all others go.
_LOGGERS: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {"_granian": {"propagate": True}, "granian.access": {"propagate": True}},
}


@click.command("api")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Server processes.")
@click.option(
    "--threads",
    type=click.IntRange(1),
    default=DEFAULT_THREADS,
    show_default=True,
    help="Requests that one process answers at the same time.",
)
def api(workers: int, threads: int) -> None:
    """Serve the HTTP API on API_HOST and API_PORT."""
    config = read_config()
    address = check_port(config.api_host, config.api_port)
    check_stores(config)
    serve(config, address, workers, threads)


def serve(config: EngineConfig, address: str, workers: int, threads: int) -> None:
    """Serves until SIGTERM or SIGINT; open requests get `STOP_SECONDS` to finish."""
    from granian.constants import Interfaces  # late: `argyll --help` need not wait for it
    from granian.log import LogLevels
    from granian.server import Server

    server = Server(
        APPLICATION,
        address=address,
        port=config.api_port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=threads,
        websockets=False,
        log_access=False,
        log_level=LogLevels.error,
        log_dictconfig=_LOGGERS,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
    )
    server.serve(target_loader=partial(_load, os.getpid()), wrap_loader=False)


def _load(server_pid: int) -> Callable[..., Any]:
    """The application, in a server process that ends with its parent."""
    tether(signal.SIGKILL, server_pid)()
    from argyll_api.wsgi import app  # here: the parent process has no use for it

    loaded: Callable[..., Any] = app
    return loaded
