# SPDX-License-Identifier: Apache-2.0
"""What a given rate needs, from what each flow cost: cores, Redis shards, memory. Pure; called by `__main__.py`.

`python -m bench.sizing var/bench/figures.jsonl` prints the table again. It is arithmetic, not a measurement: costs are
taken to grow with the rate and no faster, and every part is planned to be busy for `BUSY` of the time, beyond which
waiting times grow.
"""

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import short

BUSY = 0.6
RATES = (100, 1_000, 6_000, 20_000)
PARTS: Mapping[str, tuple[str, ...]] = {"api": ("api",), "steps": ("steps",), "work": ("work",), "redis": ("redis",)}
"""Parts of a deployment, and how names of their processes begin."""

KINDS: Mapping[str, str] = {
    "one_step": "one script step",
    "batch": "the same, 100 starts a request",
    "chain": "five script steps",
    "http_step": "one HTTP step",
}
"""Rows whose costs are of whole flows, and what such a flow is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What one flow costs: milliseconds of processor time by part, and bytes in the memory and the file of Redis."""

    cpu_ms: Mapping[str, float]
    memory_bytes: float
    file_bytes: float

    @classmethod
    def of(cls, details: Mapping[str, Any]) -> "Costs":
        """The costs in the details of a measured row."""
        used: Mapping[str, float] = details["cpu_ms_per_flow"]
        cpu = {part: sum(ms for name, ms in used.items() if name.startswith(starts)) for part, starts in PARTS.items()}
        redis = details["redis_per_flow"]
        return cls(cpu_ms=cpu, memory_bytes=redis["memory_bytes"], file_bytes=redis["file_bytes"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a rate needs: cores by part, and how many Redis shards."""

    cores: Mapping[str, float]
    shards: int
    gigabytes_per_million: float


def needs(costs: Costs, rate: float) -> Needs:
    """For so many flows a second. A Redis uses one core, so a shard is added for each that would be full."""
    cores = {part: rate * ms / 1000 / BUSY for part, ms in costs.cpu_ms.items()}
    return Needs(
        cores=cores,
        shards=max(1, math.ceil(cores["redis"])),
        gigabytes_per_million=costs.memory_bytes * 1e6 / 1e9,
    )


def sizing_table(found: Mapping[str, Costs], rates: Sequence[float] = RATES) -> str:
    """For each kind of flow that was measured and each rate, in Markdown; empty when none was measured."""
    if not found:
        return ""
    lines = [
        "| a flow of | flows/s | API, cores | `steps`, cores | `work`, cores | Redis shards | GB a million flows |",
        "|---|---|---|---|---|---|---|",
    ]
    for row, costs in found.items():
        for rate in rates:
            wanted = needs(costs, rate)
            cores = " | ".join(_cores(wanted.cores[part]) for part in ("api", "steps", "work"))
            memory = short(wanted.gigabytes_per_million)
            lines.append(f"| {KINDS[row]} | {rate:,} | {cores} | {wanted.shards} | {memory} |")
    return "\n".join(lines)


def _cores(count: float) -> str:
    return f"{count:.0f}" if count >= 10 else f"{count:.1f}"


def measured_costs(lines: Iterable[str]) -> dict[str, Costs]:
    """Costs by row, from the lines of JSON that the bench writes; of the median repetition."""
    found = {}
    for line in lines:
        row = json.loads(line)
        repetitions = sorted(row.get("repetitions", ()), key=lambda one: one["value"])
        if row.get("row") in KINDS and repetitions:
            found[row["row"]] = Costs.of(repetitions[(len(repetitions) - 1) // 2]["details"])
    return found


if __name__ == "__main__":
    print(sizing_table(measured_costs(Path(sys.argv[1]).read_text().splitlines())))
