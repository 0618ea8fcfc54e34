# SPDX-License-Identifier: Apache-2.0
"""The conversation of `argyll ale`: lines until a form closes, history, completion, help. Called by `ale.py`."""

import re
import readline
from pathlib import Path
from typing import Final

import click

from argyll_engine.scripting.ale import AleError, Session, is_unfinished
from argyll_engine.scripting.ale.help import Kind, every_help, help_of
from argyll_engine.scripting.ale.scope import UNAVAILABLE

PROMPT: Final = "ale> "
MORE: Final = "...> "
MAX_HISTORY: Final = 2_000
"""Lines that are kept."""

GREETING: Final = "Ale. (help) lists everything built in, (help name) explains it; Ctrl-D ends."

_HELP: Final = re.compile(r"\(?help(?:\s+'?(?P<name>[^\s()]+))?\)?")
_DELIMITERS: Final = " \t\n()[]{}\"'`,@;"


class AleConsole:
    """Reads forms from the terminal and prints their values, until the end of input.

    Args:
        session: what evaluates them.
        history: the file that keeps lines from one conversation to the next; it need not be there.
    """

    def __init__(self, session: Session, history: Path) -> None:
        self._session, self._history = session, history

    def run(self) -> None:
        """Converse. Ctrl-C drops what is being typed or ends what is being evaluated, and no more."""
        self._prepare()
        click.echo(GREETING)
        try:
            while (source := self._read()) is not None:
                self._answer(source)
        finally:
            self._keep_history()
        click.echo()

    def _read(self) -> str | None:
        """The next text of whole forms; None at the end of input."""
        lines: list[str] = []
        while True:
            try:
                lines.append(input(MORE if lines else PROMPT))
            except EOFError:
                return None
            except KeyboardInterrupt:
                click.echo()
                lines.clear()
                continue
            source = "\n".join(lines)
            if not is_unfinished(source):
                return source

    def _answer(self, source: str) -> None:
        asked = _HELP.fullmatch(source.strip())
        if asked and "help" not in self._session.names():
            click.echo(help_text(asked["name"] or ""))
            return
        try:
            for text in self._session.evaluate(source):
                click.echo(text)
        except AleError as error:
            click.echo(f"Error: {error}", err=True)
        except KeyboardInterrupt:
            self._session.stop()
            click.echo("\ninterrupted", err=True)

    def _prepare(self) -> None:
        readline.set_completer_delims(_DELIMITERS)
        readline.set_completer(self._complete)
        readline.parse_and_bind("tab: complete")
        readline.set_history_length(MAX_HISTORY)
        try:
            readline.read_history_file(self._history)
        except OSError:
            readline.clear_history()  # the first conversation, or a file that cannot be read

    def _keep_history(self) -> None:
        try:
            self._history.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            readline.write_history_file(self._history)
        except OSError as exc:
            click.echo(f"history is not kept: {exc}", err=True)

    def _complete(self, beginning: str, index: int) -> str | None:
        """The `index`-th name that begins so; what readline asks for until there is none."""
        found = [name for name in (*self._session.names(), "help") if name.startswith(beginning)]
        return found[index] if index < len(found) else None


def help_text(name: str) -> str:
    """What a builtin is for; all names, by kind, for an empty one."""
    if not name:
        return "\n".join(f"{kind}s:\n  {' '.join(_names(kind))}" for kind in Kind)
    found = help_of(name)
    if found is None:
        return f"not available to scripts: {name}" if name in UNAVAILABLE else f"nothing built in is called {name}"
    aliases = f"\n  also: {' '.join(found.aliases)}" if found.aliases else ""
    return f"{found.usage}\n  {found.kind}\n  {found.text}{aliases}"


def _names(kind: Kind) -> list[str]:
    return sorted(found.name for found in every_help() if found.kind is kind)
