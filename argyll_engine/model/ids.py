# SPDX-License-Identifier: Apache-2.0
"""Names of things: typed ids and the syntax they are held to. Nothing here generates an id (facts do)."""

import re
from typing import Any, Final, NewType, TypeAlias

FlowID = NewType("FlowID", str)
StepID = NewType("StepID", str)
Name = NewType("Name", str)
"""Name of an attribute of a flow (its outer name) or of an argument of a step (its inner name)."""
Token = NewType("Token", str)
"""Receipt token of one work item; the same through all its retries."""
NodeID = NewType("NodeID", str)

StreamID: TypeAlias = tuple[str, ...]
"""Path of an aggregate: ("catalog",), ("cluster",) or ("flow", flow_id)."""

JSONValue: TypeAlias = Any
"""Anything JSON can say: None, bool, int (exact), float (finite), str, list, dict with str keys."""

CATALOG_STREAM: Final[StreamID] = ("catalog",)
CLUSTER_STREAM: Final[StreamID] = ("cluster",)

MAX_FLOW_ID_BYTES: Final = 256
CHILD_SEPARATOR: Final = ":"
CANARY_PREFIX: Final = ":canary:"
"""What the ids of canary flows begin with; no other id begins so, and lists take them for children: they have none."""

PREFIX_CHARACTERS: Final = r"[A-Za-z0-9_.\-+ ]"
"""What may stand in the prefix of an id, as a class of a regular expression."""

_DROPPED = re.compile(r"[^A-Za-z0-9_.\-+ ]")
_PREFIX = re.compile(f"{PREFIX_CHARACTERS}*")


def flow_stream(flow_id: str) -> StreamID:
    """The stream of one flow."""
    return ("flow", flow_id)


def sanitize(raw: str) -> str:
    """The id that a user's text stands for: lower case, foreign characters dropped, spaces as hyphens.

    Hyphens at either end are cut off; the result may be empty.
    Source: the contract, http §1.3.
    """
    return _DROPPED.sub("", raw.lower()).replace(" ", "-").strip("-")


def is_valid_prefix(prefix: str) -> bool:
    """Whether a text can be the beginning of an id in a query."""
    return _PREFIX.fullmatch(prefix) is not None


def child_flow_id(flow_id: FlowID, step_id: StepID, token: Token) -> FlowID:
    """The id of the flow that a work item of a flow step starts. Source: the contract, execution §6."""
    return FlowID(CHILD_SEPARATOR.join((flow_id, step_id, token)))


def is_child(flow_id: str) -> bool:
    """Whether a flow was started by a flow step; only the engine makes such ids."""
    return CHILD_SEPARATOR in flow_id


def root_of(flow_id: FlowID) -> FlowID:
    """The flow at the top of a flow's ancestry; a root flow itself."""
    return FlowID(flow_id.partition(CHILD_SEPARATOR)[0])


def is_canary(flow_id: str) -> bool:
    """Whether a flow was started by a probe, to see that flows run; nobody else is to see it."""
    return flow_id.startswith(CANARY_PREFIX)
