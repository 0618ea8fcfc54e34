# SPDX-License-Identifier: Apache-2.0
"""What can be asked of the flow index and what it answers. Source: the contract, http §1.7 and execution §9.6."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID

MAX_QUERY_LIMIT: Final = 1_000


class Sort(StrEnum):
    """Order within a group; active flows always come before the others, ties go by id ascending."""

    RECENT_ASC = "recent_asc"
    RECENT_DESC = "recent_desc"


class Cursor(Struct, frozen=True, kw_only=True):
    """Place of a row in the order: group 0 is active, 1 the rest; `recent_ms` is its timestamp in Unix ms."""

    id: FlowID
    group: int
    recent_ms: int


class FlowQuery(Struct, frozen=True, kw_only=True):
    """Filters are joined by AND; empty ones do not filter. `limit` of 0 means all. Children are never listed.

    `archived` True asks for archived flows only, False for the others.
    """

    id_prefix: str = ""
    labels: Mapping[str, str] = MappingProxyType({})
    statuses: tuple[FlowStatus, ...] = ()
    limit: int = 0
    sort: Sort = Sort.RECENT_ASC
    cursor: Cursor | None = None
    archived: bool | None = None


class FlowItem(Struct, frozen=True, kw_only=True):
    """One row; `status` is the indexed one, which stays `active` until the flow is deactivated, set at `at`."""

    id: FlowID
    status: FlowStatus
    at: datetime


class FlowStanding(Struct, frozen=True, kw_only=True):
    """What the index says of one flow, children too: the indexed status, and whether the flow is archived."""

    status: FlowStatus
    is_archived: bool = False


class FlowPage(Struct, frozen=True, kw_only=True):
    """Rows in order; `total` counts all matches whatever cursor and limit say; `next_cursor` where more follow."""

    items: tuple[FlowItem, ...]
    total: int
    next_cursor: Cursor | None = None
