# SPDX-License-Identifier: Apache-2.0
"""What holds for every request: CORS, preflights, HEAD, unknown routes, trailing slashes. Knows no route by name.

Source: the contract, http §1.2.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from flask import Flask, Response, request
from flask.globals import request_ctx
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing.exceptions import WebsocketMismatch

from argyll_api.answers import empty_answer, error_answer, text_answer
from argyll_api.request_id import HEADER as REQUEST_ID
from argyll_api.request_id import request_id

CORS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, OPTIONS",
        "Access-Control-Allow-Headers": "Content-Type, Authorization",
    }
)

_PATH_CHARACTERS: Final = "/:@!$&'()*+,;=~"  # RFC 3986 §3.3: need no escape in a path


def install(app: Flask) -> None:
    """Gives an application these hooks."""
    app.before_request(_answer_without_route)
    app.after_request(_allow_any_origin)
    app.after_request(_name_request)
    app.register_error_handler(NotFound, _unknown_route)
    app.register_error_handler(MethodNotAllowed, _unknown_route)
    app.register_error_handler(WebsocketMismatch, _no_socket)
    app.register_error_handler(HTTPException, _bad_request)


def _answer_without_route() -> Response | None:
    """Preflights succeed anywhere; HEAD is served nowhere."""
    if request.method == "OPTIONS":
        return empty_answer()
    if request.method == "HEAD":
        return _no_page()
    return None


def _allow_any_origin(response: Response) -> Response:
    for name, value in CORS.items():
        response.headers[name] = value
    return response


def _name_request(response: Response) -> Response:
    response.headers[REQUEST_ID] = request_id()
    return response


def _unknown_route(_error: HTTPException) -> Response:
    """Text for an unknown path or method, or the way to the same path without its last slash."""
    path = request.path.removesuffix("/")
    adapter = request_ctx.url_adapter
    if path == request.path or adapter is None or not adapter.test(path, request.method):
        return _no_page()
    query = request.query_string.decode("latin-1")
    response = empty_answer(301 if request.method == "GET" else 307)
    response.headers["Location"] = quote(path, safe=_PATH_CHARACTERS) + (f"?{query}" if query else "")
    return response


def _bad_request(error: HTTPException) -> Response:
    """What the HTTP layer itself refuses, such as a body that breaks off."""
    return error_answer(error.code or 500, error.description or error.name)


def _no_socket(_error: HTTPException) -> Response:
    """An upgrade that reached the routes, where no socket is served."""
    return text_answer(400, "Bad Request: no WebSocket is served here")


def _no_page() -> Response:
    return text_answer(404, "404 page not found")
