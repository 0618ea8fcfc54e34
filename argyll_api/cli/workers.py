# SPDX-License-Identifier: Apache-2.0
"""`argyll worker | beat | flower`: ordinary Celery programs on our app. No task is defined here."""

import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

import click

from argyll_api.cli.console import line_printer
from argyll_api.cli.metrics_folder import metrics_folder, note_restart
from argyll_api.cli.patience import Patience
from argyll_api.cli.probe_server import probes_served
from argyll_api.cli.shards import Served, served_shards, serving, shard_option
from argyll_api.cli.startup import Refusal, check_stores, read_config
from argyll_api.cli.supervisor import ChildSpec, Supervisor
from argyll_engine.config import EngineConfig
from argyll_engine.metrics.signs import FOLDER_VARIABLE, NAME_VARIABLE, path_of

CELERY_APP: Final = "argyll_engine.tasks.worker:app"
BEAT_APP: Final = "argyll_archiver.beat:app"
"""The same, with the schedule of archiving."""
STEP_QUEUES: Final = "steps"
WORK_QUEUES: Final = "work,beat"
STEPS_READ_AHEAD: Final = 256
"""Messages that a process for decisions and scripts holds at most; it reads as many as it works off in a moment."""
STOP_SECONDS: Final = 10.0
"""How long a worker may take to finish; what is cut off is delivered again, for tasks are acked late."""

# Celery warns root because of pickle; our app takes JSON only, and containers often run as root.
_ROOT_WARNING: Final = "ignore:You're running the worker with superuser privileges"

BEAT: Final = "beat"
BEAT_SCHEDULER: Final = "argyll_engine.tasks.progress:WatchedScheduler"
BEAT_PATIENCE_SECONDS: Final = 20.0
"""Beat may sleep for some seconds between two looks at its schedule."""

DEFAULT_STEPS: Final = os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """How many worker processes of each kind, the host part of their node names, and what ends their own names."""

    steps: int = DEFAULT_STEPS
    work: int = 1
    archivers: int = 0
    node: str = "%h"
    suffix: str = ""


def celery_argv(*words: str, app: str = CELERY_APP) -> tuple[str, ...]:
    """The command line of a Celery program on an app of ours, without banners."""
    return (sys.executable, "-P", "-W", _ROOT_WARNING, "-m", "celery", "-q", "-A", app, *words)


def worker_children(
    config: EngineConfig, fleet: Fleet, environment: Mapping[str, str] | None = None, stop_rank: int = 0
) -> tuple[ChildSpec, ...]:
    """The worker processes: solo for decisions and scripts, threads for HTTP steps and periodic tasks."""
    solo = ("-P", "solo", "-c", "1", "--prefetch-multiplier", str(STEPS_READ_AHEAD), "-Q", STEP_QUEUES)
    steps = {f"steps{n}{fleet.suffix}": solo for n in range(1, fleet.steps + 1)}
    threads = ("-P", "threads", "-c", str(config.work_threads), "-Q", WORK_QUEUES)
    work = {f"work{n}{fleet.suffix}": threads for n in range(1, fleet.work + 1)}
    folder = (os.environ if environment is None else environment).get(FOLDER_VARIABLE, "")
    return tuple(
        ChildSpec(
            name=name,
            # Mingle and gossip make every worker talk to every other at start and for ever; nothing here uses
            # it.
            argv=celery_argv(
                "worker", "-n", f"{name}@{fleet.node}", *pool, "--without-gossip", "--without-mingle",
                "-l", celery_level(config),
            ),
            environment=named_environment(environment, name),
            stop_rank=stop_rank,
            grace_seconds=STOP_SECONDS,
            patience=patience_with(folder, name, config.worker_stuck_after_seconds),
        )
        for name, pool in (steps | work).items()
    )  # fmt: skip


def beat_child(served: Served, stop_rank: int = 0) -> ChildSpec:
    """The scheduler process of a shard."""
    config, name = served.config, BEAT + served.suffix
    return ChildSpec(
        name=name,
        argv=_beat_argv(config),
        environment=named_environment(served.environment, name),
        stop_rank=stop_rank,
        patience=patience_with(
            served.environment.get(FOLDER_VARIABLE, ""),
            name,
            max(config.worker_stuck_after_seconds, BEAT_PATIENCE_SECONDS),
        ),
    )


def named_environment(environment: Mapping[str, str] | None, name: str) -> Mapping[str, str]:
    """The environment of a child: the given one or ours, and how we call the child."""
    return {**(os.environ if environment is None else environment), NAME_VARIABLE: name}


def patience_with(folder: str, name: str, seconds: float) -> Patience | None:
    """How long a child may show no sign of life in a folder; None where there is none."""
    return Patience(path_of(folder, name), seconds) if folder else None


def _beat_argv(config: EngineConfig) -> tuple[str, ...]:
    # The plain scheduler keeps no file: all our periods are short, and every periodic task takes a lease.
    return celery_argv("beat", "-S", BEAT_SCHEDULER, "--pidfile", "", "-l", celery_level(config), app=BEAT_APP)


def celery_level(config: EngineConfig) -> str:
    """The level as Celery calls it."""
    return "warning" if config.log_level == "warn" else config.log_level


@click.command("worker")
@click.option("--steps", type=click.IntRange(0), default=DEFAULT_STEPS, help="Processes for decisions and scripts.")
@click.option("--work", type=click.IntRange(0), default=1, show_default=True, help="Processes for HTTP steps.")
@click.option("--node", default="%h", help="Host part of the node names, where two groups share a machine.")
@shard_option
def worker(steps: int, work: int, node: str, shard: str) -> None:
    """Run Celery workers under one supervisor; where there are several flow shards, so many for each."""
    whole = read_config()
    config = serving(whole, shard)
    if steps + work == 0:
        raise Refusal("--steps 0 and --work 0: nothing to run")
    check_stores(config)
    with metrics_folder() as folder:
        children = [
            child
            for served in served_shards(whole, shard)
            for child in worker_children(
                served.config,
                Fleet(steps=steps, work=work, node=node, suffix=served.suffix),
                served.environment,
            )
        ]
        supervise(config, folder, children)


def supervise(config: EngineConfig, folder: str, children: Sequence[ChildSpec]) -> NoReturn:
    """Runs children with probes beside them until somebody asks for the end; then ends the command."""
    with Supervisor(line_printer(config.log_format), note_restart) as supervisor:
        for child in children:
            supervisor.start(child)
        with probes_served(config, folder, supervisor.unwell):
            raise SystemExit(supervisor.run())


@click.command("beat")
@shard_option
def beat(shard: str) -> None:
    """Run Celery beat, which starts the periodic tasks; where there are several flow shards, one for each."""
    whole = read_config()
    with metrics_folder() as folder:
        supervise(serving(whole, shard), folder, [beat_child(served) for served in served_shards(whole, shard)])


@click.command("flower")
@click.option("--port", type=click.IntRange(1, 65_535), default=5555, show_default=True, help="Port of its pages.")
@click.option("--address", default="127.0.0.1", show_default=True, help="Address of its pages.")
@click.option("--shard", default="1", show_default=True, help="Number of the flow shard whose workers it shows.")
def flower(port: int, address: str, shard: str) -> None:
    """Run Flower, Celery's web console, on our workers."""
    (served,) = served_shards(read_config(), shard)[:1]
    if importlib.util.find_spec("flower") is None:
        raise Refusal("Flower is not installed: pip install 'argyll[flower]'")
    argv = celery_argv("flower", f"--port={port}", f"--address={address}")
    os.execve(sys.executable, argv, dict(served.environment))
