# SPDX-License-Identifier: Apache-2.0
"""The console command `argyll`. Each command is an edge: parse, start or ask, print, exit. No rules here."""

import importlib.metadata

import click

from argyll_api.cli.ale import ale
from argyll_api.cli.archive import archive
from argyll_api.cli.archiver import archiver
from argyll_api.cli.backup import backup
from argyll_api.cli.config import config
from argyll_api.cli.dead_letters import dead_letters
from argyll_api.cli.doctor import doctor
from argyll_api.cli.flows import flow
from argyll_api.cli.migrate import migrate
from argyll_api.cli.plans import plan
from argyll_api.cli.probe import probe
from argyll_api.cli.scripts import script
from argyll_api.cli.serve import api
from argyll_api.cli.steps import step
from argyll_api.cli.up import down, up
from argyll_api.cli.workers import beat, flower, worker

__all__ = ["main"]


@click.group(name="argyll", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(importlib.metadata.version("argyll"), prog_name="argyll")
def main() -> None:
    """Durable, goal-driven workflows on Celery, Redis and Flask."""


for _command in (
    up,
    down,
    api,
    worker,
    beat,
    archiver,
    archive,
    flower,
    dead_letters,
    config,
    migrate,
    backup,
    doctor,
    ale,
    probe,
):
    main.add_command(_command)

# Client commands, which talk HTTP to a running API.
for _command in (step, flow, plan, script):
    main.add_command(_command)
