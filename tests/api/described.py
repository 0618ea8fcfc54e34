# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document as tests hold answers against it: which operation a request is, and what its answers may be."""

import re
from typing import Any

from jsonschema import Draft202012Validator


class Description:
    """An OpenAPI document.

    Args:
        document: As it is served.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.operations = {
            (method.upper(), path): operation
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        }

    def operation(self, method: str, path: str) -> dict[str, Any]:
        """The operation of a request; one without parameters in its path beats one with."""
        for known, template in sorted(self.operations, key=lambda key: key[1].count("{")):
            pattern = re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(template))
            if known == method and re.fullmatch(pattern, path):
                return self.operations[known, template]
        raise AssertionError(f"no operation: {method} {path}")

    def fault(self, method: str, path: str, status: int, content_type: str, body: Any) -> str:
        """What is wrong with an answer by the document, or an empty text. `body` is decoded where it is JSON."""
        answer = self.operation(method, path)["responses"].get(str(status))
        if answer is None:
            return f"{method} {path}: status {status} is not documented"
        contents = answer.get("content", {})
        if not contents:
            return "" if body in (b"", None) else f"{method} {path}: a body where none is documented"
        media = content_type.partition(";")[0]
        if media not in contents:
            return f"{method} {path}: {status} with {media} is not documented"
        return self.mismatch(contents[media]["schema"], body) if "json" in media else ""

    def mismatch(self, schema: dict[str, Any], value: Any) -> str:
        """Where a value breaks a schema of the document first, or an empty text."""
        whole = {**schema, "components": self.document["components"]}
        error = next(Draft202012Validator(whole).iter_errors(value), None)
        return "" if error is None else f"{error.json_path}: {error.message}"

    def media_types(self):
        """(operation id, media type object) of every body and answer."""
        for operation in self.operations.values():
            for part in (operation.get("requestBody", {}), *operation["responses"].values()):
                for content in part.get("content", {}).values():
                    yield operation["operationId"], content

    def closed(self) -> "Description":
        """The same with schemas that want every member and take no other, in all that is answered."""
        schemas = {
            name: schema if name.endswith("Request") or "properties" not in schema else _closed(schema)
            for name, schema in self.document["components"]["schemas"].items()
        }
        return Description({**self.document, "components": {"schemas": schemas}})


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "additionalProperties": False, "required": list(schema["properties"])}
