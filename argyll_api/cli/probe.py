# SPDX-License-Identifier: Apache-2.0
"""`argyll probe`: asks a process on this machine how it is, for orchestrators that run commands. Exit code 0 or 1."""

import http.client
from typing import Final

import click

from argyll_api.cli.startup import Refusal, read_config
from argyll_engine.config import EngineConfig

PATHS: Final = {"live": "/livez", "ready": "/readyz", "health": "/healthz"}
PATIENCE_SECONDS: Final = 5.0
UNWELL: Final = 1


@click.command("probe")
@click.argument("question", type=click.Choice(tuple(PATHS)))
@click.option("--api", is_flag=True, help="Ask the API on API_PORT, not what listens on WORKER_METRICS_PORT.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Ask whatever listens on this port.")
def probe(question: str, api: bool, port: int | None) -> None:
    """Say whether a process here is live, ready, or both; exit with 1 if it is not."""
    config = read_config()
    wanted = port or (config.api_port if api else config.worker_metrics_port)
    if not wanted:
        raise Refusal("WORKER_METRICS_PORT is not set, so no worker is asked: set it, or use --api or --port")
    status, body = _ask(_host(config), wanted, PATHS[question])
    click.echo(body)
    if status != 200:
        raise SystemExit(UNWELL)


def _ask(host: str, port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as exc:
        return 0, f"no answer from {host} port {port}: {exc}"
    finally:
        connection.close()


def _host(config: EngineConfig) -> str:
    return "127.0.0.1" if config.api_host in ("", "0.0.0.0", "::") else config.api_host
