# SPDX-License-Identifier: Apache-2.0
"""The kinds of members that requests have, each as strict as the contract: no text for a number, no 1 for true.

Used by the shapes beside this file. Source: the contract, http §1.2.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from marshmallow import ValidationError, fields

from argyll_api.body import kind_of
from argyll_engine.model.ids import JSONValue

MAX_INTEGER: Final = 2**63 - 1
MIN_INTEGER: Final = -(2**63)


def require(value: JSONValue, kind: type, wanted: str) -> None:
    """Raises ValidationError unless the value is of the wanted JSON type."""
    if not isinstance(value, kind):
        raise ValidationError(f"must be {wanted}, not {kind_of(value)}")


class Text(fields.Field[str]):
    """A string."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        require(value, str, "a string")
        return str(value)


class Flag(fields.Field[bool]):
    """A boolean."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        require(value, bool, "a boolean")
        return bool(value)


class Integer(fields.Field[int]):
    """An integer literal of at most 64 bits; `5.0` is none."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            written = " with a fraction or exponent" if isinstance(value, float) else ""
            raise ValidationError(f"must be an integer, not {kind_of(value)}{written}")
        if not MIN_INTEGER <= value <= MAX_INTEGER:
            raise ValidationError("must fit into 64 bits")
        return value


class Texts(fields.Field[tuple[str, ...]]):
    """A list of strings; a null in it counts as an empty one."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> tuple[str, ...]:
        require(value, list, "a list")
        for index, text in enumerate(value):
            if text is not None and not isinstance(text, str):
                raise ValidationError({index: [f"must be a string, not {kind_of(text)}"]})
        return tuple(text or "" for text in value)


class TextMap(fields.Field[Mapping[str, str]]):
    """An object of strings; a null in it counts as an empty one."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Mapping[str, str]:
        require(value, dict, "an object")
        for name, text in value.items():
            if text is not None and not isinstance(text, str):
                raise ValidationError({name: [f"must be a string, not {kind_of(text)}"]})
        return MappingProxyType({name: text or "" for name, text in value.items()})


class Init(fields.Field[Mapping[str, tuple[JSONValue, ...] | None]]):
    """Initial values: a list of candidates a name. Anything else is the one candidate, null is none.

    Source: the contract, http §1.7 and §7.1 (A9).
    """

    def _deserialize(
        self, value: Any, attr: Any, data: Any, **kwargs: Any
    ) -> Mapping[str, tuple[JSONValue, ...] | None]:
        require(value, dict, "an object")
        return MappingProxyType({name: candidates(given) for name, given in value.items()})


def candidates(given: JSONValue) -> tuple[JSONValue, ...] | None:
    """The candidates that a value in `init` stands for; None for null."""
    if given is None:
        return None
    return tuple(given) if isinstance(given, list) else (given,)
