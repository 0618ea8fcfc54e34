# SPDX-License-Identifier: Apache-2.0
"""`argyll archiver`: the Celery worker that moves ended flows to the archive. No task is defined here."""

import os
from collections.abc import Mapping
from typing import Final

import click

from argyll_api.cli.metrics_folder import metrics_folder
from argyll_api.cli.shards import Served, served_shards, serving, shard_option
from argyll_api.cli.startup import Refusal, check_stores, read_config
from argyll_api.cli.supervisor import ChildSpec
from argyll_api.cli.workers import celery_argv, celery_level, named_environment, patience_with, supervise
from argyll_archiver.wiring import NO_TARGET, ArchiverConfig, archiver_config
from argyll_engine.errors import ConfigError
from argyll_engine.metrics.signs import FOLDER_VARIABLE

ARCHIVER_APP: Final = "argyll_archiver.worker:app"
QUEUES: Final = "archive"
THREADS: Final = 2
"""One for old flows, which may take long, and one for memory, which cannot wait for that."""
STOP_SECONDS: Final = 30.0
"""How long the batch in hand may take to end; what is cut off is taken over when its lease is over."""


def read_archiver_config(environment: Mapping[str, str]) -> ArchiverConfig:
    """What the environment says of archiving. Raises Refusal with one line per fault."""
    try:
        return archiver_config(environment)
    except ConfigError as exc:
        raise Refusal(str(exc)) from exc


def archiver_children(
    served: Served, processes: int = 1, node: str = "%h", stop_rank: int = 0
) -> tuple[ChildSpec, ...]:
    """The archiver processes of a shard."""
    config, environment = served.config, served.environment
    folder = environment.get(FOLDER_VARIABLE, "")
    pool = ("-P", "threads", "-c", str(THREADS), "-Q", QUEUES, "--without-gossip", "--without-mingle")
    names = ["archiver" if number == 1 else f"archiver{number}" for number in range(1, processes + 1)]
    return tuple(
        ChildSpec(
            name=name,
            argv=celery_argv("worker", "-n", f"{name}@{node}", *pool, "-l", celery_level(config), app=ARCHIVER_APP),
            environment=named_environment(environment, name),
            stop_rank=stop_rank,
            grace_seconds=STOP_SECONDS,
            patience=patience_with(folder, name, config.worker_stuck_after_seconds),
        )
        for name in (name + served.suffix for name in names)
    )


@click.command("archiver")
@click.option("--processes", type=click.IntRange(1), default=1, show_default=True, help="Processes that archive.")
@click.option("--node", default="%h", help="Host part of the node names, where two groups share a machine.")
@shard_option
def archiver(processes: int, node: str, shard: str) -> None:
    """Move flows that have ended to the archive, as ARCHIVE_* variables say; so many processes for each flow shard."""
    whole = read_config()
    config = serving(whole, shard)
    if read_archiver_config(os.environ).target is None:
        raise Refusal(NO_TARGET)
    check_stores(config)
    with metrics_folder() as folder:
        all_served = served_shards(whole, shard)
        supervise(config, folder, [c for served in all_served for c in archiver_children(served, processes, node)])
