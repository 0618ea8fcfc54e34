# SPDX-License-Identifier: Apache-2.0
"""The flows that are measured: step definitions, and the requests that start them. No I/O here."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.load import post

Body = Mapping[str, Any]

FAN_OUT_PARALLELISM = 128
MAX_ITEMS = 10_000
CHAIN_STEPS = 5
_numbers = itertools.count(1)


def _required(**config: Any) -> Body:
    return {"role": "required", "required": config}


_OUTPUT: Body = {"role": "output"}


def script_step(step_id: str, text: str, attributes: Mapping[str, Body], **more: Any) -> Body:
    """A step whose work is a Lua script."""
    work = {"script": {"language": "lua", "script": text}}
    return {"id": step_id, "name": step_id, "type": "script", "attributes": attributes, **work, **more}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One kind of flow.

    `units` is how many steps (or items) one flow has, of which a figure counts each; `flows_per_request` above one
    starts them through the route that takes many.
    """

    name: str
    steps: tuple[Body, ...]
    goal: str
    init: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    units: int = 1
    flows_per_request: int = 1

    def body(self) -> dict[str, Any]:
        """The start of one more flow, whose id nobody has had."""
        return {"id": f"{self.name}-{next(_numbers)}", "goals": [self.goal], "init": dict(self.init)}

    def requests(self, flows: int) -> tuple[list[str], list[bytes]]:
        """Ids of so many flows, and the requests that start them."""
        bodies = [self.body() for _ in range(flows)]
        ids = [body["id"] for body in bodies]
        if self.flows_per_request == 1:
            return ids, [post("/engine/flow", body) for body in bodies]
        size = self.flows_per_request
        parts = [bodies[at : at + size] for at in range(0, flows, size)]
        return ids, [post("/engine/flows", {"flows": part}) for part in parts]


def one_step(flows_per_request: int = 1) -> Workload:
    """A flow of one script with one input and one output."""
    step = script_step("one", "return {doubled = number * 2}", {"number": _required(), "doubled": _OUTPUT})
    name = "one" if flows_per_request == 1 else "many"
    return Workload(name=name, steps=(step,), goal="one", init={"number": [21]}, flows_per_request=flows_per_request)


def chain(length: int = CHAIN_STEPS) -> Workload:
    """Scripts one after another, each fed by the one before."""
    names = [f"c{length}_{number:04}" for number in range(length + 1)]
    steps = tuple(
        script_step(
            f"link{length}-{number:04}", f"return {{{gives} = {takes} + 1}}", {takes: _required(), gives: _OUTPUT}
        )
        for number, (takes, gives) in enumerate(itertools.pairwise(names))
    )
    return Workload(name=f"chain{length}", steps=steps, goal=steps[-1]["id"], init={names[0]: [0]}, units=length)


def http_step(url: str) -> Workload:
    """A flow of one sync HTTP step."""
    specs = {"question": _required(), "answer": _OUTPUT}
    step = {"id": "call", "name": "call", "type": "sync", "attributes": specs, "http": {"endpoint": url}}
    return Workload(name="http", steps=(step,), goal="call", init={"question": [1]})


def fan_out(items: int) -> Workload:
    """One script over so many items, many of them at a time."""
    specs = {"item": _required(for_each=True), "twice": _OUTPUT}
    config = {"work_config": {"parallelism": FAN_OUT_PARALLELISM}}
    step = script_step("each", "return {twice = item * 2}", specs, **config)
    return Workload(name=f"fan{items}", steps=(step,), goal="each", init={"item": [list(range(items))]}, units=items)
