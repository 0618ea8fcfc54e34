# SPDX-License-Identifier: Apache-2.0
"""How values are given on the command line: `name=value` pairs and JSON files. Used by the client commands."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO

import click

from argyll_api.client import Candidates, Start
from argyll_engine.model.ids import JSONValue


class Pair(click.ParamType[tuple[str, str]]):
    """A `name=value` argument."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """(name, value)."""
        name, equals, text = str(value).partition("=")
        if not name or not equals:
            self.fail(f"{value!r} is not of the form name=value", param, ctx)
        return name, text


PAIR = Pair()

init_option = click.option(
    "--init",
    "-i",
    "pairs",
    type=PAIR,
    multiple=True,
    help="An initial value; JSON if it reads as JSON, else text. The same name again adds a candidate.",
)
init_file_option = click.option(
    "--init-file", type=click.File("r", encoding="utf-8"), help="A JSON object of initial values; - reads stdin."
)


def read_init(pairs: Iterable[tuple[str, str]], file: TextIO | None) -> dict[str, Candidates]:
    """Candidates by name, those of the file first.

    Raises:
        click.ClickException: The file is no JSON object.
    """
    given = read_json(file) if file is not None else {}
    if not isinstance(given, dict):
        raise click.ClickException("the initial values must be a JSON object")
    init = {name: list(value) if isinstance(value, list) else [value] for name, value in given.items()}
    for name, text in pairs:
        init.setdefault(name, []).append(read_value(text))
    return {name: Candidates(values) for name, values in init.items()}


def read_starts(file: TextIO) -> Iterator[Start]:
    """The starts in a file with one JSON object a line; empty lines are passed over.

    Raises:
        click.ClickException: A line is no start; names the file and the line.
    """
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                yield _start(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError) as exc:
                raise click.ClickException(f"{file.name}, line {number}: no start of a flow: {exc!r}") from exc


def _start(value: Mapping[str, Any]) -> Start:
    init = {
        name: Candidates(given) if isinstance(given, list) else given for name, given in value.get("init", {}).items()
    }
    return Start(flow_id=value["id"], goals=value["goals"], init=init, labels=value.get("labels", {}))


def read_json(file: TextIO) -> JSONValue:
    """What a JSON file says.

    Raises:
        click.ClickException: It is no JSON; names the file and the place.
    """
    try:
        return json.load(file)
    except ValueError as exc:
        raise click.ClickException(f"{file.name} is not JSON: {exc}") from exc


def read_value(text: str) -> JSONValue:
    """What a text says as JSON, or the text itself where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text
