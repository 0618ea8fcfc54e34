# SPDX-License-Identifier: Apache-2.0
"""Work items of an execution: how many there are, which start next, and what their results amount to.

Source: the contract, execution §3.1, §3.2 and §3.8; X3 and X20.
"""

from collections.abc import Mapping
from datetime import datetime
from heapq import merge
from itertools import islice, product
from math import prod
from typing import Final

from argyll_engine.errors import TooManyWorkItemsError
from argyll_engine.model.flow import ExecutionState, WorkState, WorkStatus
from argyll_engine.model.ids import JSONValue, Name, Token
from argyll_engine.model.step import MAX_WORK_ITEMS, Step

MOST_OFFERED: Final = 256
"""Items of one step that may wait in queues at once: with thousands, flows that come later would wait for all."""

FIRST_ATTEMPT: Final = 1
"""The only attempt that may be answered with a remembered result. Source: the contract, execution §5."""


def expand(step: Step, inputs: Mapping[Name, JSONValue]) -> tuple[dict[Name, JSONValue], ...]:
    """The inputs that each work item has of its own, in item order: one item for each combination of elements.

    Inputs fan out by their inner name, nested in the order of the attribute names; one that is no array does not.

    Raises:
        TooManyWorkItemsError: there are more combinations than a step may have items.
    """
    names = fan_out_names(step, inputs)
    count = prod(len(inputs[name]) for name in names)
    if count > MAX_WORK_ITEMS:
        raise TooManyWorkItemsError(count, MAX_WORK_ITEMS)
    return tuple(dict(zip(names, elements, strict=True)) for elements in product(*(inputs[name] for name in names)))


def fan_out_names(step: Step, inputs: Mapping[Name, JSONValue]) -> tuple[Name, ...]:
    """Inner names of the inputs that a step fans out over."""
    fanned = (spec.inner_name(name) for name, spec in step.inputs() if spec.input_config.for_each)
    return tuple(name for name in fanned if isinstance(inputs.get(name), list))


def effective_inputs(ex: ExecutionState, item: WorkState) -> dict[Name, JSONValue]:
    """The arguments of one item: what the step was given, overlaid with what is the item's own."""
    return {**ex.inputs, **item.inputs}


def parallelism(step: Step) -> int:
    """How many items of the step may be active at once."""
    config = step.work_config
    return config.parallelism if config and config.parallelism > 0 else 1


def startable(step: Step, ex: ExecutionState, now: datetime) -> tuple[Token, ...]:
    """Tokens of the pending items that have a free slot now, in item order; of very many only the first."""
    items = ex.work_items
    retries = sorted((token for token in ex.retrying_items if is_due(items[token], now)), key=lambda t: items[t].index)
    fresh = (token for token, _ in items.fresh_items(ex.fresh_from))
    due = merge(retries, fresh, key=lambda t: items[t].index) if retries else fresh
    return tuple(islice(due, min(max(free_slots(step, ex), 0), MOST_OFFERED)))


def free_slots(step: Step, ex: ExecutionState) -> int:
    """How many more items of the step may be active."""
    return parallelism(step) - ex.active_count


def is_due(item: WorkState, now: datetime) -> bool:
    """Whether a pending item need not wait for its retry any more."""
    return item.status is WorkStatus.PENDING and (item.next_retry_at is None or item.next_retry_at <= now)


def aggregate(ex: ExecutionState) -> dict[str, JSONValue]:
    """The raw outputs of the step, once every item has succeeded.

    Of a single item its outputs as they are; of several, for each output a list of what the items gave, in item
    order, each beside the elements that the item stands for.
    """
    items = tuple(ex.work_items.states())
    if len(items) == 1:
        return dict(items[0].outputs or {})
    outputs: dict[str, JSONValue] = {}
    for item in items:
        for name, value in (item.outputs or {}).items():
            entry: dict[str, JSONValue] = {str(key): element for key, element in item.inputs.items()}
            outputs.setdefault(name, []).append(entry | {name: value})
    return outputs


def is_all_succeeded(ex: ExecutionState) -> bool:
    """Whether every item succeeded."""
    return ex.succeeded_count == len(ex.work_items)
