# SPDX-License-Identifier: Apache-2.0
"""JSON Schemas of request bodies, made from the shapes that read them. Reads no body.

A kind of member has one row; what a shape says of a single member is in the metadata of its field: JSON Schema words,
and `mandatory`. Members that are not mandatory may be null, which counts as absent. Used by `document.py`.
"""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final, TypeAlias

from marshmallow import Schema, fields

from argyll_api.schemas.attribute import Attributes, AttributeShape
from argyll_api.schemas.fields import MAX_INTEGER, MIN_INTEGER, Flag, Init, Integer, Text, TextMap, Texts
from argyll_api.schemas.shape import MANDATORY, Part, Shape

JSONSchema: TypeAlias = dict[str, Any]
Components: TypeAlias = MutableMapping[str, JSONSchema]

REFERENCE: Final = "#/components/schemas/{name}"


def schema_of(shape: type[Shape], components: Components) -> JSONSchema:
    """A reference to the schema of a body; it and all its parts are added to the components."""
    return _reference(shape(), components)


def _reference(shape: Schema, components: Components) -> JSONSchema:
    name = type(shape).__name__.removesuffix("Shape") + "Request"
    if name not in components:
        components[name] = {}  # so that a shape may have itself as a part
        components[name] |= _object(shape, components)
    return {"$ref": REFERENCE.format(name=name)}


def _object(shape: Schema, components: Components) -> JSONSchema:
    members = {name: _member(field, components) for name, field in shape.fields.items()}
    mandatory = [name for name, field in shape.fields.items() if field.metadata.get(MANDATORY)]
    out: JSONSchema = {"type": "object", "description": (type(shape).__doc__ or "").strip(), "properties": members}
    return out | ({"required": mandatory} if mandatory else {})


def _member(field: fields.Field[Any], components: Components) -> JSONSchema:
    build = next((_KINDS[cls] for cls in type(field).__mro__ if cls in _KINDS), _anything)
    schema = build(field, components) | {word: value for word, value in field.metadata.items() if word != MANDATORY}
    return schema if field.metadata.get(MANDATORY) else _or_null(schema)


def _or_null(schema: JSONSchema) -> JSONSchema:
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return schema | ({"type": [schema["type"], "null"]} if "type" in schema else {})


def _anything(_field: fields.Field[Any], _components: Components) -> JSONSchema:
    return {}


def _fixed(**words: Any) -> Callable[[Any, Components], JSONSchema]:
    return lambda _field, _components: dict(words)


def _part(field: Any, components: Components) -> JSONSchema:
    return _reference(field.schema, components)


def _attributes(_field: Any, components: Components) -> JSONSchema:
    return {"type": "object", "additionalProperties": _reference(AttributeShape(), components)}


_TEXT_OR_NULL: Final = {"type": ["string", "null"]}
_KINDS: Final[Mapping[type, Callable[[Any, Components], JSONSchema]]] = {
    Text: _fixed(type="string"),
    Flag: _fixed(type="boolean"),
    Integer: _fixed(type="integer", format="int64", minimum=MIN_INTEGER, maximum=MAX_INTEGER),
    Texts: _fixed(type="array", items=_TEXT_OR_NULL),
    TextMap: _fixed(type="object", additionalProperties=_TEXT_OR_NULL),
    Init: _fixed(type="object", description="Per attribute a list of candidate values; anything else is the only one."),
    Attributes: _attributes,
    Part: _part,
}
