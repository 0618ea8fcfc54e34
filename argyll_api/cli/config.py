# SPDX-License-Identifier: Apache-2.0
"""`argyll config`: what is set, where it comes from, and all that is wrong with it. Connects to nothing."""

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import click

from argyll_api.cli.output import print_json, print_line, print_table
from argyll_api.cli.startup import Refusal
from argyll_archiver.wiring import archiver_config
from argyll_engine.address import redact_url
from argyll_engine.config import EngineConfig
from argyll_engine.errors import ConfigError
from argyll_engine.variable import FILE_SUFFIX, HIDDEN, Variable
from argyll_engine.variables import ARCHIVE_VARIABLES, VARIABLES

ALL: Final = (*VARIABLES, *ARCHIVE_VARIABLES)
OURS: Final = ("ENGINE_", "FLOW_", "CATALOG_", "PARTITION_", "ARCHIVE_", "RECOVERY_", "RETRY_", "SCRIPT_")
"""What the names of variables begin with that nobody else has."""
CLOSE, VERY_CLOSE = 0.8, 0.87
"""How alike a name must be to one of ours, if it begins like ours, and if it may be anybody's."""
TRACING: Final = "OTEL_"
SECRET_TRACING: Final = "_HEADERS"

DEFAULT, ENVIRONMENT, FILE = "default", "environment", "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A variable as it is set: its documented name, its value for people, and where that comes from.

    `source` is `default`, `environment` or `file`; `given_as` the spelling that was used, empty for a default.
    """

    name: str
    value: str
    source: str
    given_as: str = ""
    path: str = ""

    @property
    def origin(self) -> str:
        """Where the value comes from, in words."""
        if self.source == DEFAULT:
            return DEFAULT
        other = f" {self.given_as}" if self.given_as != self.name else ""
        return f"{self.source}{other}" + (f" {self.path}" if self.path else "")


@click.group()
def config() -> None:
    """Show and check the configuration of this environment."""


@config.command()
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@click.option("--set", "only_set", is_flag=True, help="Leave defaults out.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(origin: bool, only_set: bool, as_json: bool) -> None:
    """Print every variable with its value; passwords are hidden."""
    shown = [setting for setting in settings(os.environ) if not only_set or setting.source != DEFAULT]
    if as_json:
        print_json([{"name": s.name, "value": s.value, "origin": s.origin} for s in shown])
    elif origin:
        print_table(("variable", "value", "origin"), ((s.name, s.value, s.origin) for s in shown))
    else:
        for setting in shown:
            print_line(f"{setting.name}={setting.value}")


@config.command()
def check() -> None:
    """Check every variable; prints each fault and exits with 2 if there is one."""
    for name, guess in unknown(os.environ):
        click.echo(f"argyll: {name} is read by nobody" + (f"; did you mean {guess}?" if guess else ""), err=True)
    found = faults(os.environ)
    if found:
        raise Refusal("\n".join(found))
    count = sum(setting.source != DEFAULT for setting in settings(os.environ))
    print_line(f"the configuration is sound; {count} variables are set")


def settings(environment: Mapping[str, str]) -> Iterator[Setting]:
    """Every variable of ours, in the order of the table, then those of OpenTelemetry that are set."""
    for variable in ALL:
        yield _setting(variable, environment)
    for name in sorted(filter(lambda name: name.startswith(TRACING), environment)):
        value = HIDDEN if name.endswith(SECRET_TRACING) else redact_url(environment[name])
        yield Setting(name=name, value=value, source=ENVIRONMENT, given_as=name)


def faults(environment: Mapping[str, str]) -> tuple[str, ...]:
    """One line for each thing that is wrong with any variable, whichever process reads it."""
    found: list[str] = []
    for read in (EngineConfig.from_env, archiver_config):
        try:
            read(environment)
        except ConfigError as exc:
            found += exc.faults
    return tuple(found)


def unknown(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Variables that look like ours and are not, each with the one that may be meant, or an empty text."""
    known = {spelling for variable in ALL for name in variable.names for spelling in (name, name + FILE_SUFFIX)}
    for name in sorted(environment):
        is_ours = name.startswith(OURS)
        guesses = () if name in known else _close_to(name, known, CLOSE if is_ours else VERY_CLOSE)
        if guesses or (is_ours and name not in known):
            yield name, next(iter(guesses), "")


def _close_to(name: str, known: Iterable[str], likeness: float) -> Sequence[str]:
    return difflib.get_close_matches(name, sorted(known), n=1, cutoff=likeness)


def _setting(variable: Variable, environment: Mapping[str, str]) -> Setting:
    for spelling, text in variable.given(environment, []):
        value = variable.shown(text)
        if spelling.endswith(FILE_SUFFIX):
            name, path = spelling.removesuffix(FILE_SUFFIX), environment[spelling]
            return Setting(name=variable.name, value=value, source=FILE, given_as=name, path=path)
        return Setting(name=variable.name, value=value, source=ENVIRONMENT, given_as=spelling)
    return Setting(name=variable.name, value=variable.shown(variable.default), source=DEFAULT)
