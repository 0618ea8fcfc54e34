# SPDX-License-Identifier: Apache-2.0
"""The forms of event logs, made from the event classes of the engine and its table of codecs. Reads no event.

Members are called on the wire as in the class, but for units in names; one with a default may be absent.
Used by routes and by `document.py` beside this file. Source: the contract, http §1.5 and §1.11.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args, get_origin, get_type_hints

import msgspec
import msgspec.structs

from argyll_api.openapi.answers import Archived, Count, ExecutionPlan, Step, Time
from argyll_engine.codec.events import CODECS
from argyll_engine.model import plan, step
from argyll_engine.model.events import CATALOG_EVENTS, CLUSTER_EVENTS, FLOW_EVENTS, Event

_WIRE_TYPES: Final[Mapping[Any, Any]] = {plan.ExecutionPlan: ExecutionPlan, step.Step: Step}


def log_of(name: str, classes: Sequence[type[Event]], *, may_be_archived: bool = False) -> type[msgspec.Struct]:
    """The form of an event log in which events of these classes are."""
    forms = tuple(_envelope(cls) for cls in classes)
    archived = [("archived", Archived | msgspec.UnsetType, msgspec.UNSET)] if may_be_archived else []
    return msgspec.defstruct(
        name,
        [("events", list[_one_of(forms)]), ("count", Count), *archived],  # type: ignore[misc]  # made of what the table has
        namespace={"__doc__": "An event log, oldest first."},
    )


def _one_of(forms: Sequence[type[msgspec.Struct]]) -> Any:
    union: Any = forms[0]
    for form in forms[1:]:
        union |= form
    return union


def _envelope(cls: type[Event]) -> type[msgspec.Struct]:
    """The form of an event: its place in the log, and what happened. The type tells the forms apart."""
    return msgspec.defstruct(
        f"{cls.__name__}Event",
        [("sequence", Count), ("timestamp", Time), ("aggregate_id", list[str]), ("data", _members(cls))],
        tag=CODECS[cls].name,
        namespace={"__doc__": _first_line(cls)},
    )


def _members(cls: type[Event]) -> type[msgspec.Struct]:
    hints = get_type_hints(cls)
    required = [
        (_wire_name(member.name), _wire_type(hints[member.name]))
        for member in msgspec.structs.fields(cls)
        if not _has_default(member)
    ]
    optional = [
        (_wire_name(member.name), _wire_type(hints[member.name]) | msgspec.UnsetType, msgspec.UNSET)
        for member in msgspec.structs.fields(cls)
        if _has_default(member)
    ]
    return msgspec.defstruct(cls.__name__, [*required, *optional], namespace={"__doc__": _first_line(cls)})


def _has_default(member: msgspec.structs.FieldInfo) -> bool:
    return not member.required


def _wire_name(name: str) -> str:
    return name.removesuffix("_ms")


def _wire_type(hint: Any) -> Any:
    if hint.__class__ is type and hint.__name__ == "datetime":
        return Time
    if get_origin(hint) is Mapping or get_origin(hint) is dict:
        return dict[str, _wire_type(get_args(hint)[1])]  # type: ignore[misc]  # a type at run time
    return _WIRE_TYPES.get(hint, hint)


def _first_line(cls: type) -> str:
    return (cls.__doc__ or "").partition("\n")[0]


FlowLog: Final = log_of("FlowLog", FLOW_EVENTS, may_be_archived=True)
CatalogLog: Final = log_of("CatalogLog", CATALOG_EVENTS)
ClusterLog: Final = log_of("ClusterLog", CLUSTER_EVENTS)
