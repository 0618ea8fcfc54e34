# SPDX-License-Identifier: Apache-2.0
"""What can go wrong for a client, as a tree by what a program would do about it.

ClientError
  RefusedError          the engine answered, and the answer is no
    InvalidError        400: the request is wrong
    NotFoundError       404: there is no such step or flow
    ConflictError       409: there is another one of that id
    BrokenError         500 and the like: a fault of the engine
  NotAnEngineError      whoever answered is no engine
  UnavailableError      503, or no answer: another try later may help
  NotInTimeError        what was waited for has not come
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


class ClientError(Exception):
    """Any of them.

    Args:
        message: What happened, in the engine's words where it said something.
        request: Method and address that were asked.
        status: Of the answer; None without one.
        answer: The JSON object of the answer; empty without one.
        tries: How often it was asked; the engine may have heard an earlier try whose answer was lost.
    """

    def __init__(
        self,
        message: str,
        *,
        request: str,
        status: int | None = None,
        answer: Mapping[str, Any] | None = None,
        tries: int = 1,
    ) -> None:
        super().__init__(message)
        self.message, self.request, self.status, self.tries = message, request, status, tries
        self.answer: Mapping[str, Any] = MappingProxyType(dict(answer or {}))


class RefusedError(ClientError):
    """The engine answered, and the answer is no."""


class InvalidError(RefusedError):
    """The request is wrong; the same again will be refused again."""


class NotFoundError(RefusedError):
    """There is no such step or flow."""


class ConflictError(RefusedError):
    """There is another step or flow of that id."""


class BrokenError(RefusedError):
    """A fault of the engine; its log says more."""


class NotAnEngineError(ClientError):
    """Whoever answered is no engine, or one of a version that this client does not understand."""


class UnavailableError(ClientError):
    """There was no answer, or one that asks to come back; all tries are used up. `status` tells which."""


class NotInTimeError(ClientError):
    """What was waited for has not come in time. It may still come."""


_BY_STATUS = {400: InvalidError, 404: NotFoundError, 409: ConflictError}


def refusal(status: int) -> type[RefusedError]:
    """The error that an answer of this status means."""
    return _BY_STATUS.get(status, BrokenError if status >= 500 else InvalidError)
