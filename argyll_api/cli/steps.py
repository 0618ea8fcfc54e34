# SPDX-License-Identifier: Apache-2.0
"""`argyll step …`: commands about definitions, over HTTP."""

from typing import TextIO

import click

from argyll_api.cli.arguments import read_json
from argyll_api.cli.client import engine_at, engine_options
from argyll_api.cli.output import print_json, print_line


@click.group()
def step() -> None:
    """Step definitions of a running engine."""


@step.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
@engine_options
def register(file: TextIO, url: str, as_json: bool) -> None:
    """Register the step in FILE (a JSON object, or a list of them; - reads stdin)."""
    given = read_json(file)
    with engine_at(url) as engine:
        for definition in given if isinstance(given, list) else [given]:
            registered = engine.steps.register(definition)
            if as_json:
                print_json(registered.answer)
            else:
                print_line(f"{registered.message}: {registered.step.id}")
