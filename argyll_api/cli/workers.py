# SPDX-License-Identifier: Apache-2.0
"""`argyll worker | beat | flower`: ordinary Celery programs on our app. No task is defined here."""

import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import click

from argyll_api.cli.console import line_printer
from argyll_api.cli.startup import Refusal, check_stores, read_config
from argyll_api.cli.supervisor import ChildSpec, Supervisor
from argyll_engine.config import EngineConfig

CELERY_APP: Final = "argyll_engine.tasks.worker:app"
STEP_QUEUES: Final = "steps"
WORK_QUEUES: Final = "work,beat"
STEPS_READ_AHEAD: Final = 64
"""Messages that a process for decisions and scripts holds at most; they are short, and a read takes many."""
STOP_SECONDS: Final = 10.0
"""How long a worker may take to finish; what is cut off is delivered again, for tasks are acked late."""

# Celery warns root because of pickle; our app takes JSON only, and containers often run as root.
_ROOT_WARNING: Final = "ignore:You're running the worker with superuser privileges"

DEFAULT_STEPS: Final = os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """How many worker processes of each kind, and the host part of their node names."""

    steps: int = DEFAULT_STEPS
    work: int = 1
    node: str = "%h"


def celery_argv(*words: str) -> tuple[str, ...]:
    """The command line of a Celery program on our app, without banners."""
    return (sys.executable, "-P", "-W", _ROOT_WARNING, "-m", "celery", "-q", "-A", CELERY_APP, *words)


def worker_children(
    config: EngineConfig, fleet: Fleet, environment: Mapping[str, str] | None = None, stop_rank: int = 0
) -> tuple[ChildSpec, ...]:
    """The worker processes: solo for decisions and scripts, threads for HTTP steps and periodic tasks."""
    solo = ("-P", "solo", "-c", "1", "--prefetch-multiplier", str(STEPS_READ_AHEAD), "-Q", STEP_QUEUES)
    steps = {f"steps{n}": solo for n in range(1, fleet.steps + 1)}
    threads = ("-P", "threads", "-c", str(config.work_threads), "-Q", WORK_QUEUES)
    work = {f"work{n}": threads for n in range(1, fleet.work + 1)}
    return tuple(
        ChildSpec(
            name=name,
            # Mingle and gossip make every worker talk to every other at start and for ever; nothing here uses
            # it.
            argv=celery_argv(
                "worker", "-n", f"{name}@{fleet.node}", *pool, "--without-gossip", "--without-mingle",
                "-l", config.log_level,
            ),
            environment=environment,
            stop_rank=stop_rank,
            grace_seconds=STOP_SECONDS,
        )
        for name, pool in (steps | work).items()
    )  # fmt: skip


def beat_child(config: EngineConfig, environment: Mapping[str, str] | None = None, stop_rank: int = 0) -> ChildSpec:
    """The scheduler process."""
    return ChildSpec(name="beat", argv=_beat_argv(config), environment=environment, stop_rank=stop_rank)


def _beat_argv(config: EngineConfig) -> tuple[str, ...]:
    # The plain scheduler keeps no file: all our periods are short, and every periodic task takes a lease.
    return celery_argv("beat", "-S", "celery.beat:Scheduler", "--pidfile", "", "-l", config.log_level)


@click.command("worker")
@click.option("--steps", type=click.IntRange(0), default=DEFAULT_STEPS, help="Processes for decisions and scripts.")
@click.option("--work", type=click.IntRange(0), default=1, show_default=True, help="Processes for HTTP steps.")
@click.option("--node", default="%h", help="Host part of the node names, where two groups share a machine.")
def worker(steps: int, work: int, node: str) -> None:
    """Run Celery workers under one supervisor."""
    config = read_config()
    if steps + work == 0:
        raise Refusal("--steps 0 and --work 0: nothing to run")
    check_stores(config)
    with Supervisor(line_printer(config.log_format)) as supervisor:
        for child in worker_children(config, Fleet(steps=steps, work=work, node=node)):
            supervisor.start(child)
        raise SystemExit(supervisor.run())


@click.command("beat")
def beat() -> None:
    """Run Celery beat, which starts the periodic tasks."""
    config = read_config()
    os.execv(sys.executable, _beat_argv(config))


@click.command("flower")
@click.option("--port", type=click.IntRange(1, 65_535), default=5555, show_default=True, help="Port of its pages.")
@click.option("--address", default="127.0.0.1", show_default=True, help="Address of its pages.")
def flower(port: int, address: str) -> None:
    """Run Flower, Celery's web console, on our workers."""
    read_config()
    if importlib.util.find_spec("flower") is None:
        raise Refusal("Flower is not installed: pip install 'argyll[flower]'")
    os.execv(sys.executable, celery_argv("flower", f"--port={port}", f"--address={address}"))
