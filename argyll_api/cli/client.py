# SPDX-License-Identifier: Apache-2.0
"""Talks HTTP to a running engine for the commands of people; knows routes and errors, prints nothing.

Exit codes: 1 when the engine refused, 3 when it could not be reached or asks to come back later.
"""

import json
from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import quote

import click
import urllib3

DEFAULT_URL: Final = "http://localhost:8080"

_TIMEOUT: Final = urllib3.Timeout(connect=5.0, read=60.0)  # seconds
_UNAVAILABLE: Final = 503

Command = TypeVar("Command", bound=Callable[..., Any])


class RefusedError(click.ClickException):
    """The engine answered, and the answer is no."""

    exit_code = 1


class UnreachableError(click.ClickException):
    """There is no engine at the address, or it cannot serve just now."""

    exit_code = 3


class EngineClient:
    """The HTTP API at an address; one with a trailing `/` or `/engine` is understood."""

    def __init__(self, url: str) -> None:
        self._base = url.rstrip("/").removesuffix("/engine")
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT, retries=False)

    def get(self, path: str, *ids: str) -> Any:
        """The JSON answer of a GET; `{}` in the path are filled with the ids, escaped."""
        return self._ask("GET", _filled(path, ids))

    def post(self, path: str, body: object) -> Any:
        """The JSON answer of a POST."""
        return self._ask("POST", path, json.dumps(body).encode())

    def put(self, path: str, *ids: str, body: object) -> Any:
        """The JSON answer of a PUT; `{}` in the path are filled as in `get`."""
        return self._ask("PUT", _filled(path, ids), json.dumps(body).encode())

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            answer = self._pool.request(method, self._base + path, body=body, headers=headers)
        except urllib3.exceptions.HTTPError as exc:
            raise UnreachableError(f"no engine at {self._base}: {_reason(exc)}") from exc
        try:
            value = json.loads(answer.data)
        except ValueError as exc:
            raise RefusedError(f"{self._base} is no engine: it answered {answer.status} without JSON") from exc
        if answer.status < 400:
            return value
        text = str(value.get("error", value)) if isinstance(value, dict) else str(value)
        raise (UnreachableError if answer.status == _UNAVAILABLE else RefusedError)(text)


def engine_options(command: Command) -> Command:
    """The options that every client command has: where the engine is, and whether a machine reads."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Print the engine's answer as JSON.")
    url = click.option(
        "--url", envvar="ARGYLL_ENGINE_URL", default=DEFAULT_URL, show_default=True, help="Address of the engine."
    )
    return as_json(url(command))


def _filled(path: str, ids: tuple[str, ...]) -> str:
    return path.format(*(quote(text, safe="") for text in ids))


def _reason(error: Exception) -> str:
    """The cause in the words of the system, without addresses of objects."""
    cause = getattr(error, "reason", None) or error.__cause__ or error
    return getattr(cause, "strerror", None) or str(cause).rpartition(": ")[2]
