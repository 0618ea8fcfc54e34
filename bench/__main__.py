# SPDX-License-Identifier: Apache-2.0
"""`make bench`: every budget beside stock Celery, on this machine, now.

`python -m bench [--rows one_step,chain] [--repetitions 3] [--seconds 4] [--out var/bench] [--plots]`. Each measurement
gets a fresh product with a fresh Redis; B is measured right before and right after each repetition of a row that is
counted in B. Prints a table and a line of JSON for each row, and writes both and the plots to `--out`.
"""

import argparse
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import product as products
from bench import transport
from bench.figures import BUDGET_OF, BUDGETS, MISSED, NOT_RUN, Measured, Row, short, table
from bench.load import Refused
from bench.product import Stuck
from bench.routes import measure_routes, routes_json, routes_table
from bench.rows import MEASUREMENTS, Effort, Measurement
from bench.sizing import measured_costs, sizing_table

GUESSED_B = 500.0
LIBRARIES = ("celery", "kombu", "redis", "uvicorn", "flask")


@dataclass(slots=True, kw_only=True)
class Bench:
    """One run: what is wanted, the Redis that B is measured on, and what was found so far."""

    place: Path
    repetitions: int
    seconds: float
    small: bool
    b: list[float] = field(default_factory=list)
    found: dict[str, list[Measured]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def measure_b(self) -> float:
        """B now."""
        self.b.append(transport.stock_rate(self.place, 500 if self.small else 5_000))
        return self.b[-1]

    def effort(self) -> Effort:
        """How much to measure, by B as it was last."""
        return Effort(b=self.b[-1] if self.b else GUESSED_B, seconds=self.seconds, small=self.small)

    def run(self, kind: type[Measurement]) -> None:
        """All repetitions of one measurement; one that fails says why and does not stop the others."""
        measurement = kind(self.effort())
        say(f"{', '.join(measurement.rows)} …")
        try:
            with measurement.around(), _product_for(measurement) as product:
                in_b = any(BUDGET_OF[row].in_b for row in measurement.rows)
                b = self.measure_b() if in_b else None
                for _ in range(self.repetitions):
                    b = self._repeat(measurement, product, b)
        except (Stuck, Refused, OSError) as exc:
            say(f"failed: {exc}")
            self.reasons |= dict.fromkeys(measurement.rows, str(exc).partition("\n")[0])

    def _repeat(self, measurement: Measurement, product: Any, before: float | None) -> float | None:
        """One repetition, with B as it is right before; gives B right after, which is right before the next."""
        found = measurement.measure(product)
        after = None if before is None else self.measure_b()
        for row, one in found.items():
            budget = BUDGET_OF[row]
            sides = (before, after) if budget.in_b else (None, None)
            one = Measured(value=one.value, b_before=sides[0], b_after=sides[1], details=one.details)
            self.found.setdefault(row, []).append(one)
            say(f"  {row}: {short(one.value)} {budget.unit}" + (f", {one.ratio:.2f} B" if one.ratio else ""))
        return after

    def rows(self, wanted: Sequence[str]) -> list[Row]:
        """What was found, in the order of the budgets."""
        return [
            Row(
                budget=budget,
                repetitions=tuple(self.found.get(budget.row, ())),
                reason=self.reasons.get(budget.row, ""),
            )
            for budget in BUDGETS
            if budget.row in wanted
        ]


@contextmanager
def _product_for(measurement: Measurement) -> Iterator[Any]:
    """A fresh and warm product; None for measurements that need none."""
    if not measurement.needs_product:
        yield None
        return
    with products.running() as product:
        measurement.prepare(product)
        yield product


def say(text: str) -> None:
    """Progress, for people who wait."""
    print(text, file=sys.stderr, flush=True)


def machine() -> str:
    """The machine and the versions, in one line."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    started = time.perf_counter()
    for _ in range(10_000_000):
        pass
    loop = time.perf_counter() - started
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"{len(products.cores())} cores, {model.partition(':')[2].strip()}, an empty loop of 10^7 takes {loop:.2f} s; "
        f"CPython {platform.python_version()}, {products.redis_version()}, {libraries}"
    )


def main() -> int:
    """Measure, print, write; 1 when a must was missed or a row failed."""
    options = _options()
    wanted = options.rows.split(",") if options.rows else [budget.row for budget in BUDGETS]
    unknown = sorted(set(wanted) - set(BUDGET_OF))
    if unknown:
        print(f"no such row: {', '.join(unknown)}; there are: {', '.join(BUDGET_OF)}", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    with transport.redis_server() as place:
        bench = Bench(place=place, repetitions=options.repetitions, seconds=options.seconds, small=options.small)
        for kind in MEASUREMENTS:
            if set(kind.rows) & set(wanted):
                bench.run(kind)
        rows = bench.rows(wanted)
        lines = [row.as_json() for row in rows]
        tables = [table(rows), sizing_table(measured_costs(lines))]
        if options.plots:
            for measure in (_routes, partial(_curves, out=options.out)):
                more_lines, text = measure(bench)
                lines += more_lines
                tables.append(text)
    report = "\n\n".join([machine(), *filter(None, tables)]) + "\n"
    (options.out / "table.md").write_text(report)
    (options.out / "figures.jsonl").write_text("\n".join(lines) + "\n")
    print(report, *lines, sep="\n")
    return int(any(row.verdict in (MISSED, NOT_RUN) for row in rows))


def _routes(bench: Bench) -> tuple[list[str], str]:
    say("routes …")
    try:
        costs = measure_routes(200 if bench.small else 3_000)
    except (Stuck, Refused, OSError) as exc:
        return [], f"no costs of requests: {exc}"
    return routes_json(costs), routes_table(costs)


def _curves(bench: Bench, out: Path) -> tuple[list[str], str]:
    from bench.curves import measure_curves  # late: it needs the plotting library, which the tables do not

    say("curves …")
    try:
        return measure_curves(bench.measure_b(), out, say, bench.small), ""
    except (Stuck, Refused, OSError) as exc:
        return [], f"no plots: {exc}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rows", default="", help="only these, separated by commas")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="about how long each load takes")
    parser.add_argument("--small", action="store_true", help="tiny counts, to try the bench itself")
    parser.add_argument("--out", type=Path, default=Path("var/bench"), help="a directory for tables, figures and plots")
    parser.add_argument("--plots", action="store_true", help="also what requests cost, and the curves with their plots")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
