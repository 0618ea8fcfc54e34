# SPDX-License-Identifier: Apache-2.0
"""JSON of a flow query to FlowQuery. Called by `routes/flows.py`. Source: the contract, http §1.7."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from argyll_api.schemas.fields import Flag, Integer, Text, TextMap, Texts
from argyll_api.schemas.shape import Shape, load, one_of
from argyll_engine.codec import cursor_from_text
from argyll_engine.errors import InvalidRequestError
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import PREFIX_CHARACTERS, JSONValue, is_valid_prefix
from argyll_engine.model.listing import MAX_QUERY_LIMIT, FlowQuery, Sort

_FILLED: Final = {"additionalProperties": {"type": "string", "minLength": 1}, "propertyNames": {"minLength": 1}}


class QueryShape(Shape):
    """A query as it is posted; nothing is mandatory."""

    id_prefix = Text(load_default="", metadata={"pattern": f"^{PREFIX_CHARACTERS}*$"})
    labels = TextMap(load_default=MappingProxyType({}), metadata=_FILLED)
    statuses = Texts(load_default=(), metadata={"items": {"enum": [*FlowStatus]}})
    limit = Integer(load_default=0, metadata={"minimum": 0, "maximum": MAX_QUERY_LIMIT, "description": "0 for all."})
    sort = Text(load_default="", metadata=one_of(*Sort))
    cursor = Text(load_default="", metadata={"description": "`next_cursor` of the page before."})
    archived = Flag(
        load_default=None, metadata={"description": "True: archived flows only; false: none of them; absent: all."}
    )


_query: Final = QueryShape()


def load_query(raw: Mapping[str, JSONValue]) -> FlowQuery:
    """The query that a body asks for.

    Raises:
        InvalidJSONError: A member is of the wrong kind.
        InvalidRequestError: A member breaks its rule; the first one in the order of the contract.
    """
    given: dict[str, Any] = load(_query, raw)
    _check(given)
    return FlowQuery(
        id_prefix=given["id_prefix"],
        labels=given["labels"],
        statuses=tuple(FlowStatus(status) for status in given["statuses"]),
        limit=given["limit"],
        sort=Sort(given["sort"] or Sort.RECENT_ASC),
        cursor=cursor_from_text(given["cursor"]) if given["cursor"] else None,
        archived=given["archived"],
    )


def _check(given: Mapping[str, Any]) -> None:
    faults = (
        (not is_valid_prefix(given["id_prefix"]), "Invalid ID prefix"),
        (not 0 <= given["limit"] <= MAX_QUERY_LIMIT, f"Limit must be between 0 and {MAX_QUERY_LIMIT}"),
        (given["sort"] not in ("", *Sort), "Invalid sort"),
        (not all(name and value for name, value in given["labels"].items()), "Invalid labels"),
        (not set(given["statuses"]) <= set(FlowStatus), "Invalid statuses"),
    )
    for broken, text in faults:
        if broken:
            raise InvalidRequestError(text)
