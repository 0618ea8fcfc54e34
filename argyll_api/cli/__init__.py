# SPDX-License-Identifier: Apache-2.0
"""The console command `argyll`. Each command is an edge: parse, start or ask, print, exit. No rules here.

A command is loaded when it is asked for: each process is one of them, and need not wait for what all others import.
"""

import importlib
import importlib.metadata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import click

__all__ = ["COMMANDS", "main"]

COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "up": "up",
        "down": "up",
        "api": "serve",
        "worker": "workers",
        "beat": "workers",
        "archiver": "archiver",
        "archive": "archive",
        "flower": "workers",
        "dead-letters": "dead_letters",
        "config": "config",
        "migrate": "migrate",
        "backup": "backup",
        "doctor": "doctor",
        "ale": "ale",
        "probe": "probe",
        # Client commands, which talk HTTP to a running API.
        "step": "steps",
        "flow": "flows",
        "plan": "plans",
        "script": "scripts",
    }
)
"""The module of each command; there it has its own name, with underscores."""


class _Commands(click.Group):
    """The commands, each imported when it is first named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See click.Group."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See click.Group."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"{__name__}.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command


@click.group(name="argyll", cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(importlib.metadata.version("argyll"), prog_name="argyll")
def main() -> None:
    """Durable, goal-driven workflows on Celery, Redis and Flask."""
