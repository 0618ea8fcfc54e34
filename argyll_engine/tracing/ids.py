# SPDX-License-Identifier: Apache-2.0
"""Which trace and which span something belongs to. Pure: every process derives the same ids from the same names.

So nothing about traces is stored, a span may be sent by whichever process commits its end, and whoever knows a flow's
id can look its trace up. Sub-flows are part of the trace of the flow at their top.
"""

import hashlib
import re
from typing import Final

from msgspec import Struct

from argyll_engine.model.ids import CHILD_SEPARATOR, FlowID, StepID, Token, is_child, root_of

HEADER: Final = "traceparent"
SAMPLED: Final = 1

_TRACE_BYTES, _SPAN_BYTES = 16, 8
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
)


class Place(Struct, frozen=True):
    """A span as others refer to it: its trace and its own id, both positive integers, and its flags."""

    trace_id: int
    span_id: int
    flags: int = SAMPLED

    def header(self) -> str:
        """The value of `traceparent`. Source: W3C Trace Context, §3.2."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{self.flags:02x}"


def place_of_flow(flow_id: FlowID) -> Place:
    """The span of a flow."""
    return _place(flow_id, flow_id)


def place_of_step(flow_id: FlowID, step_id: StepID) -> Place:
    """The span of an execution."""
    return _place(flow_id, flow_id, step_id)


def place_of_work(flow_id: FlowID, step_id: StepID, token: Token, attempt: int) -> Place:
    """The span of one attempt of a work item."""
    return _place(flow_id, flow_id, step_id, token, str(attempt))


def place_of_call(flow_id: FlowID, step_id: StepID, token: Token, call: str) -> Place:
    """The span of one call of a service; `call` tells the calls of a work item apart."""
    return _place(flow_id, flow_id, step_id, token, "call", call)


def place_above(flow_id: FlowID) -> Place | None:
    """The span that a flow's own is part of: for a sub-flow the parent's step, else none."""
    if not is_child(flow_id):
        return None
    above, step_id, _token = flow_id.rsplit(CHILD_SEPARATOR, 2)
    return place_of_step(FlowID(above), StepID(step_id))


def trace_id_of(flow_id: FlowID) -> int:
    """The trace of a flow and of all flows below it."""
    return _number(_TRACE_BYTES, root_of(flow_id))


def parse_header(text: str) -> Place | None:
    """The span that a `traceparent` names; None for what is none. Source: W3C Trace Context, §3.2."""
    match = _TRACEPARENT.match(text.strip())
    if match is None:
        return None
    place = Place(int(match["trace"], 16), int(match["span"], 16), int(match["flags"], 16))
    return place if place.trace_id and place.span_id else None


def _place(flow_id: FlowID, *names: str) -> Place:
    return Place(trace_id_of(flow_id), _number(_SPAN_BYTES, *names))


def _number(size: int, *names: str) -> int:
    """A positive number that follows from names; zero is no valid id."""
    digest = hashlib.blake2b("\0".join(names).encode(), digest_size=size, person=b"argyll-trace").digest()
    return int.from_bytes(digest) or 1
