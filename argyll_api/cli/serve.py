# SPDX-License-Identifier: Apache-2.0
"""`argyll api`: the application under uvicorn. Its views live in `argyll_api/routes`, its socket in `socket.py`."""

import gc
import os
import resource
import signal
import socket
from functools import partial
from types import FrameType
from typing import Any, Final

import click

from argyll_api.cli.metrics_folder import metrics_folder
from argyll_api.cli.startup import check_port, check_stores, read_config
from argyll_api.cli.tether import tether
from argyll_engine.config import EngineConfig

DEFAULT_THREADS: Final = 16
STOP_SECONDS: Final = 10
"""How long open requests may take at the end. Source: the contract, ops §3.5."""

KEEP_ALIVE_SECONDS: Final = 75
"""How long an idle connection is kept; longer than the pools of clients and proxies usually do."""
BACKLOG: Final = 2_048
COLLECT_AFTER: Final = (50_000, 20, 100)
"""New objects until the youngest are looked at for cycles, and how many such looks until older ones are."""

FAILED: Final = 1

# The few lines of the server's libraries go where all others go.
_LOGGERS: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {name: {"level": "ERROR"} for name in ("uvicorn", "uvicorn.error", "websockets")},
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
    from uvicorn import Config, Server  # late: `argyll --help` need not wait for it
    from uvicorn.supervisors import Multiprocess

    server_config = Config(
        partial(_load, os.getpid(), threads),
        factory=True,
        interface="asgi3",
        http="argyll_api.http_protocol:HttpConnection",
        ws="argyll_api.socket:Connection",
        loop="uvloop",
        lifespan="on",
        workers=workers,
        backlog=BACKLOG,
        log_config=_LOGGERS,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    _allow_many_sockets()
    with _listen(address, config.api_port) as listener:
        if workers > 1:
            with metrics_folder():
                Multiprocess(server_config, [listener]).run()
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _exit)
        server = Server(server_config)
        server.run([listener])
        if not server.started:
            raise SystemExit(FAILED)


def _load(server_pid: int, threads: int) -> Any:
    """The application; a server process of several ends with its parent."""
    if os.getpid() != server_pid:
        tether(signal.SIGKILL, server_pid)()
    from argyll_api.wsgi import application  # here: the parent of several has no use for it

    whole = application(threads)
    _keep_what_is_there()
    return whole


def _keep_what_is_there() -> None:
    """Takes all that was loaded out of the search for cycles, and searches the rest seldom.

    States of thousands of flows are kept, none of them in a cycle. Going through them all again and again took more
    time than some starts did, and the more the longer a process had run.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def _allow_many_sockets() -> None:
    """As many open files as this user may have, for each WebSocket is one; systems begin with fewer."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _listen(address: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.setblocking(False)
    return listener


def _exit(number: int, frame: FrameType | None) -> None:
    """The end outside of the server's own handling: before it began, and when it raises the signal again."""
    raise SystemExit(0)
