# SPDX-License-Identifier: Apache-2.0
"""`argyll plan`: what a start would run, over HTTP."""

from typing import TextIO

import click

from argyll_api.cli.arguments import init_file_option, init_option, read_init
from argyll_api.cli.client import engine_at, engine_options
from argyll_api.cli.output import print_json, print_plan


@click.command()
@click.argument("goals", metavar="GOAL...", nargs=-1, required=True)
@init_option
@init_file_option
@engine_options
def plan(
    goals: tuple[str, ...],
    pairs: tuple[tuple[str, str], ...],
    init_file: TextIO | None,
    url: str,
    as_json: bool,
) -> None:
    """Show the steps that reach these goals, without starting anything."""
    init = read_init(pairs, init_file)
    with engine_at(url) as engine:
        preview = engine.plan(goals, init)
    (print_json if as_json else print_plan)(preview.answer)
