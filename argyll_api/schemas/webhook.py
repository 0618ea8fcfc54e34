# SPDX-License-Identifier: Apache-2.0
"""Bodies of webhooks: outputs of a work item, or the problem that ended it. What they mean is the engine's.

Called by `routes/webhooks.py`. Source: the contract, http §1.9.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

from argyll_api.schemas.fields import Integer, Text
from argyll_api.schemas.shape import Shape, load
from argyll_engine.errors import InvalidJSONError, InvalidRequestError
from argyll_engine.model.ids import JSONValue

_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}


class ProblemShape(Shape):
    """The members of a problem. Source: RFC 9457 §3.1."""

    type = Text()
    title = Text(load_default="")
    detail = Text(load_default="")
    instance = Text()
    status = Integer(load_default=0)


_problem: Final = ProblemShape()


@contextmanager
def refused_as(text: str) -> Iterator[None]:
    """A context in which a body of the wrong shape is refused with exactly this text."""
    try:
        yield
    except InvalidJSONError as exc:
        raise InvalidRequestError(text) from exc


def load_outputs(raw: JSONValue) -> Mapping[str, JSONValue] | None:
    """The outputs in a body; None for null.

    Raises:
        InvalidJSONError: Neither an object nor null.
    """
    if raw is not None and not isinstance(raw, dict):
        raise InvalidJSONError("outputs must be an object")
    return raw


def load_problem(raw: Mapping[str, JSONValue]) -> str:
    """Why the work failed: the detail, else the title, else the standard text of the status, else nothing.

    Raises:
        InvalidJSONError: A member is of the wrong kind.
    """
    problem: dict[str, Any] = load(_problem, raw)
    return problem["detail"] or problem["title"] or _PHRASES.get(problem["status"], "")
