# SPDX-License-Identifier: Apache-2.0
"""The description of the API: for machines at `/openapi.json`, for people at `/docs`. Both are made once a process."""

from typing import Final

from flask import Blueprint, Response

from argyll_api.answers import JSON_TYPE
from argyll_api.openapi.operation import HTML, Answer, describes
from argyll_api.openapi.page import described

blueprint: Final = Blueprint("document", __name__)


@blueprint.get("/openapi.json")
@describes({200: Answer(form={"type": "object"}, says="An OpenAPI 3.1 document.")}, asks_store=False)
def get_document() -> Response:
    """The document of this API."""
    return Response(described().document, content_type=JSON_TYPE)


@blueprint.get("/docs")
@describes({200: Answer(form=str, says="A page that needs nothing else.", media=HTML)}, asks_store=False)
def get_page() -> Response:
    """The same as a page."""
    return Response(described().page, content_type=f"{HTML}; charset=utf-8")
