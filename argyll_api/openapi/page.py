# SPDX-License-Identifier: Apache-2.0
"""The document and its page as bytes, made at the first request of a process and kept with its application.

The look is `argyll_api/templates/docs.html`, which refers to no other host. Called by `routes/document.py`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from flask import current_app, render_template

from argyll_api.current import config
from argyll_api.openapi.document import build_document
from argyll_api.openapi.shapes import JSONSchema
from argyll_engine.codec import encode

_KEY: Final = "argyll.openapi"


@dataclass(frozen=True, slots=True)
class Described:
    """The two forms of the description."""

    document: bytes
    page: bytes


def described() -> Described:
    """The description of the current application. Two threads at once may both make it, and make the same."""
    found: Described | None = current_app.extensions.get(_KEY)
    if found is None:
        document = build_document(current_app, config())
        found = current_app.extensions[_KEY] = Described(encode(document), _page(document).encode())
    return found


def _page(document: JSONSchema) -> str:
    return render_template(
        "docs.html",
        document=document,
        operations=list(_operations(document)),
        refs=_references,
        words=_words,
        pretty=lambda value: json.dumps(value, indent=2, ensure_ascii=False),
    )


def _operations(document: JSONSchema) -> Iterator[dict[str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield {**operation, "path": path, "method": method.upper()}


def _references(schema: Any) -> list[str]:
    """Names of the components that a schema refers to, itself or in its parts."""
    if isinstance(schema, dict):
        own = [schema["$ref"].rpartition("/")[2]] if "$ref" in schema else []
        return list(dict.fromkeys(own + [name for part in schema.values() for name in _references(part)]))
    return [name for part in schema for name in _references(part)] if isinstance(schema, list) else []


def _words(schema: JSONSchema) -> str:
    """What kind of value a schema wants, in a few words without its references."""
    if "anyOf" in schema:
        return " or ".join(filter(None, map(_words, schema["anyOf"])))
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    kinds = schema.get("type", "" if "$ref" in schema else "any")
    text = " or ".join(kinds) if isinstance(kinds, list) else kinds
    inner = schema.get("items") or schema.get("additionalProperties")
    return f"{text} of {_words(inner)}".removesuffix(" of ") if inner else str(text)
