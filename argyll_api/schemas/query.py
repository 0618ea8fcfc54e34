# SPDX-License-Identifier: Apache-2.0
"""JSON of a flow query to FlowQuery. Called by `routes/flows.py`. Source: the contract, http §1.7."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from argyll_api.schemas.fields import Integer, Text, TextMap, Texts
from argyll_api.schemas.shape import Shape, load
from argyll_engine.codec import cursor_from_text
from argyll_engine.errors import InvalidRequestError
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import JSONValue, is_valid_prefix
from argyll_engine.model.listing import MAX_QUERY_LIMIT, FlowQuery, Sort


class QueryShape(Shape):
    """A query as it is posted; nothing is mandatory."""

    id_prefix = Text(load_default="")
    labels = TextMap(load_default=MappingProxyType({}))
    statuses = Texts(load_default=())
    limit = Integer(load_default=0)
    sort = Text(load_default="")
    cursor = Text(load_default="")


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
