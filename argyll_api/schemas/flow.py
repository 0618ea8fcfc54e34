# SPDX-License-Identifier: Apache-2.0
"""JSON of a flow start to StartRequest, with the limits that hold before anything is planned.

Called by `routes/flows.py`. Source: the contract, http §1.7.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from marshmallow import post_load

from argyll_api.schemas.fields import Init, Text, TextMap, Texts
from argyll_api.schemas.shape import Shape, load, must
from argyll_engine.errors import InvalidRequestError
from argyll_engine.model.ids import MAX_FLOW_ID_BYTES, FlowID, JSONValue, StepID, sanitize
from argyll_engine.model.plan import InitArgs

MAX_GOALS: Final = 64
MAX_INIT_KEYS: Final = 128
MAX_LABELS: Final = 32
_ID: Final = f"Cleaned before it is used; then at most {MAX_FLOW_ID_BYTES} bytes."


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """A flow to be started; the id is sanitised."""

    flow_id: FlowID
    goals: tuple[StepID, ...]
    init: InitArgs
    labels: Mapping[str, str]


class StartShape(Shape):
    """A start as it is posted."""

    id = Text(load_default="", metadata=must(minLength=1, description=_ID))
    goals = Texts(load_default=(), metadata=must(minItems=1, maxItems=MAX_GOALS))
    init = Init(load_default=MappingProxyType({}), metadata={"maxProperties": MAX_INIT_KEYS})
    labels = TextMap(load_default=MappingProxyType({}), metadata={"maxProperties": MAX_LABELS})

    @post_load
    def build(self, members: dict[str, Any], **_: object) -> StartRequest:
        """The request, not yet held against the limits."""
        return StartRequest(flow_id=FlowID(sanitize(members.pop("id"))), **members)


_start: Final = StartShape()


def load_start(raw: Mapping[str, JSONValue]) -> StartRequest:
    """The start that a body asks for.

    Raises:
        InvalidJSONError: A member is of the wrong kind.
        InvalidRequestError: A limit is broken; the first one in the order of the contract.
    """
    start: StartRequest = load(_start, raw)
    _check(start)
    return start


def _check(start: StartRequest) -> None:
    size_bytes = len(start.flow_id.encode())
    faults = (
        (not start.flow_id, "flow ID empty"),
        (size_bytes > MAX_FLOW_ID_BYTES, f"flow ID too long: {size_bytes} bytes (max {MAX_FLOW_ID_BYTES})"),
        (not start.goals, "at least one goal step is required"),
        (len(start.goals) > MAX_GOALS, f"too many goals: {len(start.goals)} (max {MAX_GOALS})"),
        (len(start.init) > MAX_INIT_KEYS, f"too many init keys: {len(start.init)} (max {MAX_INIT_KEYS})"),
        (len(start.labels) > MAX_LABELS, f"too many labels: {len(start.labels)} (max {MAX_LABELS})"),
    )
    for broken, text in faults:
        if broken:
            raise InvalidRequestError(text)
