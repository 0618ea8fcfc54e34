# SPDX-License-Identifier: Apache-2.0
"""Two curves and their plots: latency against load up to saturation, throughput against worker processes.

Called by `python -m bench --plots`; the only module that needs the plotting library. A latency is from when the flow's
POST was due until its last event was recorded, as the log says, so that reading it costs nothing while it is measured.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from bench import product as products
from bench.figures import percentile, rounded
from bench.product import Product
from bench.rows import Effort, run_flows, throughput, warm_up
from bench.workloads import Workload, chain, one_step

SHARES = (0.1, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1)
"""Of the rate that was measured as the most."""
WORKERS = (1, 2, 4)
SECONDS_A_POINT = 4.0
OVERLOADED_P50_MS = 2_000.0
"""Beyond it nothing is learned from more load."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One point of the first curve."""

    share: float
    flows_per_second: float
    p50_ms: float
    p90_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """One point of the second."""

    workers: int
    workload: str
    units_per_second: float


def measure_curves(b: float, out: Path, say: Say, small: bool = False) -> list[str]:
    """JSON lines of both curves; their plots are `latency.png` and `workers.png` in `out`. Raises Stuck, Refused."""
    effort = Effort(b=b, small=small)
    loads, scales = load_curve(effort, say), scale_curve(effort, say)
    _plot_loads(loads).savefig(out / "latency.png", dpi=120)
    _plot_scales(scales, b).savefig(out / "workers.png", dpi=120)
    points: Sequence[Any] = (*loads, *scales)
    return [json.dumps({"bench": type(point).__name__.lower()} | rounded(asdict(point))) for point in points]


def load_curve(effort: Effort, say: Say) -> list[Load]:
    """Latencies of one-step flows at rising shares of the highest rate, until the system is overloaded."""
    points: list[Load] = []
    with products.running() as product:
        flows = effort.flows(1, 2.5)
        warm_up(product, one_step(), flows)
        most = throughput(product, one_step(), flows).value
        for share in SHARES:
            points.append(_load(product, share, most, 1.0 if effort.small else SECONDS_A_POINT))
            say(f"  {points[-1].flows_per_second:,.0f} flows/s: p50 {points[-1].p50_ms:.1f} ms")
            if points[-1].p50_ms > OVERLOADED_P50_MS:
                break
    return points


def _load(product: Product, share: float, most: float, seconds: float) -> Load:
    rate = share * most
    run = run_flows(product, one_step(), max(20, round(rate * seconds)), rate)
    ends = product.recorded_ends(run.ids)
    taken = [(end - due) * 1000 for due, end in zip(run.sent.due_at, ends, strict=True)]
    p50, p90, p99 = (percentile(taken, part) for part in (0.5, 0.9, 0.99))
    return Load(share=share, flows_per_second=rate, p50_ms=p50, p90_ms=p90, p99_ms=p99)


def scale_curve(effort: Effort, say: Say) -> list[Scale]:
    """Rates with one, two and four processes for decisions and scripts; all else is as it was."""
    points: list[Scale] = []
    for workers in WORKERS:
        with products.running(steps=workers) as product:
            for workload, expected_in_b in ((one_step(), 2.5), (chain(), 5.0)):
                points.append(_scale(product, workload, workers, effort.flows(workload.units, expected_in_b)))
                say(f"  {workers} workers, {points[-1].workload}: {points[-1].units_per_second:,.0f}/s")
    return points


def _scale(product: Product, workload: Workload, workers: int, flows: int) -> Scale:
    warm_up(product, workload, flows)
    rate = throughput(product, workload, flows).value
    return Scale(workers=workers, workload=workload.name, units_per_second=rate)


def _plot_loads(points: Sequence[Load]) -> Figure:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    rates = [point.flows_per_second for point in points]
    for name in ("p50", "p90", "p99"):
        axes.plot(rates, [getattr(point, f"{name}_ms") for point in points], marker="o", label=name)
    axes.set(xlabel="one-step flows a second", ylabel="POST to flow_deactivated, ms", yscale="log")
    axes.set_title("Latency against load")
    return _finish(figure)


def _plot_scales(points: Sequence[Scale], b: float) -> Figure:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for workload, label in ((one_step().name, "one-step flows"), (chain().name, "steps of chains of five")):
        line = [point for point in points if point.workload == workload]
        axes.plot(
            [point.workers for point in line], [point.units_per_second for point in line], marker="o", label=label
        )
    axes.axhline(b, linestyle="--", color="grey", label="B: no-op tasks of stock Celery")
    axes.set(
        xlabel="worker processes for decisions and scripts", ylabel="a second", xticks=list(WORKERS), ylim=(0, None)
    )
    axes.set_title(f"Throughput against worker processes, {len(products.cores())} cores for everything")
    return _finish(figure)


def _finish(figure: Figure) -> Figure:
    for axes in figure.axes:
        axes.grid(visible=True, which="both", alpha=0.3)
        axes.legend()
    return figure
