# SPDX-License-Identifier: Apache-2.0
"""How the commands of people reach a running engine: options, the client, and its errors as exit codes. Prints nothing.

Exit codes: 1 when the engine refused, 3 when it could not be reached or asks to come back later, 4 when what was waited
for has not come in time.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import click

from argyll_api.client import Client, ClientError, NotInTimeError, Retries, UnavailableError
from argyll_api.client.client import DEFAULT_URL

_RETRIES: Final = Retries(count=2)
"""Few: somebody is watching."""

Command = TypeVar("Command", bound=Callable[..., Any])


class RefusedError(click.ClickException):
    """The engine answered, and the answer is no; `answer` is what it sent, where that is an object."""

    exit_code = 1

    def __init__(self, message: str, answer: Any = None) -> None:
        super().__init__(message)
        self.answer: dict[str, Any] = dict(answer or {})


class UnreachableError(click.ClickException):
    """There is no engine at the address, or it cannot serve just now."""

    exit_code = 3


class TooLateError(click.ClickException):
    """What was waited for has not come in time; it may still come."""

    exit_code = 4


@contextmanager
def engine_at(url: str) -> Iterator[Client]:
    """A client of the engine at an address.

    Raises:
        click.ClickException: In place of every error of the client.
    """
    try:
        with Client(url, retries=_RETRIES) as client:
            yield client
    except UnavailableError as exc:
        raise UnreachableError(exc.message) from exc
    except NotInTimeError as exc:
        raise TooLateError(exc.message) from exc
    except ClientError as exc:
        raise RefusedError(exc.message, exc.answer) from exc


def engine_options(command: Command) -> Command:
    """The options that every client command has: where the engine is, and whether a machine reads."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Print the engine's answer as JSON.")
    url = click.option(
        "--url", envvar="ARGYLL_ENGINE_URL", default=DEFAULT_URL, show_default=True, help="Address of the engine."
    )
    return as_json(url(command))
