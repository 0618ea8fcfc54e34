# SPDX-License-Identifier: Apache-2.0
"""The flow index on Redis: statuses, lists and queries as of the last commit. Only reads; commits write it.

A flow is in the set of exactly one status, so whatever reads all sets in one step sees it once. Without
filters on labels or ids a page costs what the page holds. With them the candidates come first, from keys that
a flow does not leave when its status changes, and then their places, for each candidate from all sets in one
step.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from redis import Redis

from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID
from argyll_engine.model.listing import FlowItem, FlowPage, FlowQuery, Sort
from argyll_engine.store.connect import translated
from argyll_engine.store.keys import Keys
from argyll_engine.store.paging import Row, cut_page, group_of, wanted_statuses
from argyll_engine.store.scripts import ScriptCall, ScriptRunner, read_script

SCAN_COUNT: Final = 5_000
SCORES_AT_ONCE: Final = 2_000
_STATUSES: Final = tuple(FlowStatus)
_GLOB: Final = re.compile(r"([\\*?\[\]^])")


class RedisFlowIndex:
    """Implements `ports.FlowIndex`; `prefix` is that of the flow store."""

    def __init__(self, client: Redis, prefix: str, *, store_name: str = "flow") -> None:
        self._client, self._name, self._keys = client, store_name, Keys(prefix)
        self._scripts = ScriptRunner(client, store_name)
        self._page = read_script("page")

    def status(self, flow_id: FlowID) -> FlowStatus | None:
        """The indexed status; None for an unknown flow. Raises StoreUnavailableError."""
        with translated(self._name):
            status: Any = self._client.hget(self._keys.statuses(), flow_id)
        return None if status is None else FlowStatus(status.decode())

    def query(self, query: FlowQuery) -> FlowPage:
        """One page of root flows. Raises StoreUnavailableError."""
        if not query.labels and not query.id_prefix:
            return self._page_of_all(query)
        with translated(self._name):
            candidates = self._labelled(query) if query.labels else self._scanned(query.id_prefix)
            wanted = wanted_statuses(query)
            rows = [row for row in self._placed(candidates) if row.status in wanted]
        return cut_page(rows, query, len(rows))

    def all_flows(self) -> tuple[FlowItem, ...]:
        """Every root flow: active ones first, then newest first. Raises StoreUnavailableError."""
        return self.query(FlowQuery(sort=Sort.RECENT_DESC)).items

    def _page_of_all(self, query: FlowQuery) -> FlowPage:
        statuses, cursor = wanted_statuses(query), query.cursor
        args: list[str | int] = [
            int(query.sort is Sort.RECENT_DESC),
            query.limit + 1 if query.limit else 0,
            cursor.recent_ms if cursor else 0,
            cursor.id if cursor else "",
            *(_part(status, query) for status in statuses),
        ]
        call = ScriptCall(self._page, [self._keys.status(status) for status in statuses], args)
        (answer,) = self._scripts.run([call])
        rows = [row for status, (_, found) in zip(statuses, answer, strict=True) for row in _rows(status, found)]
        return cut_page(rows, query, sum(size for size, _ in answer))

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

    def _placed(self, flow_ids: Sequence[FlowID]) -> Iterator[Row]:
        """The rows of these flows; children have none."""
        for first in range(0, len(flow_ids), SCORES_AT_ONCE):
            some: list[str] = [*flow_ids[first : first + SCORES_AT_ONCE]]
            pipeline = self._client.pipeline(transaction=True)
            for status in _STATUSES:
                pipeline.zmscore(self._keys.status(status), some)
            for status, scores in zip(_STATUSES, pipeline.execute(), strict=True):
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
