# SPDX-License-Identifier: Apache-2.0
"""`argyll ale`: evaluates Ale, in conversation or from a pipe. Needs no engine; the console is `ale_console.py`."""

import os
import sys
from pathlib import Path
from typing import Final

import click

from argyll_api.cli.ale_console import AleConsole
from argyll_engine.scripting.ale import AleError, Limits, Session
from argyll_engine.scripting.ale.reference import reference_page

HISTORY: Final = Path("argyll", "ale_history")
"""Where the lines of earlier conversations are kept, below the directory for the state of programs."""


@click.command()
@click.option("--timeout-ms", type=click.IntRange(1), default=10_000, show_default=True, help="Limit of each form.")
@click.option("--memory-mb", type=click.IntRange(1), default=512, show_default=True, help="Limit of each form.")
@click.option("--reference", is_flag=True, help="Print the page of all builtins.")
def ale(timeout_ms: int, memory_mb: int, reference: bool) -> None:
    """Evaluate Ale: type forms, or pipe a program in. Exits with 1 if a piped program fails."""
    if reference:
        click.echo(reference_page(), nl=False)
        return
    session = Session(Limits(timeout_ms=timeout_ms, memory_mb=memory_mb))
    if sys.stdin.isatty():
        AleConsole(session, _history_file()).run()
    else:
        _evaluate_all(session, sys.stdin.read())


def _evaluate_all(session: Session, source: str) -> None:
    """Print the value of every form of a program."""
    try:
        for text in session.evaluate(source):
            click.echo(text)
    except AleError as error:
        raise click.ClickException(str(error)) from error


def _history_file() -> Path:
    """Source: the XDG base directory specification."""
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
    return base / HISTORY
