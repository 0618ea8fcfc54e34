# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI 3.1 document of an application: every route that it has, with what the views say of themselves.

Routes come from Flask, texts from docstrings, bodies from the shapes, statuses of errors from `errors.py`, limits from
the configuration. Called by `routes/document.py`, once a process. Source: the OpenAPI specification 3.1.
"""

import importlib.metadata
import re
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import msgspec
from flask import Flask
from werkzeug.routing import Rule

from argyll_api.config import ApiConfig
from argyll_api.errors import row_for
from argyll_api.openapi import answers
from argyll_api.openapi.operation import JSON, PLAIN, Answer, Body, Operation, operation_of
from argyll_api.openapi.shapes import REFERENCE, Components, JSONSchema, schema_of
from argyll_api.schemas.shape import Shape
from argyll_engine.errors import ArgyllError, InvalidJSONError, TransientError

OPENAPI_VERSION: Final = "3.1.0"
TITLE: Final = "Argyll"
ABOUT: Final = """Durable, goal-driven flows.

- Bodies are read as JSON whatever their content type; only webhooks look at it. Unknown members are ignored, names of
  members ignore case, null counts as absent, and what follows the first value is not read.
- Every error has a JSON body with `error` and `status`. Unknown paths and methods are 404 in plain text.
- A path with a `/` too many at its end is redirected: 301 for GET, 307 otherwise.
- Every answer allows all origins; OPTIONS is answered 200 anywhere.
- Times are RFC 3339; a time that is not set is `0001-01-01T00:00:00Z`.
- What is no HTTP at all, or has a head that is too large, is refused by the server with 400 or 431 in plain text.
"""

_UNLISTED: Final = frozenset({"HEAD", "OPTIONS"})
_ARGUMENT: Final = re.compile(r"<(?:[^<>]*:)?([^<>]*)>")
_PATH_TEXTS: Final[Mapping[str, str]] = {
    "flow_id": "Id of a flow, exactly as it is stored.",
    "step_id": "Id of a step, exactly as it is stored; an update cleans it as it cleans the id in the body.",
    "token": "Token of a work item.",
}
_NO_ROUTE: Final = "An id with a `/` in it is no route."


def build_document(app: Flask, config: ApiConfig) -> JSONSchema:
    """The document, as plain values."""
    return _Writer(app, asdict(config)).document()


@dataclass(slots=True)
class _Writer:
    """One document in the making; `components` grows with whatever is referred to."""

    app: Flask
    limits: Mapping[str, int]
    components: Components = field(default_factory=dict)

    def document(self) -> JSONSchema:
        """The whole, with its parts in an order that depends on nothing but the routes."""
        paths: dict[str, JSONSchema] = defaultdict(dict)
        for rule in self.app.url_map.iter_rules():
            for method in sorted((rule.methods or set()) - _UNLISTED):
                paths[_ARGUMENT.sub(r"{\1}", rule.rule)][method.lower()] = self._operation(rule)
        return {
            "openapi": OPENAPI_VERSION,
            "info": {
                "title": TITLE,
                "version": importlib.metadata.version("argyll"),
                "description": ABOUT,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": "/"}],
            "tags": [{"name": name, "description": _about(blueprint)} for name, blueprint in self._blueprints()],
            "paths": dict(paths),
            "components": {"schemas": dict(sorted(self.components.items()))},
        }

    def _blueprints(self) -> list[tuple[str, str]]:
        return [(name, blueprint.import_name) for name, blueprint in self.app.blueprints.items()]

    def _operation(self, rule: Rule) -> JSONSchema:
        view = self.app.view_functions[rule.endpoint]
        blueprint, _, name = rule.endpoint.rpartition(".")
        says = operation_of(view)
        out: JSONSchema = {
            "operationId": name + ("_slash" if rule.rule.endswith("/") else ""),
            "summary": name.replace("_", " ").capitalize(),
            "description": (view.__doc__ or "").strip(),
            "tags": [blueprint],
            "parameters": [*(_path_parameter(name) for name in _ARGUMENT.findall(rule.rule)), *says.parameters],
            "responses": self._responses(says, blueprint, bool(rule.arguments)),
        }
        return out | ({"requestBody": self._body(says.body)} if says.body else {})

    # ---- bodies ----

    def _body(self, body: Body) -> JSONSchema:
        limit = self.limits[body.limit]
        contents = {JSON: (body.shape, body.example), **body.other}
        return {
            "required": body.required,
            "description": f"At most {limit:,} bytes.",
            "x-max-bytes": limit,
            "content": {media: self._content(form, example) for media, (form, example) in contents.items()},
        }

    def _content(self, form: Any, example: Any) -> JSONSchema:
        schema = self._schema(form)
        if isinstance(form, type) and issubclass(form, Shape) and "required" not in self.components[_name(schema)]:
            schema = {"anyOf": [schema, {"type": "null"}]}  # null is an empty object, and that is fine here
        return {"schema": schema} | ({"example": example} if example is not None else {})

    def _schema(self, form: Any) -> JSONSchema:
        """A schema as it is, or a reference to that of a shape or a type."""
        if isinstance(form, Mapping):
            return dict(form)
        if isinstance(form, type) and issubclass(form, Shape):
            return schema_of(form, self.components)
        (schema,), components = msgspec.json.schema_components([form], ref_template=REFERENCE)
        for name, component in components.items():
            self.components[name] = _tidy(component)
        return schema

    # ---- answers ----

    def _responses(self, says: Operation, blueprint: str, has_arguments: bool) -> JSONSchema:
        out = {str(status): self._answer(answer) for status, answer in sorted(says.answers.items())}
        for status, classes in sorted(_errors(says, blueprint).items()):
            out[str(status)] = self._error(status, classes)
        if has_arguments:
            out.setdefault("404", {"description": _NO_ROUTE, "content": {}})
            out["404"]["content"][PLAIN] = {"schema": {"type": "string"}, "example": "404 page not found"}
        return dict(sorted(out.items()))

    def _answer(self, answer: Answer) -> JSONSchema:
        out: JSONSchema = {"description": answer.says or "Done."}
        if answer.headers:
            texts = answer.headers.items()
            out["headers"] = {name: {"description": text, "schema": {"type": "string"}} for name, text in texts}
        if answer.form is not None:
            out["content"] = {answer.media: self._content(answer.form, answer.example)}
        return out

    def _error(self, status: int, classes: list[type[ArgyllError]]) -> JSONSchema:
        reasons = list(dict.fromkeys(_reason(cls) for cls in classes))
        text = reasons[0] if len(reasons) == 1 else "\n".join(f"- {reason}" for reason in reasons)
        out: JSONSchema = {"description": text, "content": {JSON: {"schema": self._schema(answers.Error)}}}
        if any(issubclass(cls, TransientError) for cls in classes):
            says = {"description": "Seconds after which to come back.", "schema": {"type": "integer", "minimum": 0}}
            out["headers"] = {"Retry-After": says}
        return out


def _errors(says: Operation, blueprint: str) -> Mapping[int, list[type[ArgyllError]]]:
    """Status → the classes that it is answered for: the view's own, and those of what it does."""
    classes: list[type[ArgyllError]] = [InvalidJSONError] if says.body else []
    classes += says.errors
    classes += [ArgyllError, TransientError] if says.asks_store else []
    found: dict[int, list[type[ArgyllError]]] = defaultdict(list)
    for cls in classes:
        found[row_for(cls, blueprint).status].append(cls)
    return found


def _reason(cls: type[ArgyllError]) -> str:
    """What an error stands for, in the first sentence of its docstring; the root stands for what nobody foresaw."""
    if cls is ArgyllError:
        return "A fault of the engine, which its log explains."
    return _sentence(cls.__doc__)


def _path_parameter(name: str) -> JSONSchema:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": _PATH_TEXTS.get(name, ""),
        "schema": {"type": "string", "minLength": 1, "pattern": "^[^/]+$"},
    }


def _about(import_name: str) -> str:
    """The first sentence of a module's docstring."""
    return _sentence(sys.modules[import_name].__doc__)


def _sentence(docstring: str | None) -> str:
    """The first one."""
    return re.split(r"(?<=\.)\s", (docstring or "").strip(), maxsplit=1)[0].replace("\n", " ")


def _name(schema: JSONSchema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _tidy(component: JSONSchema) -> JSONSchema:
    """A component without the indentation that docstrings have."""
    text = component.get("description", "")
    return component | ({"description": re.sub(r"\n +", "\n", text)} if text else {})
