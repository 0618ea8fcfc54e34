# SPDX-License-Identifier: Apache-2.0
"""How an object of a request is read: which names count, what null means, and how a fault names its place.

Every schema beside this file is a `Shape`; the routes call `load`. Source: the contract, http §1.2.
"""

from collections.abc import Container, Mapping
from typing import Any, Final

from marshmallow import EXCLUDE, Schema, ValidationError, fields, pre_load

from argyll_api.schemas.fields import require
from argyll_engine.errors import InvalidJSONError
from argyll_engine.model.ids import JSONValue

MANDATORY: Final = "mandatory"
"""Word in the metadata of a field: a body without this member is refused, if not for its shape. For documents."""


class Shape(Schema):
    """An object whose member names ignore case, whose unknown members are dropped, and whose nulls are absent."""

    class Meta:
        """Options that marshmallow reads."""

        unknown = EXCLUDE

    @pre_load
    def take_members(self, raw: JSONValue, **_: object) -> dict[str, Any]:
        """The known members under their proper names; a name spelled exactly beats the same name in other case."""
        require(raw, dict, "an object")
        return _members(raw, self.fields)


class Part(fields.Nested):
    """A member that is an object of a shape of its own."""

    def __init__(self, shape: type[Shape], **metadata: Any) -> None:
        super().__init__(shape(), metadata=metadata)


def must(**words: Any) -> dict[str, Any]:
    """Metadata of a member that no body may lack, with words of JSON Schema about it."""
    return {MANDATORY: True, **words}


def one_of(*values: str) -> dict[str, Any]:
    """Metadata of a member with these values; an empty one and null count as absent."""
    return {"enum": [*values, "", None]}


def replaced_by(now: str) -> dict[str, Any]:
    """Metadata of a member that has another place or name now."""
    return {"deprecated": True, "description": f"Old form of `{now}`, which wins."}


def load(shape: Schema, raw: Mapping[str, JSONValue]) -> Any:
    """What the shape makes of an object. (`Any`: each shape has a result type of its own.)

    Raises:
        InvalidJSONError: With the path of the first member that is of the wrong kind.
    """
    try:
        return shape.load(raw)
    except ValidationError as exc:
        where, reason = _first_fault(exc.messages)
        raise InvalidJSONError(reason, where) from exc


def _members(raw: Mapping[str, JSONValue], names: Container[str]) -> dict[str, Any]:
    exact = {key: value for key, value in raw.items() if key in names and value is not None}
    if len(exact) < len(raw):
        for key, value in raw.items():
            if key not in names and value is not None and key.lower() in names:
                exact.setdefault(key.lower(), value)
    return exact


def _first_fault(messages: Any) -> tuple[str, str]:
    """(dotted path, reason) of the first leaf in what marshmallow collected."""
    path: list[str] = []
    while isinstance(messages, dict):
        name, messages = next(iter(messages.items()))
        if name != "_schema":
            path.append(str(name))
    return ".".join(path), str(messages[0] if isinstance(messages, list) else messages)
