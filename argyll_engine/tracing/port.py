# SPDX-License-Identifier: Apache-2.0
"""What tracing asks of whatever sends spans, and a span as a value. The implementation is `otel.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from argyll_engine.tracing.ids import Place


class Kind(StrEnum):
    """What part a span has in a conversation."""

    INTERNAL = "internal"
    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Something that has ended. Times are nanoseconds since 1970; `error` is empty where it went well.

    `above` is None for the first span of a trace. `links` are related spans of other traces.
    """

    name: str
    place: Place
    above: Place | None
    start_ns: int
    end_ns: int
    kind: Kind = Kind.INTERNAL
    attributes: Mapping[str, str | int] = field(default_factory=lambda: MappingProxyType({}))
    links: tuple[Place, ...] = ()
    error: str = ""


class Traces(Protocol):
    """Takes spans. No method raises: what is traced matters more than its trace."""

    def send(self, spans: Sequence[Span]) -> None:
        """Send spans on, some time soon."""

    def flags(self, trace_id: int) -> int:
        """The flags of a trace that begins here: whether it is recorded at all."""
