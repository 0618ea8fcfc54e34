# SPDX-License-Identifier: Apache-2.0
"""JSON bytes and times, the ground that the other codecs stand on.

msgspec keeps integers exact at any size and refuses what JSON cannot say.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import msgspec

ZERO_TIME: Final = "0001-01-01T00:00:00Z"
"""A time that is not set; the field is there all the same. Source: the contract, http §1.2."""


def _plain(value: Any) -> Any:
    """The plain form of a read-only mapping, the one container of the model that msgspec does not know."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


_encoder = msgspec.json.Encoder(enc_hook=_plain)
_decoder = msgspec.json.Decoder()


def encode(value: Any) -> bytes:
    """The JSON bytes of plain values (dict, list, tuple, str, int, float, bool, None), and of structs of such."""
    return _encoder.encode(value)


def decode(raw: bytes) -> Any:
    """The plain values of JSON bytes; integers exact. Raises msgspec.DecodeError."""
    return _decoder.decode(raw)


@lru_cache(maxsize=64)  # all events of a commit have one time
def time_to_json(at: datetime | None) -> str:
    """RFC 3339 in UTC with microseconds; the zero time for None."""
    if at is None:
        return ZERO_TIME
    return at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def time_from_json(text: str) -> datetime | None:
    """The instant of an RFC 3339 text; None for the zero time."""
    return None if text == ZERO_TIME else datetime.fromisoformat(text)


def milliseconds(at: datetime) -> int:
    """Unix milliseconds of an instant."""
    return int(at.timestamp() * 1000)
