# SPDX-License-Identifier: Apache-2.0
"""Cursors of the flow query as opaque text. Source: the contract, http §1.7."""

import base64
import binascii

import msgspec

from argyll_engine.codec.wire import decode, encode
from argyll_engine.errors import InvalidRequestError
from argyll_engine.model.ids import FlowID
from argyll_engine.model.listing import Cursor

_NANOSECONDS = 1_000_000  # in a millisecond


def cursor_to_text(cursor: Cursor) -> str:
    """Unpadded base64url of the row's id, group and timestamp in Unix nanoseconds."""
    row = {"id": cursor.id, "group": cursor.group, "recent": cursor.recent_ms * _NANOSECONDS}
    return base64.urlsafe_b64encode(encode(row)).rstrip(b"=").decode()


def cursor_from_text(text: str) -> Cursor:
    """The cursor that a text stands for. Raises InvalidRequestError."""
    try:
        row = decode(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, msgspec.DecodeError, UnicodeError, ValueError) as exc:
        raise InvalidRequestError(f"invalid flow cursor: {text!r} was not given out by this API") from exc
    match row:
        case {"id": str(flow_id), "group": 0 | 1 as group, "recent": int(recent)}:
            return Cursor(id=FlowID(flow_id), group=int(group), recent_ms=recent // _NANOSECONDS)
    raise InvalidRequestError(f"invalid flow cursor: {text!r} was not given out by this API")
