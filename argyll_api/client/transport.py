# SPDX-License-Identifier: Apache-2.0
"""Requests and answers: connections, tries, errors. Knows no route. Called by the parts of `Client`.

Everything is tried again, for every request of the API may be repeated: the same start or registration changes
nothing, and a second report on a work item is ignored.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import quote

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProtocolError

from argyll_api.client.errors import NotAnEngineError, UnavailableError, refusal
from argyll_api.client.retries import Retries

JSON_TYPE: Final = "application/json"
CONNECT_SECONDS: Final = 5.0

_COME_BACK: Final = (502, 503, 504)  # the first and the last are a proxy's, whose engine is away
_OK: Final = 200
_REFUSALS: Final = 400
_PASSING: Final = (NewConnectionError, ConnectTimeoutError, ProtocolError)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request: `ids` fill the `{}` of `path`, escaped; a `body` is sent as JSON.

    `extra_seconds` is how much longer than usual the answer may take.
    """

    method: str
    path: str
    ids: tuple[str, ...] = ()
    body: Any = None
    content_type: str = JSON_TYPE
    extra_seconds: float = 0.0

    @property
    def target(self) -> str:
        """The path as it is sent."""
        return self.path.format(*(quote(text, safe="") for text in self.ids))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer that is no refusal; `json` is None for an empty body."""

    status: int
    json: Any


class Transport:
    """The HTTP API at an address; one with a trailing `/` or `/engine` is understood. Threads may share it."""

    def __init__(self, url: str, *, timeout_seconds: float, pool_size: int, retries: Retries) -> None:
        self.base = url.rstrip("/").removesuffix("/engine")
        self.retries, self._timeout_seconds = retries, timeout_seconds
        self._pool = urllib3.PoolManager(maxsize=pool_size, retries=False)

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def read(self, request: Request, reader: Callable[[Any], T]) -> T:
        """What `reader` makes of the JSON answer.

        Raises:
            ClientError: The answer is a refusal, not what it should be, or there is none.
        """
        return self.understand(request, self.ask(request).json, reader)

    def understand(self, request: Request, value: Any, reader: Callable[[Any], T]) -> T:
        """What `reader` makes of a value that a request was answered with.

        Raises:
            NotAnEngineError: It can make nothing of it.
        """
        try:
            return reader(value)
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            message = f"{self.base} has not answered as an engine does: {exc!r}"
            raise NotAnEngineError(message, request=self._name(request)) from exc

    def ask(self, request: Request) -> Reply:
        """The answer, after as many tries as it takes.

        Raises:
            ClientError: It is a refusal, or there is none.
        """
        tries = 0
        while True:
            tries += 1
            try:
                answer = self._send(request)
            except _PASSING as exc:
                if tries > self.retries.count:
                    raise self._unreachable(request, exc, tries) from exc
                asked_seconds = 0.0
            except HTTPError as exc:
                raise self._unreachable(request, exc, tries) from exc
            else:
                if answer.status not in _COME_BACK or tries > self.retries.count:
                    return Reply(status=answer.status, json=self._value(request, answer, tries))
                asked_seconds = _asked_seconds(answer.headers)
            time.sleep(self.retries.pause_seconds(tries, asked_seconds))

    def _send(self, request: Request) -> urllib3.BaseHTTPResponse:
        has_body = request.body is not None
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=self._timeout_seconds + request.extra_seconds)
        return self._pool.request(
            request.method,
            self.base + request.target,
            body=json.dumps(request.body).encode() if has_body else None,
            headers={"Content-Type": request.content_type} if has_body else {},
            timeout=timeout,
            redirect=False,
        )

    def _value(self, request: Request, answer: urllib3.BaseHTTPResponse, tries: int) -> Any:
        """The value in a body; None for none.

        Raises:
            ClientError: The answer is a refusal or not JSON.
        """
        status, name = answer.status, self._name(request)
        try:
            value = json.loads(answer.data) if answer.data or status != _OK else None
        except ValueError as exc:
            kind = UnavailableError if status in _COME_BACK else NotAnEngineError
            message = f"{self.base} is no engine: it answered {status} without JSON"
            raise kind(message, request=name, status=status, tries=tries) from exc
        if status < _REFUSALS:
            return value
        said = value if isinstance(value, dict) else {}
        refused = UnavailableError if status in _COME_BACK else refusal(status)
        raise refused(str(said.get("error", value)), request=name, status=status, answer=said, tries=tries)

    def _unreachable(self, request: Request, exc: HTTPError, tries: int) -> UnavailableError:
        message = f"no engine at {self.base}: {_reason(exc)}"
        return UnavailableError(message, request=self._name(request), tries=tries)

    def _name(self, request: Request) -> str:
        return f"{request.method} {self.base}{request.target}"


def _asked_seconds(headers: Mapping[str, str]) -> float:
    """Seconds of a `Retry-After`; 0 without one, or with a date."""
    text = headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdecimal() else 0.0


def _reason(error: Exception) -> str:
    """The cause in the words of the system, without addresses of objects."""
    cause = getattr(error, "reason", None) or error.__cause__ or error
    return getattr(cause, "strerror", None) or str(cause).rpartition(": ")[2]
