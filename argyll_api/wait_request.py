# SPDX-License-Identifier: Apache-2.0
"""How long the current request wants to wait for the end of what it starts: `?wait=` or `Prefer: wait=`.

It only reads and leaves a note. The server waits when the request is answered (`asgi.py`); one that cannot answers at
once, which is what a client gets anyway when the time is over.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from flask import request

from argyll_api.current import config
from argyll_api.waits import WAIT_KEY, Wait
from argyll_engine.durations import NANOSECONDS_PER_SECOND, parse_duration_ns
from argyll_engine.errors import InvalidRequestError
from argyll_engine.model.ids import FlowID

_SECONDS: Final = re.compile(r"[0-9]{1,18}(\.[0-9]{1,9})?", re.ASCII)
_SECONDS_OR_DURATION: Final = r"^([0-9]{1,6}(\.[0-9]{1,3})?|([0-9]{1,6}(\.[0-9]{1,3})?(ns|us|ms|s|m|h))+)$"
_PREFERENCE: Final = re.compile(r'\s*wait\s*=\s*(?:"([^"]*)"|([^\s;,"]+))\s*(?:;.*)?', re.IGNORECASE)

WAIT_PARAMETERS: Final[tuple[Mapping[str, Any], ...]] = (
    {
        "name": "wait",
        "in": "query",
        "description": "How long to wait for the end of the flow, at most: a duration such as `30s`, or plain seconds.",
        "schema": {"type": "string", "pattern": _SECONDS_OR_DURATION},
        "example": "30s",
    },
    {
        "name": "Prefer",
        "in": "header",
        "description": "`wait=30` asks for the same in seconds (RFC 7240); `?wait=` wins, and faults are ignored.",
        "schema": {"type": "string"},
        "example": "wait=30",
    },
)
"""The same for the documents of the API."""

APPLIED: Final[Mapping[str, str]] = {"Preference-Applied": "With the header `Prefer`: how long it was waited at most."}
"""The header of an answer that came late by preference."""


class Waiting:
    """What a request says of waiting; made before anything is stored, so that a fault refuses the request whole.

    Raises:
        InvalidRequestError: `?wait=` is no duration, or a negative one.

    Source: RFC 7240 §4.3 for the header, whose faults are to be ignored (§2).
    """

    def __init__(self) -> None:
        text = request.args.get("wait")
        self._is_preferred = text is None
        self._seconds = _preferred() if text is None else _bounded(text)

    def for_end_of(self, flow_id: FlowID) -> None:
        """Leave the note that this flow's end is waited for."""
        if not self._seconds:
            return
        applied = (b"preference-applied", f"wait={self._seconds:g}".encode())
        headers = (applied,) if self._is_preferred else ()
        request.environ[WAIT_KEY] = Wait(flow_id=flow_id, seconds=self._seconds, headers=headers)


def _preferred() -> float:
    """Seconds by the first `wait` among the preferences; 0 without one that can be understood."""
    for preference in request.headers.get("Prefer", "").split(","):
        if match := _PREFERENCE.fullmatch(preference):
            try:
                return _bounded(match[1] or match[2] or "")
            except InvalidRequestError:
                return 0.0
    return 0.0


def _bounded(text: str) -> float:
    """Seconds of a duration, or of a plain number of seconds; no more than may be waited.

    Raises:
        InvalidRequestError: It is neither.
    """
    try:
        seconds = float(text) if _SECONDS.fullmatch(text) else parse_duration_ns(text) / NANOSECONDS_PER_SECOND
    except ValueError as exc:
        raise InvalidRequestError(f"invalid wait: {text!r} is no duration such as 30s or 1m30s") from exc
    if seconds < 0:
        raise InvalidRequestError(f"invalid wait: {text!r} is negative")
    return min(seconds, config().max_wait_seconds)
