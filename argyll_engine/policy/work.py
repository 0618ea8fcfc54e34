# SPDX-License-Identifier: Apache-2.0
"""Work items of an execution: which start next, with which arguments, and what their results amount to.

Source: the contract, execution §3.1, §3.2 and §3.8. A step has exactly one item here; fanning out over arrays
(`for_each`) belongs in `expand`, and merging the results of several items in `aggregate`.
"""

from collections.abc import Mapping
from datetime import datetime
from itertools import islice

from argyll_engine.model.flow import ExecutionState, WorkState, WorkStatus
from argyll_engine.model.ids import JSONValue, Name, Token
from argyll_engine.model.step import Step


def expand(step: Step, inputs: Mapping[Name, JSONValue]) -> tuple[dict[Name, JSONValue], ...]:
    """The inputs that each work item has of its own, in item order."""
    return ({},)


def effective_inputs(ex: ExecutionState, item: WorkState) -> dict[Name, JSONValue]:
    """The arguments of one item: what the step was given, overlaid with what is the item's own."""
    return {**ex.inputs, **item.inputs}


def parallelism(step: Step) -> int:
    """How many items of the step may be active at once."""
    config = step.work_config
    return config.parallelism if config and config.parallelism > 0 else 1


def startable(step: Step, ex: ExecutionState, now: datetime) -> tuple[Token, ...]:
    """Tokens of the pending items that have a free slot now, in item order."""
    free = free_slots(step, ex)
    due = (token for token, item in ex.work_items.items() if is_due(item, now))
    return tuple(islice(due, max(free, 0)))


def free_slots(step: Step, ex: ExecutionState) -> int:
    """How many more items of the step may be active."""
    return parallelism(step) - sum(item.status is WorkStatus.ACTIVE for item in ex.work_items.values())


def is_due(item: WorkState, now: datetime) -> bool:
    """Whether a pending item need not wait for its retry any more."""
    return item.status is WorkStatus.PENDING and (item.next_retry_at is None or item.next_retry_at <= now)


def aggregate(ex: ExecutionState) -> dict[str, JSONValue]:
    """The raw outputs of the step, once every item has succeeded."""
    outputs: dict[str, JSONValue] = {}
    for item in ex.work_items.values():
        outputs.update(item.outputs or {})
    return outputs


def is_all_succeeded(ex: ExecutionState) -> bool:
    """Whether every item succeeded."""
    return all(item.status is WorkStatus.SUCCEEDED for item in ex.work_items.values())
