# SPDX-License-Identifier: Apache-2.0
"""The budgets, and the arithmetic of what was measured: ratios, verdicts, percentiles, tables. Pure; no I/O here.

Called by everything in this package. A budget is a number of its unit or, with `in_b`, a multiple of B, the rate of
no-op tasks of stock Celery on the same cores at the same time.
"""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

MET_AIM, MET_MUST, MISSED, NOT_RUN = "aim met", "must met", "MISSED", "not run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One row of the table of budgets; without `in_b` figures are taken as they are, and fewer are better."""

    row: str
    what: str
    unit: str
    must: float
    aim: float
    in_b: bool = False

    def verdict(self, value: float | None) -> str:
        """How a value (a ratio, for budgets in B) does against must and aim."""
        if value is None:
            return NOT_RUN
        sign = 1 if self.in_b else -1
        if sign * value >= sign * self.aim:
            return MET_AIM
        return MET_MUST if sign * value >= sign * self.must else MISSED


BUDGETS = (
    Budget(row="no_op", what="no-op task over our transport, one process", unit="tasks/s", must=4, aim=7, in_b=True),
    Budget(row="one_step", what="flows of one script step over HTTP", unit="flows/s", must=2, aim=3.5, in_b=True),
    Budget(row="batch", what="the same, 100 flows a request", unit="flows/s", must=3, aim=7, in_b=True),
    Budget(row="chain", what="steps of chains of five scripts", unit="steps/s", must=4, aim=9, in_b=True),
    Budget(row="http_step", what="flows of one sync HTTP step", unit="flows/s", must=1.2, aim=2.5, in_b=True),
    Budget(row="latency", what="one-step flow on an idle system, p50", unit="ms", must=5, aim=1.5),
    Budget(row="latency_p99", what="the same, p99", unit="ms", must=25, aim=25),
    Budget(row="fan_out", what="items of a fan-out over 10,000", unit="items/s", must=3, aim=7, in_b=True),
    Budget(row="fan_out_cost", what="cost of such an item against one of 100", unit="×", must=1.5, aim=1.1),
    Budget(row="long_chain", what="cost of a step of 1,000 against one of 10", unit="×", must=1.5, aim=1.1),
    Budget(row="round_trips", what="Redis round trips a step", unit="trips", must=2, aim=1),
    Budget(row="memory", what="resident memory of the largest api or worker process", unit="MB", must=120, aim=80),
    Budget(row="import_time", what="import of the slower of API and worker app", unit="s", must=1.0, aim=0.5),
)
BUDGET_OF: Mapping[str, Budget] = {budget.row: budget for budget in BUDGETS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One repetition of one row: the figure, what else was seen, and B right before and after where it counts."""

    value: float
    b_before: float | None = None
    b_after: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """The value in B; None where B was not measured."""
        return ratio(self.value, self.b_before, self.b_after)


def ratio(value: float, before: float | None, after: float | None) -> float | None:
    """A rate in B, which is the mean of both sides; None when a side is missing."""
    if before is None or after is None:
        return None
    return value / ((before + after) / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A budget and what its repetitions gave; without any it was not run, and `reason` says why."""

    budget: Budget
    repetitions: tuple[Measured, ...] = ()
    reason: str = ""

    @property
    def figure(self) -> float | None:
        """The median of the repetitions, in the row's unit."""
        return statistics.median(one.value for one in self.repetitions) if self.repetitions else None

    @property
    def ratio(self) -> float | None:
        """The median of the repetitions' ratios to B."""
        ratios = [one.ratio for one in self.repetitions if one.ratio is not None]
        return statistics.median(ratios) if ratios else None

    @property
    def verdict(self) -> str:
        """Of the median."""
        return self.budget.verdict(self.ratio if self.budget.in_b else self.figure)

    @property
    def details(self) -> Mapping[str, Any]:
        """What was seen beside, of the repetition that is the median or next to it."""
        if not self.repetitions:
            return {}
        return sorted(self.repetitions, key=lambda one: one.value)[(len(self.repetitions) - 1) // 2].details

    def as_json(self) -> str:
        """One line for machines."""
        found = {
            "bench": "budgets",
            "row": self.budget.row,
            "unit": self.budget.unit,
            "figure": self.figure,
            "ratio": self.ratio,
            "must": self.budget.must,
            "aim": self.budget.aim,
            "verdict": self.verdict,
            "reason": self.reason,
            "repetitions": [asdict(one) | {"ratio": one.ratio} for one in self.repetitions],
        }
        return json.dumps(rounded(found))


def rounded(value: Any, digits: int = 4) -> Any:
    """The same with floats cut to some significant digits, at any depth."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if abs(value) < 10**digits else round(value)
    if isinstance(value, Mapping):
        return {name: rounded(one, digits) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one, digits) for one in value]
    return value


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed. Raises ValueError without values."""
    if not values:
        raise ValueError("no values")
    ranked = sorted(values)
    return ranked[max(0, min(len(ranked) - 1, -int(-share * len(ranked) // 1) - 1))]


def growth_percent(samples: Sequence[tuple[float, float]], per_seconds: float = 600.0) -> float:
    """How much a series of (seconds, amount) grows in a period, in percent of its mean: the slope of the least squares.

    A line through all samples, for the difference of two of them is mostly noise. 0 for fewer than three samples.
    """
    if len(samples) < 3:
        return 0.0
    times, amounts = zip(*samples, strict=True)
    mean = statistics.fmean(amounts)
    if mean == 0 or len(set(times)) < 2:
        return 0.0
    return statistics.linear_regression(times, amounts).slope * per_seconds / mean * 100


def table(rows: Sequence[Row]) -> str:
    """The rows for people, in Markdown."""
    lines = ["| row | what | figure | in B | must | aim | verdict |", "|---|---|---|---|---|---|---|"]
    lines += [_line(row) for row in rows]
    return "\n".join(lines)


def _line(row: Row) -> str:
    budget = row.budget
    figure = "–" if row.figure is None else f"{short(row.figure)} {budget.unit}"
    in_b = "–" if row.ratio is None else f"{row.ratio:.1f}"
    sign, unit = ("≥", " B") if budget.in_b else ("≤", "")
    verdict = row.verdict + (f" ({row.reason})" if row.reason else "")
    must, aim = f"{sign} {budget.must:g}{unit}", f"{budget.aim:g}{unit}"
    return f"| `{budget.row}` | {budget.what} | {figure} | {in_b} | {must} | {aim} | {verdict} |"


def short(value: float) -> str:
    """A number as people want to read it: three digits that count, thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
