# SPDX-License-Identifier: Apache-2.0
"""`argyll script …`: tries a script out before a step has it, over HTTP."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, TextIO

import click

from argyll_api.cli.arguments import PAIR, read_json, read_value
from argyll_api.cli.client import RefusedError, engine_at, engine_options
from argyll_api.cli.output import print_json, print_line
from argyll_engine.model.trial import TrialMode

LANGUAGES: Final = ("ale", "lua", "jpath")
NO_MATCH: Final = "no match"

_WORD: Final = re.compile(r"[\w$@.:?!*+<>=%&|~^/-]+|.")


class ScriptFault(RefusedError):
    """The script does not compile or failed; shows the line at fault, with the place underlined."""

    def __init__(self, refusal: RefusedError, name: str, text: str) -> None:
        place = _shown_place(name, text, refusal.answer)
        super().__init__(refusal.message + (f"\n{place}" if place else ""), refusal.answer)


@click.group()
def script() -> None:
    """Scripts, before a step has them."""


@script.command()
@click.argument("file", type=click.File("r", encoding="utf-8"), default="-")
@click.option("--language", "-l", type=click.Choice(LANGUAGES), help="Told from the ending of FILE if left out.")
@click.option(
    "--mode",
    "-m",
    type=click.Choice([str(mode) for mode in TrialMode]),
    default=str(TrialMode.SCRIPT),
    show_default=True,
    help="As what a step would have it.",
)
@click.option("--argument", "-a", "arguments", multiple=True, help="An argument name; those of the inputs if left out.")
@click.option("--input", "-i", "pairs", type=PAIR, multiple=True, help="A value; JSON if it reads as JSON, else text.")
@click.option("--inputs", "inputs_text", help="Values by name as JSON; a gate or a mapping takes any one value.")
@click.option("--inputs-file", type=click.File("r", encoding="utf-8"), help="The same in a file.")
@engine_options
def test(
    file: TextIO,
    language: str | None,
    mode: str,
    arguments: tuple[str, ...],
    pairs: tuple[tuple[str, str], ...],
    inputs_text: str | None,
    inputs_file: TextIO | None,
    url: str,
    as_json: bool,
) -> None:
    """Run the script in FILE (- reads stdin) as a step would, and print what it gives.

    Exits with 1 if it does not compile or fails, and shows where.
    """
    text = _without_last_newline(file.read())
    body: dict[str, Any] = {"language": language or _language_of(file.name), "script": text, "mode": mode}
    body["inputs"] = _inputs(pairs, inputs_file, inputs_text)
    if arguments:
        body["arguments"] = arguments
    try:
        with engine_at(url) as engine:
            answer = engine.ask("POST", "/engine/script/test", body=body)
    except RefusedError as refusal:
        raise ScriptFault(refusal, file.name, text) from refusal
    if as_json:
        print_json(answer)
    elif "result" in answer:
        print_json(answer["result"])
    else:
        print_line(NO_MATCH)


def _without_last_newline(text: str) -> str:
    """The text without the newline that editors and `echo` end a file with; jpath allows no space at its end."""
    return text.removesuffix("\n").removesuffix("\r")


def _language_of(name: str) -> str:
    ending = Path(name).suffix.removeprefix(".")
    if ending not in LANGUAGES:
        raise click.UsageError("say which language it is: --language " + ", ".join(LANGUAGES))
    return ending


def _inputs(pairs: Iterable[tuple[str, str]], file: TextIO | None, text: str | None) -> Any:
    """The values of the file or the text, with the pairs over them."""
    if file is not None and text is not None:
        raise click.UsageError("--inputs and --inputs-file exclude each other")
    given = read_json(file) if file is not None else read_value(text) if text is not None else {}
    named = {name: read_value(value) for name, value in pairs}
    if not named:
        return given
    if not isinstance(given, dict):
        raise click.UsageError("--input adds to an object of values by name")
    return {**given, **named}


def _shown_place(name: str, text: str, answer: dict[str, Any]) -> str:
    """File, line and column, the line itself, and a mark under its fault; empty where the place is not known."""
    number, column = answer.get("line"), answer.get("column")
    lines = text.split("\n")
    if not isinstance(number, int) or not 0 < number <= len(lines):
        return ""
    line = lines[number - 1].rstrip("\r")
    if not isinstance(column, int):
        return f"{name}:{number}\n  {line}\n  {'~' * len(line)}"
    word = _WORD.match(line, column - 1)
    blank = re.sub(r"[^\t]", " ", line[: column - 1])  # a tab under a tab keeps the mark in its place
    return f"{name}:{number}:{column}\n  {line}\n  {blank}{'^' * (len(word[0]) if word else 1)}"
