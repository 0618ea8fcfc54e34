# SPDX-License-Identifier: Apache-2.0
"""The forms that an answer can have: JSON, an event log, plain text, nothing. What is in them is `codec`'s.

Source: the contract, http §1.2.
"""

from collections.abc import Sequence
from typing import Any, Final

from flask import Response

from argyll_engine.codec import encode

JSON_TYPE: Final = "application/json; charset=utf-8"
TEXT_TYPE: Final = "text/plain; charset=utf-8"


def json_answer(value: Any, status: int = 200) -> Response:
    """Plain values as JSON. (`Any`: whatever JSON can say.)"""
    return Response(encode(value), status, content_type=JSON_TYPE)


def error_answer(status: int, text: str, **more: int) -> Response:
    """The one shape of every error: the text, the status once more, and for some what else is known."""
    return json_answer({"error": text, "status": status, **more}, status)


def started_to_json(flow_id: str) -> dict[str, str]:
    """What a start is answered with."""
    return {"message": "", "flow_id": flow_id}


def events_answer(events: Sequence[bytes], *, is_archived: bool = False) -> Response:
    """An event log, joined from the stored envelopes without reading them; one from the archive says so."""
    end = b',"archived":true}' if is_archived else b"}"
    body = b'{"events":[' + b",".join(events) + b'],"count":' + str(len(events)).encode() + end
    return Response(body, content_type=JSON_TYPE)


def text_answer(status: int, text: str) -> Response:
    """Plain text, for what is no part of the API: unknown routes and a socket that is none."""
    return Response(text, status, content_type=TEXT_TYPE)


def empty_answer(status: int = 200) -> Response:
    """A status with neither body nor content type."""
    response = Response(status=status)
    del response.headers["Content-Type"]
    return response
