# SPDX-License-Identifier: Apache-2.0
"""The order of a plan's steps: providers before consumers, ties by id.

A consumer waits for names and a name for its providers: many of both cost their sum, not their product.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from heapq import heapify, heappop, heappush
from typing import TypeVar

from argyll_engine.model.ids import Name, StepID
from argyll_engine.plan.scope import Node

_T = TypeVar("_T", bound=str)


def plan_order(nodes: Collection[Node]) -> Iterator[StepID]:
    """The ids in plan order. Where steps feed each other in a ring, the first id of those left goes first."""
    by_id = {node.step.id: node for node in nodes}
    providers: defaultdict[Name, int] = defaultdict(int)
    for node in nodes:
        for name in node.outputs:
            providers[name] += 1
    consumers: defaultdict[Name, list[StepID]] = defaultdict(list)
    waiting: dict[StepID, int] = {}
    for node in nodes:
        awaited = [name for name, _ in node.inputs if name in providers]
        waiting[node.step.id] = len(awaited)
        for name in awaited:
            consumers[name].append(node.step.id)
    ready = [step_id for step_id, count in waiting.items() if not count]
    heapify(ready)
    rest = sorted(waiting, reverse=True)
    while waiting:
        step_id = heappop(ready) if ready else _first_left(rest, waiting)
        del waiting[step_id]
        yield step_id
        for name in _released(by_id[step_id].outputs, providers):
            for fed in _released(consumers[name], waiting):
                heappush(ready, fed)


def _first_left(rest: list[StepID], waiting: dict[StepID, int]) -> StepID:
    while rest[-1] not in waiting:
        rest.pop()
    return rest.pop()


def _released(items: Iterable[_T], waiting: dict[_T, int]) -> Iterator[_T]:
    """The items that waited for one thing more; those no longer waiting at all are passed over."""
    for item in items:
        if item in waiting:
            waiting[item] -= 1
            if not waiting[item]:
                yield item
