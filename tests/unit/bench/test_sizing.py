# SPDX-License-Identifier: Apache-2.0
"""From the cost of a flow to what a rate needs."""

import json
from typing import Any

import pytest

from bench.sizing import BUSY, Costs, measured_costs, needs, sizing_table

DETAILS: dict[str, Any] = {
    "cpu_ms_per_flow": {"api": 0.3, "steps1": 0.2, "steps2": 0.1, "work1": 0.06, "redis": 0.12, "up": 9.0, "load": 9.0},
    "redis_per_flow": {"memory_bytes": 5_000.0, "file_bytes": 4_000.0},
}


def test_costs_by_part() -> None:
    """Processes of one kind are one part; what a deployment does not have is left out."""
    costs = Costs.of(DETAILS)
    assert {"api": 0.3, "steps": pytest.approx(0.3), "work": 0.06, "redis": 0.12} == costs.cpu_ms
    assert (5_000.0, 4_000.0) == (costs.memory_bytes, costs.file_bytes)


@pytest.mark.parametrize(("rate", "shards"), [(100, 1), (5_000, 1), (5_001, 2), (10_001, 3)])
def test_shards(rate: float, shards: int) -> None:
    """One for each core of Redis that would be busy for longer than planned."""
    assert shards == needs(Costs.of(DETAILS), rate).shards


def test_cores_leave_room() -> None:
    """No part is planned to be busy all the time."""
    wanted = needs(Costs.of(DETAILS), 1_000)
    assert (pytest.approx(0.3 / BUSY), 5.0) == (wanted.cores["api"], wanted.gigabytes_per_million)


def test_costs_are_of_the_median_repetition() -> None:
    """Lines of other rows, and rows without repetitions, are passed over."""
    slow = {"value": 1.0, "details": DETAILS | {"cpu_ms_per_flow": {"api": 9.0}}}
    fast = {"value": 3.0, "details": DETAILS | {"cpu_ms_per_flow": {"api": 0.1}}}
    rows = [
        {"row": "chain", "repetitions": [fast, {"value": 2.0, "details": DETAILS}, slow]},
        {"row": "memory", "repetitions": [{"value": 1.0, "details": {}}]},
        {"row": "one_step", "repetitions": []},
        {"bench": "load", "share": 1.0},
    ]
    assert {"chain": Costs.of(DETAILS)} == measured_costs(map(json.dumps, rows))


def test_table() -> None:
    """A line for each kind and rate."""
    lines = sizing_table({"chain": Costs.of(DETAILS)}, rates=(1_000, 20_000)).splitlines()[2:]
    assert [
        "| five script steps | 1,000 | 0.5 | 0.5 | 0.1 | 1 | 5 |",
        "| five script steps | 20,000 | 10 | 10 | 2.0 | 4 | 5 |",
    ] == lines
    assert "" == sizing_table({})
