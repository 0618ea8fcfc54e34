# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of the bench."""

import json

import pytest

from bench.figures import (
    BUDGET_OF,
    BUDGETS,
    MET_AIM,
    MET_MUST,
    MISSED,
    NOT_RUN,
    Measured,
    Row,
    growth_percent,
    percentile,
    ratio,
    rounded,
    table,
)


def _row(name: str, *values: float, b: float | None = None) -> Row:
    repetitions = tuple(Measured(value=value, b_before=b, b_after=b) for value in values)
    return Row(budget=BUDGET_OF[name], repetitions=repetitions)


@pytest.mark.parametrize(
    ("name", "value", "verdict"),
    [
        ("chain", 9.0, MET_AIM),
        ("chain", 8.9, MET_MUST),
        ("chain", 4.0, MET_MUST),
        ("chain", 3.9, MISSED),
        ("chain", None, NOT_RUN),
        ("latency", 1.5, MET_AIM),
        ("latency", 5.0, MET_MUST),
        ("latency", 5.1, MISSED),
    ],
)
def test_verdicts(name: str, value: float | None, verdict: str) -> None:
    """Rates in B must be high, all else must be low; the limits themselves count as met."""
    assert verdict == BUDGET_OF[name].verdict(value)


def test_aims_are_not_easier_than_musts() -> None:
    """A budget whose aim is met has its must met as well."""
    assert [] == [b.row for b in BUDGETS if (b.aim < b.must if b.in_b else b.aim > b.must)]


@pytest.mark.parametrize(
    ("before", "after", "wanted"), [(400.0, 600.0, 2.0), (500.0, 500.0, 2.0), (None, 500.0, None), (500.0, None, None)]
)
def test_ratio(before: float | None, after: float | None, wanted: float | None) -> None:
    """B is the mean of its measurements on both sides; without one there is no ratio."""
    assert wanted == ratio(1000.0, before, after)


def test_a_row_is_its_median() -> None:
    """Neither the best nor the worst repetition decides; ratios have a median of their own."""
    repetitions = (
        Measured(value=3000, b_before=500, b_after=500),  # 6.0
        Measured(value=1000, b_before=500, b_after=500),  # 2.0
        Measured(value=2400, b_before=1000, b_after=1000),  # 2.4
    )
    row = Row(budget=BUDGET_OF["chain"], repetitions=repetitions)
    assert (2400, 2.4, MISSED) == (row.figure, row.ratio, row.verdict)


def test_a_row_without_repetitions_was_not_run() -> None:
    """It has no figure, and says why in the table and in JSON."""
    row = Row(budget=BUDGET_OF["batch"], reason="no such route")
    assert (None, None, NOT_RUN) == (row.figure, row.ratio, row.verdict)
    assert "not run (no such route)" in table([row])
    assert "no such route" == json.loads(row.as_json())["reason"]


def test_table_has_a_line_for_each_row() -> None:
    """Rates show their ratio, other figures none."""
    lines = table([_row("chain", 2500.0, b=500.0), _row("memory", 91.24)]).splitlines()
    assert "| `chain` | steps of chains of five scripts | 2,500 steps/s | 5.0 | ≥ 4 B | 9 B | must met |" == lines[2]
    assert ["91.2 MB", "–", "≤ 120", "80", "must met"] == [cell.strip() for cell in lines[3].split("|")][3:8]


@pytest.mark.parametrize(("share", "wanted"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.0, 1)])
def test_percentile(share: float, wanted: float) -> None:
    """Of a hundred values in any order."""
    assert wanted == percentile([*range(100, 0, -1)], share)


def test_percentile_of_nothing_is_refused() -> None:
    """There is no latency without a measurement."""
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


@pytest.mark.parametrize(
    ("samples", "wanted"),
    [
        ([(0, 100), (300, 100), (600, 100)], 0.0),
        ([(0, 95), (300, 100), (600, 105)], 10.0),
        ([(0, 105), (300, 100), (600, 95)], -10.0),
        ([(0, 100), (600, 200)], 0.0),  # two samples say nothing
        ([(0, 0), (300, 0), (600, 0)], 0.0),
    ],
)
def test_growth(samples: list[tuple[float, float]], wanted: float) -> None:
    """The slope through all samples, in percent of the mean in ten minutes."""
    assert wanted == pytest.approx(growth_percent(samples))


def test_rounding() -> None:
    """Floats at any depth get four digits, large ones lose their fraction, the rest stays."""
    assert {"a": [1.235, 123457], "b": "x", "c": 7} == rounded({"a": (1.23456, 123456.7), "b": "x", "c": 7})
