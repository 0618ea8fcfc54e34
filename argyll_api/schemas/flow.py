# SPDX-License-Identifier: Apache-2.0
"""JSON of flow starts to `Start`, with the limits that hold before anything is planned.

Called by `routes/flows.py`. Source: the contract, http §1.7.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from marshmallow import fields, post_load

from argyll_api.body import as_object
from argyll_api.schemas.fields import Init, Text, TextMap, Texts, candidates, require
from argyll_api.schemas.shape import Shape, load, must
from argyll_engine.errors import ArgyllError, InvalidRequestError
from argyll_engine.model.ids import MAX_FLOW_ID_BYTES, FlowID, JSONValue, sanitize
from argyll_engine.model.start import Start

MAX_GOALS: Final = 64
MAX_INIT_KEYS: Final = 128
MAX_LABELS: Final = 32
MAX_STARTS: Final = 1_000
"""Flows that one request may start. Source: ours; the contract knows single starts only."""

_ANY_START: Final = {
    "description": "A start as it is posted alone. A faulty one does not stop the others.",
    "anyOf": [{"$ref": "#/components/schemas/StartRequest"}, {}],
}
_ID: Final = f"Cleaned before it is used; then at most {MAX_FLOW_ID_BYTES} bytes."


class StartShape(Shape):
    """A start as it is posted."""

    id = Text(load_default="", metadata=must(minLength=1, description=_ID))
    goals = Texts(load_default=(), metadata=must(minItems=1, maxItems=MAX_GOALS))
    init = Init(load_default=MappingProxyType({}), metadata={"maxProperties": MAX_INIT_KEYS})
    labels = TextMap(load_default=MappingProxyType({}), metadata={"maxProperties": MAX_LABELS})

    @post_load
    def build(self, members: dict[str, Any], **_: object) -> Start:
        """The start, not yet held against the limits."""
        return Start(flow_id=FlowID(sanitize(members.pop("id"))), **members)


class Anything(fields.Field[tuple[JSONValue, ...]]):
    """A list of whatever JSON can say."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> tuple[JSONValue, ...]:
        require(value, list, "a list")
        return tuple(value)


class StartBatchShape(Shape):
    """Many starts as they are posted; a faulty one is that one's fault alone."""

    flows = Anything(load_default=(), metadata=must(minItems=1, maxItems=MAX_STARTS, items=_ANY_START))


_PLAIN: Final[Mapping[str, JSONValue]] = MappingProxyType({"id": None, "goals": None, "init": {}, "labels": {}})
_start: Final = StartShape()
_batch: Final = StartBatchShape()


def load_start(raw: Mapping[str, JSONValue]) -> Start:
    """The start that a body asks for.

    Raises:
        InvalidJSONError: A member is of the wrong kind.
        InvalidRequestError: A limit is broken; the first one in the order of the contract.
    """
    start = _plain_start(raw) or load(_start, raw)
    _check(start)
    return start


def _plain_start(raw: Mapping[str, JSONValue]) -> Start | None:
    """What the shape makes of a body whose members are all spelled and typed as they should be, in a tenth of its time.

    None for any other body, for the shape to read.
    """
    flow_id, goals, init, labels = (raw.get(name, default) for name, default in _PLAIN.items())
    if not (
        isinstance(flow_id, str) and isinstance(goals, list) and isinstance(init, dict) and isinstance(labels, dict)
    ):
        return None
    if not (raw.keys() <= _PLAIN.keys() and all(isinstance(text, str) for text in (*goals, *labels.values()))):
        return None
    given = MappingProxyType({name: candidates(value) for name, value in init.items()})
    return Start(flow_id=FlowID(sanitize(flow_id)), goals=tuple(goals), init=given, labels=MappingProxyType(labels))


def load_starts(raw: Mapping[str, JSONValue]) -> list[Start | ArgyllError]:
    """The starts that a body asks for, in order; in place of a faulty one what `load_start` raises for it.

    Raises:
        InvalidJSONError: There is no list.
        InvalidRequestError: It is empty or too long.
    """
    asked = load(_batch, raw)["flows"]
    if not asked:
        raise InvalidRequestError("at least one flow is required")
    if len(asked) > MAX_STARTS:
        raise InvalidRequestError(f"too many flows: {len(asked)} (max {MAX_STARTS})")
    return [_start_or_fault(value) for value in asked]


def _start_or_fault(value: JSONValue) -> Start | ArgyllError:
    try:
        return load_start(as_object(value))
    except ArgyllError as exc:
        return exc


def _check(start: Start) -> None:
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
