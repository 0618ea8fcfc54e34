# SPDX-License-Identifier: Apache-2.0
"""Who executes what and what is held back on several shards, as one. Leases of a flow are on the flow's shard, where
the workers take them too; others are on the first."""

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from typing import Final

from argyll_engine.model.ids import FlowID, StepID, Token
from argyll_engine.store.sharded.shards import Number, Shard, Shards

OF_A_FLOW: Final = ":flow:"
"""In the name of a lease: what follows is the id of the flow that it is about."""


class ShardedWorkLeases:
    """Implements `ports.WorkLeases` over shards. Every method raises StoreUnavailableError."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def refresh_worker(self, worker_id: str, until_ms: int) -> None:
        """Say everywhere that a worker lives."""
        self._shards.all(lambda shard: shard.leases.refresh_worker(worker_id, until_ms))

    def retire_worker(self, worker_id: str) -> None:
        """Say everywhere that a worker has stopped."""
        self._shards.all(lambda shard: shard.leases.retire_worker(worker_id))

    def held(self, flow_id: FlowID, now_ms: int) -> frozenset[Token]:
        """Tokens of the flow that a live worker executes, or whose child flow was started."""
        return self._shards.one(self._number(flow_id), lambda shard: shard.leases.held(flow_id, now_ms))

    def accept(self, flow_id: FlowID, token: Token) -> None:
        """A child flow was started."""
        self._shards.one(self._number(flow_id), lambda shard: shard.leases.accept(flow_id, token))

    def due_flows(self, now_ms: int, limit: int) -> tuple[FlowID, ...]:
        """Flows that are due by now, at most `limit`; those of each shard longest overdue first."""
        found = self._shards.all(lambda shard: shard.leases.due_flows(now_ms, limit))
        return tuple(flow_id for flow_ids in found for flow_id in flow_ids)[:limit]

    def postpone(self, until_ms: Mapping[FlowID, int]) -> None:
        """Look at these flows again later."""
        shares: dict[Number, dict[FlowID, int]] = defaultdict(dict)
        for number, (flow_id, at_ms) in zip(self._shards.locate(list(until_ms)), until_ms.items(), strict=True):
            shares[number][flow_id] = at_ms
        for number, share in shares.items():
            self._shards.one(number, partial(_postpone_on, share))

    def acquire_lease(self, name: str, owner: str, ttl_ms: int) -> bool:
        """Whether `owner` now holds the named lease."""
        return self._shards.one(self._keeper(name), lambda shard: shard.leases.acquire_lease(name, owner, ttl_ms))

    def release_lease(self, name: str, owner: str) -> None:
        """End a lease, if `owner` still holds it."""
        self._shards.one(self._keeper(name), lambda shard: shard.leases.release_lease(name, owner))

    def _number(self, flow_id: FlowID) -> Number:
        (number,) = self._shards.locate([flow_id])
        return number

    def _keeper(self, name: str) -> Number:
        _, is_of_a_flow, flow_id = name.partition(OF_A_FLOW)
        return self._number(FlowID(flow_id)) if is_of_a_flow else 0


class ShardedHeldFlows:
    """Implements `ports.HeldFlows` over shards. Every method raises StoreUnavailableError."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def add(self, step_id: StepID, flow_id: FlowID) -> None:
        """Note that a flow waits for a step."""
        (number,) = self._shards.locate([flow_id])
        self._shards.one(number, lambda shard: shard.held.add(step_id, flow_id))

    def take(self, step_id: StepID, limit: int) -> tuple[FlowID, ...]:
        """Some of the flows that wait for a step, which wait no longer."""
        taken: tuple[FlowID, ...] = ()
        for number in range(len(self._shards)):
            if len(taken) < limit:
                taken += self._shards.one(number, partial(_take_from, step_id, limit - len(taken)))
        return taken

    def steps(self) -> tuple[StepID, ...]:
        """The steps that flows wait for, perhaps some more."""
        found = self._shards.all(lambda shard: shard.held.steps())
        return tuple(sorted({step_id for steps in found for step_id in steps}))


def _postpone_on(until_ms: Mapping[FlowID, int], shard: Shard) -> None:
    shard.leases.postpone(until_ms)


def _take_from(step_id: StepID, limit: int, shard: Shard) -> tuple[FlowID, ...]:
    return shard.held.take(step_id, limit)
