# SPDX-License-Identifier: Apache-2.0
"""A stream as a store holds it, for stores and whoever copies them. What its events mean is read by `codec/`."""

from dataclasses import dataclass
from typing import Final

from argyll_engine.model.ids import StreamID

MARK_BYTES: Final = 42
"""Of the beginning of an encoded event, by which it is known: its time to the microsecond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStream:
    """All that is kept of a stream: its events from `first_sequence` on, encoded as stored.

    A `payload` is the projection that stands for the events before `covered`. An archived flow has a `digest` and no
    events; its `first_sequence` is how many it had.
    """

    stream_id: StreamID
    first_sequence: int
    events: tuple[bytes, ...]
    covered: int = 0
    payload: bytes | None = None
    digest: bytes | None = None
