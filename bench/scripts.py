# SPDX-License-Identifier: Apache-2.0
"""Scripts a second in one process, for each language beside plain Python doing the same.

`python -m bench.scripts [--seconds S] [--rounds R]`. Scripts are compiled beforehand; a run is what a step pays: values
in, script, values out, limits and all. `conversion` is a script that gives back its argument. Python does the same
work on the same JSON values, without a sandbox. Each cell is the best of some rounds, which take turns so that a busy
machine troubles all alike; one JSON line a cell follows the table.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.model.ids import Name
from argyll_engine.scripting import ScriptRegistry

ITEMS = 1_000
OPERANDS = 20
NAMES = [f"a{n:02}" for n in range(OPERANDS)]
BATCH_SECONDS = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One piece of work: its inputs, its text in each language, and the same in Python."""

    name: str
    inputs: Mapping[str, Any]
    python: Callable[[Mapping[str, Any]], Any]
    ale: str
    lua: str
    jpath: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The best time of one task in one language, in microseconds a run."""

    task: str
    language: str
    microseconds: float
    scripts_per_second: int
    times_python: float


def _pipeline(inputs: Mapping[str, Any]) -> Any:
    total = 0
    for value in map(lambda item: item * 3, filter(lambda item: item % 2 == 0, inputs["items"])):  # noqa: C417 -- as the others
        total += value
    return {"total": total}


def _text(inputs: Mapping[str, Any]) -> Any:
    text = ""
    for number in range(inputs["count"]):
        text = text + inputs["word"] + str(number)
    return {"text": text}


TASKS = (
    Task(
        name="conversion",
        inputs={"amount": 21},
        python=lambda inputs: {"result": inputs["amount"]},
        ale="amount",
        lua="return amount",
    ),
    Task(
        name="trivial map",
        inputs={"amount": 21},
        python=lambda inputs: {"result": inputs["amount"] * 2},
        ale="{:result (* amount 2)}",
        lua="return {result = amount * 2}",
        jpath="$.amount",
    ),
    Task(
        name="20 arguments",
        inputs={name: place for place, name in enumerate(NAMES)},
        python=lambda inputs: {"result": sum(inputs[name] for name in NAMES)},
        ale=f"{{:result (+ {' '.join(NAMES)})}}",
        lua=f"return {{result = {' + '.join(NAMES)}}}",
    ),
    Task(
        name="1,000 items",
        inputs={"items": list(range(ITEMS))},
        python=_pipeline,
        ale="{:total (fold-left + 0 (map (lambda (item) (* item 3)) (filter even? items)))}",
        lua="local total = 0 for _, item in ipairs(items) do if item % 2 == 0 then total = total + item * 3 end end "
        "return {total = total}",
        jpath="$.items[?@ >= 500]",
    ),
    Task(
        name="string building",
        inputs={"word": "word", "count": 100},
        python=_text,
        ale='{:text (fold-left (lambda (text number) (str text word number)) "" (range count))}',
        lua="local text = '' for number = 0, count - 1 do text = text .. word .. number end return {text = text}",
        jpath="$.word",
    ),
)


def calls(task: Task, scripts: ScriptRegistry) -> dict[str, Callable[[], Any]]:
    """The task as a call without arguments, in Python and in each language."""
    inputs = {Name(name): value for name, value in task.inputs.items()}
    names = tuple(sorted(inputs))

    def script(language: str, text: str) -> Callable[[], Any]:
        config = ScriptConfig(language=language, script=text)
        if language == "jpath":
            return lambda: scripts.map_output(config, inputs)
        return lambda: scripts.run(config, names, inputs)

    found = {"python": lambda: task.python(task.inputs), "ale": script("ale", task.ale), "lua": script("lua", task.lua)}
    return found | ({"jpath": script("jpath", task.jpath)} if task.jpath else {})


def seconds_of(call: Callable[[], Any], seconds: float) -> float:
    """Processor time of one call, as the best batch of a period has it."""
    count, taken = 1, 0.0
    while taken < BATCH_SECONDS:
        count *= 2
        taken = _batch(call, count)
    best, stop_at = taken / count, time.monotonic() + seconds
    while time.monotonic() < stop_at:
        best = min(best, _batch(call, count) / count)
    return best


def _batch(call: Callable[[], Any], count: int) -> float:
    before = time.thread_time()
    for _ in range(count):
        call()
    return time.thread_time() - before


def measure(seconds: float, rounds: int) -> list[Cell]:
    """All cells; each language of a task is checked against Python first."""
    scripts = ScriptRegistry(timeout_ms=10_000, memory_mb=64)
    cells = []
    for task in TASKS:
        found = calls(task, scripts)
        for language in ("ale", "lua"):
            assert found["python"]() == found[language](), f"{task.name} in {language}: {found[language]()}"
        best = dict.fromkeys(found, float("inf"))
        for _ in range(rounds):
            for language, call in found.items():
                best[language] = min(best[language], seconds_of(call, seconds))
        cells += [
            Cell(
                task=task.name,
                language=language,
                microseconds=round(taken * 1e6, 2),
                scripts_per_second=round(1 / taken),
                times_python=round(taken / best["python"], 1),
            )
            for language, taken in best.items()
        ]
    return cells


def main() -> None:
    """Prints the table, then one JSON line a cell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each cell in each round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cells = measure(options.seconds, options.rounds)
    print(f"{'task':16} {'language':8} {'µs a run':>10} {'runs/s':>10} {'x Python':>9}")
    for cell in cells:
        print(
            f"{cell.task:16} {cell.language:8} {cell.microseconds:10.2f} {cell.scripts_per_second:10,} "
            f"{cell.times_python:9.1f}"
        )
    for cell in cells:
        print(json.dumps({"bench": "scripts", **asdict(cell)}))


if __name__ == "__main__":
    main()
