# SPDX-License-Identifier: Apache-2.0
"""The flow indexes of several shards as one. A list is whole or not given: a shard that is away has flows too."""

from msgspec.structs import replace

from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID
from argyll_engine.model.listing import FlowItem, FlowPage, FlowQuery, FlowStanding, Sort
from argyll_engine.store.paging import Row, cut_page
from argyll_engine.store.sharded.shards import Shards

_MS = 1_000


class ShardedFlowIndex:
    """Implements `ports.FlowIndex` over shards."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def standing(self, flow_id: FlowID) -> FlowStanding | None:
        """The indexed status; None for an unknown flow. Raises StoreUnavailableError."""
        ((_, standing),) = self._shards.look(
            [flow_id], lambda shard, _: [shard.index.standing(flow_id)], lambda found: found is not None
        )
        return standing

    def query(self, query: FlowQuery) -> FlowPage:
        """One page of root flows: what comes next on any shard, in the order of all. Raises StoreUnavailableError.

        Each shard gives one row more than a page holds, so that the page of all knows whether it is the last.
        """
        wanted = replace(query, limit=query.limit + 1 if query.limit else 0)
        pages = self._shards.all(lambda shard: shard.index.query(wanted))
        rows = [Row(item.id, FlowStatus(item.status), _ms(item)) for page in pages for item in page.items]
        return cut_page(rows, query, sum(page.total for page in pages))

    def all_flows(self) -> tuple[FlowItem, ...]:
        """Every root flow: active ones first, then newest first. Raises StoreUnavailableError."""
        return self.query(FlowQuery(sort=Sort.RECENT_DESC)).items


def _ms(item: FlowItem) -> int:
    return round(item.at.timestamp() * _MS)
