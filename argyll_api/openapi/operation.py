# SPDX-License-Identifier: Apache-2.0
"""What a view says of itself beyond its route and its docstring: body, answers, errors. It changes no behaviour.

Routes put `@describes(…)` under their route; `document.py` beside this file reads it. A view without it is in the
document all the same, with its path, its docstring and nothing known of its answers; a test finds it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, TypeVar

from argyll_api.schemas.shape import Shape
from argyll_engine.errors import ArgyllError

View = TypeVar("View", bound=Callable[..., Any])

JSON: Final = "application/json"
PLAIN: Final = "text/plain"
HTML: Final = "text/html"
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_KEY: Final = "__operation__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A request body.

    Args:
        shape: What the body is read with; a JSON Schema where no shape reads it.
        limit: The member of `ApiConfig` that holds its largest size.
        example: A body that is fine.
        other: Further media types, with shape and example.
        required: Whether the request may not come without one.
    """

    shape: type[Shape] | Mapping[str, Any]
    limit: str
    example: Any = None
    other: Mapping[str, tuple[type[Shape], Any]] = field(default_factory=lambda: _NOTHING)
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that is no error.

    Args:
        form: A type of `answers.py`, a JSON Schema, or None for an empty body.
        says: When it is given.
        example: A body as it may look.
        media: Its media type.
        headers: Name → what it says.
    """

    form: Any = None
    says: str = ""
    example: Any = None
    media: str = JSON
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Everything that a view says of itself.

    Args:
        answers: By status.
        body: None where no body is read.
        errors: Classes of `errors.py` that the view may raise of its own; what any view may raise is added.
        parameters: Query and header parameters, each as OpenAPI writes it.
        asks_store: Whether it can fail because a store is away, or because of what is in one.
    """

    answers: Mapping[int, Answer]
    body: Body | None = None
    errors: tuple[type[ArgyllError], ...] = ()
    parameters: tuple[Mapping[str, Any], ...] = ()
    asks_store: bool = True


UNKNOWN: Final = Operation(answers=MappingProxyType({HTTPStatus.OK: Answer()}))
"""What is known of a view that says nothing."""


def describes(
    answers: Mapping[int, Answer],
    *,
    body: Body | None = None,
    errors: tuple[type[ArgyllError], ...] = (),
    parameters: tuple[Mapping[str, Any], ...] = (),
    asks_store: bool = True,
) -> Callable[[View], View]:
    """A decorator that keeps this beside the view and gives the view back as it is; for the members see `Operation`."""
    operation = Operation(answers=answers, body=body, errors=errors, parameters=parameters, asks_store=asks_store)

    def keep(view: View) -> View:
        setattr(view, _KEY, operation)
        return view

    return keep


def operation_of(view: Callable[..., Any]) -> Operation:
    """What a view says of itself."""
    operation: Operation = getattr(view, _KEY, UNKNOWN)
    return operation
