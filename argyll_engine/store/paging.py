# SPDX-License-Identifier: Apache-2.0
"""The order of the flow list and the cutting of pages, shared by both flow indexes. Pure; only they call it.

Source: the contract, http §1.7.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, TypeAlias

from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID
from argyll_engine.model.listing import Cursor, FlowItem, FlowPage, FlowQuery, Sort

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_Place: TypeAlias = tuple[int, int, str]


class Row(NamedTuple):
    """A root flow in the index: its status, and since when (Unix ms)."""

    id: FlowID
    status: FlowStatus
    at_ms: int


def group_of(status: FlowStatus) -> int:
    """The group of a status: active flows come before all others."""
    return 0 if status is FlowStatus.ACTIVE else 1


def wanted_statuses(query: FlowQuery) -> tuple[FlowStatus, ...]:
    """The statuses that a query asks for, each once."""
    return tuple(status for status in FlowStatus if not query.statuses or status in query.statuses)


def cut_page(rows: Iterable[Row], query: FlowQuery, total: int) -> FlowPage:
    """The page of a query.

    Args:
        rows: What matches the filters, in any order; of many at least the `limit + 1` that come next.
        query: Its sort, cursor and limit are applied here, its filters are not.
        total: How many match in all.
    """
    place = _place_by(query.sort)
    ordered = sorted((row for row in rows if _follows(place(row), query)), key=place)
    if not query.limit or len(ordered) <= query.limit:
        return FlowPage(items=tuple(map(_item, ordered)), total=total)
    shown = ordered[: query.limit]
    last = shown[-1]
    cursor = Cursor(id=last.id, group=group_of(last.status), recent_ms=last.at_ms)
    return FlowPage(items=tuple(map(_item, shown)), total=total, next_cursor=cursor)


def _place_by(sort: Sort) -> Callable[[Row], _Place]:
    sign = -1 if sort is Sort.RECENT_DESC else 1
    return lambda row: (group_of(row.status), sign * row.at_ms, row.id)


def _follows(place: _Place, query: FlowQuery) -> bool:
    cursor = query.cursor
    if cursor is None:
        return True
    sign = -1 if query.sort is Sort.RECENT_DESC else 1
    return place > (cursor.group, sign * cursor.recent_ms, cursor.id)


def _item(row: Row) -> FlowItem:
    return FlowItem(id=row.id, status=row.status, at=_EPOCH + timedelta(milliseconds=row.at_ms))
