# SPDX-License-Identifier: Apache-2.0
"""Literals of a definition: JSON texts in `const.value` and `optional.default`, and what type they are of.

Called when a definition is checked, and by the decisions that need the value.
"""

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Never

from argyll_engine.model.attribute import Type
from argyll_engine.model.ids import JSONValue

WANTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        Type.STRING: "a JSON string",
        Type.NUMBER: "a JSON number",
        Type.BOOLEAN: "true or false",
        Type.OBJECT: "a JSON object",
        Type.ARRAY: "a JSON array",
        Type.NULL: "null",
        Type.ANY: "JSON",
    }
)
"""What a literal of each type must be, in words for error texts."""

_PYTHON_TYPES: Final[Mapping[str, tuple[type, ...]]] = MappingProxyType(
    {
        Type.STRING: (str,),
        Type.NUMBER: (int, float),
        Type.BOOLEAN: (bool,),
        Type.OBJECT: (dict,),
        Type.ARRAY: (list,),
        Type.NULL: (type(None),),
        Type.ANY: (object,),
    }
)


def parse_literal(text: str) -> JSONValue:
    """The value of a JSON text; half a surrogate pair in it becomes U+FFFD, so that it can be written again.

    Raises:
        ValueError: the text is not JSON, says NaN or Infinity, has a number beyond doubles, or nests too deep.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        if "\\u" not in text:
            return value
        whole = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return json.loads(whole)
    except RecursionError as exc:
        raise ValueError("nested too deep") from exc


def _refuse_constant(text: str) -> Never:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"number out of range: {text}")
    return value


def is_literal_of(text: str, kind: str) -> bool:
    """Whether a JSON text has a value of the type. Source: the contract, http §2.3 rules 17 and 22.

    Args:
        kind: a value of `Type`.
    """
    try:
        value = parse_literal(text)
    except ValueError:
        return False
    if isinstance(value, bool):  # for Python also an int, for JSON no number
        return kind in (Type.BOOLEAN, Type.ANY)
    return isinstance(value, _PYTHON_TYPES[kind])
