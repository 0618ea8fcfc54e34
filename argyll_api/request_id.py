# SPDX-License-Identifier: Apache-2.0
"""The id of a request: taken over from its sender or made here, given back with the answer, named in log lines.

`hooks.py` gives it back; `wsgi.py` gives `request_context` to the log.
"""

import logging
import os
import random
import re
from collections.abc import Mapping
from typing import Final

from flask import g, has_request_context, request

HEADER: Final = "X-Request-ID"
MAX_LENGTH: Final = 128

_SOUND: Final = re.compile(rf"[A-Za-z0-9._:/+=@-]{{1,{MAX_LENGTH}}}")
_NAMES: Final = ("flow_id", "step_id", "token")
_numbers: Final = random.Random()  # seeded by the system once; an id is no secret, and there is one a request
os.register_at_fork(after_in_child=_numbers.seed)


def request_id() -> str:
    """The id of the current request: the one it came with, if that is a plain word, else one of our own."""
    known: str | None = g.get("request_id")
    if known is None:
        known = g.request_id = id_for(request.headers.get(HEADER, ""))
    return known


def id_for(sent: str) -> str:
    """The id of a request that came with this one: the same if that is a plain word, else one of our own."""
    return sent if _SOUND.fullmatch(sent) else f"{_numbers.getrandbits(128):032x}"


def request_context(_record: logging.LogRecord) -> Mapping[str, object]:
    """The ids of the request that a line was written in, and those that its path names."""
    if not has_request_context():
        return {}
    named = request.view_args or {}
    return {"request_id": request_id(), **{name: named[name] for name in _NAMES if name in named}}
