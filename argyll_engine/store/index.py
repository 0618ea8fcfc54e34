# SPDX-License-Identifier: Apache-2.0
"""The flow index on Redis: statuses, lists and queries as of the last commit. Only reads; commits write it.

A flow is in the set of exactly one status, and archived ones are in sets of their own, so whatever reads all sets
in one step sees it once. Without filters on labels or ids a page costs what the page holds. With them the candidates
come first, from keys that a flow does not leave when its status changes, and then their places, for each candidate
from all sets in one step.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from redis import Redis

from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID, flow_stream
from argyll_engine.model.listing import FlowItem, FlowPage, FlowQuery, FlowStanding, Sort
from argyll_engine.store.connect import translated
from argyll_engine.store.keys import Keys
from argyll_engine.store.paging import Row, cut_page, group_of, wanted_statuses
from argyll_engine.store.scripts import ScriptCall, ScriptRunner, read_script

SCAN_COUNT: Final = 5_000
SCORES_AT_ONCE: Final = 2_000
_GLOB: Final = re.compile(r"([\\*?\[\]^])")


class RedisFlowIndex:
    """Implements `ports.FlowIndex`; `prefix` is that of the flow store."""

    def __init__(self, client: Redis, prefix: str, *, store_name: str = "flow") -> None:
        self._client, self._name, self._keys = client, store_name, Keys(prefix)
        self._scripts = ScriptRunner(client, store_name)
        self._page = read_script("page")

    def standing(self, flow_id: FlowID) -> FlowStanding | None:
        """Status, and whether it is archived; None for an unknown flow. Raises StoreUnavailableError."""
        with translated(self._name):
            pipeline = self._client.pipeline(transaction=False)
            pipeline.hget(self._keys.statuses(), flow_id)
            pipeline.hexists(self._keys.snapshot(flow_stream(flow_id)), "digest")
            status, is_archived = pipeline.execute()
        return (
            None if status is None else FlowStanding(status=FlowStatus(status.decode()), is_archived=bool(is_archived))
        )

    def query(self, query: FlowQuery) -> FlowPage:
        """One page of root flows. Raises StoreUnavailableError."""
        if not query.labels and not query.id_prefix:
            return self._page_of_all(query)
        with translated(self._name):
            candidates = self._labelled(query) if query.labels else self._scanned(query.id_prefix)
            rows = list(self._placed(candidates, self._ranks(query)))
        return cut_page(rows, query, len(rows))

    def all_flows(self) -> tuple[FlowItem, ...]:
        """Every root flow: active ones first, then newest first. Raises StoreUnavailableError."""
        return self.query(FlowQuery(sort=Sort.RECENT_DESC)).items

    def _page_of_all(self, query: FlowQuery) -> FlowPage:
        ranks, cursor = self._ranks(query), query.cursor
        args: list[str | int] = [
            int(query.sort is Sort.RECENT_DESC),
            query.limit + 1 if query.limit else 0,
            cursor.recent_ms if cursor else 0,
            cursor.id if cursor else "",
            *(_part(status, query) for status, _ in ranks),
        ]
        call = ScriptCall(self._page, [key for _, key in ranks], args)
        (answer,) = self._scripts.run([call])
        rows = [row for (status, _), (_, found) in zip(ranks, answer, strict=True) for row in _rows(status, found)]
        return cut_page(rows, query, sum(size for size, _ in answer))

    def _ranks(self, query: FlowQuery) -> list[tuple[FlowStatus, str]]:
        """Each sorted set that holds some of what a query asks for, with the status of its flows."""
        statuses = wanted_statuses(query)
        live = [(status, self._keys.status(status)) for status in statuses]
        archived = [(status, self._keys.archived(status)) for status in statuses if status is not FlowStatus.ACTIVE]
        return (live if query.archived is not True else []) + (archived if query.archived is not False else [])

    def _labelled(self, query: FlowQuery) -> list[FlowID]:
        sets = [self._keys.label(name, value) for name, value in query.labels.items()]
        found: Any = self._client.sinter(sets)
        flow_ids = (FlowID(flow_id.decode()) for flow_id in found)
        return [flow_id for flow_id in flow_ids if flow_id.startswith(query.id_prefix)]

    def _scanned(self, id_prefix: str) -> list[FlowID]:
        """Flows whose id begins so, children too. In steps, so that a million of them hold up nobody else."""
        pattern = _GLOB.sub(r"\\\1", id_prefix) + "*"
        found: Any = self._client.hscan_iter(self._keys.statuses(), pattern, SCAN_COUNT)
        return list({FlowID(flow_id.decode()) for flow_id, _ in found})

    def _placed(self, flow_ids: Sequence[FlowID], ranks: Sequence[tuple[FlowStatus, str]]) -> Iterator[Row]:
        """The rows of these flows in these sets; children have none."""
        for first in range(0, len(flow_ids), SCORES_AT_ONCE):
            some: list[str] = [*flow_ids[first : first + SCORES_AT_ONCE]]
            pipeline = self._client.pipeline(transaction=True)
            for _, key in ranks:
                pipeline.zmscore(key, some)
            for (status, _), scores in zip(ranks, pipeline.execute(), strict=True):
                for flow_id, score in zip(some, scores, strict=True):
                    if score is not None:
                        yield Row(FlowID(flow_id), status, int(score))


def _part(status: FlowStatus, query: FlowQuery) -> str:
    """Which rows of a status come after the cursor."""
    if query.cursor is None or group_of(status) > query.cursor.group:
        return "all"
    return "after" if group_of(status) == query.cursor.group else "skip"


def _rows(status: FlowStatus, found: Iterable[bytes]) -> Iterator[Row]:
    pairs = iter(found)
    for flow_id, score in zip(pairs, pairs, strict=True):
        yield Row(FlowID(flow_id.decode()), status, int(float(score)))
