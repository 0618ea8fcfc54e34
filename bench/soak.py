# SPDX-License-Identifier: Apache-2.0
"""`make soak`: half an hour at a share of the highest rate. What grows, what is lost, what the logs complain of.

`python -m bench.soak [--minutes 30] [--share 0.7] [--warm-up 3] [--out var/bench]`. A mix of flows runs on a fresh
product whose ended flows are archived into a directory and then forgotten, so that neither processes nor Redis have a
reason to grow. Every ten seconds the memory of each process and of Redis is noted, all of it in `soak-memory.json`; the
growth in ten minutes is the slope of a line through all notes after the warm-up. Ends with 1 when anything grows by
more than the limit, a flow is lost, or a log has an error.
"""

import argparse
import json
import random
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import product as products
from bench import service, usage
from bench.figures import growth_percent, percentile, rounded
from bench.load import send
from bench.product import Product
from bench.rows import CONNECTIONS, CREATED
from bench.workloads import Workload, chain, http_step, one_step

LIMIT_PERCENT = 1.0
"""Growth in ten minutes. Source: the budgets of this project."""

SLICE_SECONDS = 10.0
CALIBRATION_LOADS, WARM_UP_LOADS = 6, 3
"""The flows of the first loads expire beside the others, which alone count."""
LOAD_SECONDS = 25.0
"""So that the first loads last longer than archived flows stay."""
CALIBRATION_FLOWS = 200
"""Of one load, after which the clock is looked at."""

DRAIN_SECONDS = 180.0
ERRORS = ("error", "critical", "fatal")
SERVER_FAULT = re.compile(r"error|fail|oom|misconf", re.IGNORECASE)
"""What tells of a fault in the log of Redis, whose own levels are of no use for that."""
SHARES: Sequence[float] = (0.6, 0.2, 0.2)
"""Of one-step flows, chains and HTTP steps in the mix."""


@dataclass(slots=True, kw_only=True)
class Soak:
    """What was seen. `memory` has (seconds, bytes) by name: each kind of process (the largest), and `redis data`."""

    rate: float = 0.0
    most: float = 0.0
    seconds: float = 0.0
    flows: int = 0
    lost: int = 0
    failed: int = 0
    refused: Mapping[int, int] = field(default_factory=dict)
    answer_p99_ms: float = 0.0
    memory: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    growth: dict[str, float] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    warnings: dict[str, int] = field(default_factory=dict)

    def faults(self) -> list[str]:
        """What is not as it must be, in a sentence each."""
        grown = [f"{name} grows by {percent:.2f} % in ten minutes" for name, percent in self.growth.items()
                 if percent > LIMIT_PERCENT]  # fmt: skip
        found = {
            f"{self.lost} flows did not end": self.lost,
            f"{self.failed} flows failed": self.failed,
            f"starts were refused: {dict(self.refused)}": self.refused,
            f"{len(self.errors)} errors in the log, the first: {next(iter(self.errors), '')}": self.errors,
        }
        return grown + [sentence for sentence, is_so in found.items() if is_so]

    def as_json(self) -> str:
        """One line for machines, with the first and the last note of each series only."""
        ends = {name: [series[0], series[-1]] for name, series in self.memory.items() if series}
        return json.dumps({"bench": "soak"} | rounded(asdict(self) | {"memory": ends, "faults": self.faults()}))


def faults_of_log(lines: Iterable[str]) -> tuple[list[str], Counter[str]]:
    """Lines that tell of errors, tracebacks too; and how often each warning came."""
    errors, warnings = [], Counter[str]()
    for line in lines:
        try:
            said = json.loads(line)
            level = str(said["level"])
        except (ValueError, TypeError, KeyError):
            if "Traceback" in line or "Error" in line:
                errors.append(line.strip())
            continue
        if level in ERRORS:
            errors.append(line.strip())
        elif level in ("warn", "warning"):
            warnings[str(said.get("msg"))] += 1
    return errors, warnings


def faults_of_server(lines: Iterable[str]) -> list[str]:
    """Lines of the log of Redis that tell of faults; its advice at start on settings of the kernel is none."""
    return [line for line in lines if SERVER_FAULT.search(line) and "overcommit" not in line]


class _Mix:
    """Requests that start flows of three kinds, in a fixed random order."""

    def __init__(self, url: str) -> None:
        self.workloads = (one_step(), chain(), http_step(url))
        self._random = random.Random(0)

    def requests(self, count: int) -> list[bytes]:
        """So many more."""
        kinds: list[Workload] = self._random.choices(self.workloads, SHARES, k=count)
        return [kind.requests(1)[1][0] for kind in kinds]


def soak(product: Product, url: str, minutes: float, share: float, warm_up_minutes: float, load_seconds: float) -> Soak:
    """Everything that was seen."""
    mix, found = _Mix(url), Soak()
    for workload in mix.workloads:
        product.register(workload.steps)
    found.most = _calibrated(product, mix, load_seconds)
    found.rate = found.most * share
    say(f"at most {found.most:,.0f} flows/s; {found.rate:,.0f} flows/s for {minutes:g} minutes")
    _press(product, mix, found, minutes * 60)
    found.lost = _left_after_drain(product)
    found.failed = int(product.redis.zcard("{argyll:flow}:idx:status:failed"))
    errors, warnings = faults_of_log(product.log.read_text(errors="replace").splitlines())
    server_log = product.folder / "redis" / "redis.log"
    found.errors = errors + faults_of_server(server_log.read_text().splitlines())
    found.warnings = dict(warnings)
    for name, series in found.memory.items():
        found.growth[name] = growth_percent([note for note in series if note[0] >= warm_up_minutes * 60])
    return found


def _calibrated(product: Product, mix: _Mix, load_seconds: float) -> float:
    """The highest rate at which flows start, end and are archived while others expire: the median of three loads."""
    return statistics.median([_most(product, mix, load_seconds) for _ in range(CALIBRATION_LOADS)][WARM_UP_LOADS:])


def _most(product: Product, mix: _Mix, load_seconds: float) -> float:
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < load_seconds:
        send(product.port, mix.requests(CALIBRATION_FLOWS), CONNECTIONS).require(CREATED)
        count += CALIBRATION_FLOWS
    product.await_true("the end of the calibration", lambda: active(product) + product.ended() == 0, DRAIN_SECONDS)
    return count / (time.perf_counter() - started)


def active(product: Product) -> int:
    """Flows that have not ended; those that were archived or forgotten had."""
    return int(product.redis.zcard("{argyll:flow}:idx:status:active"))


def _press(product: Product, mix: _Mix, found: Soak, seconds: float) -> None:
    refused: Counter[int] = Counter()
    latencies: list[float] = []
    started = time.monotonic()
    _note_memory(product, found, 0.0)
    while (passed := time.monotonic() - started) < seconds:
        part = min(SLICE_SECONDS, seconds - passed)
        sent = send(product.port, mix.requests(max(1, round(found.rate * part))), CONNECTIONS, found.rate)
        found.flows += len(sent.latencies)
        refused.update({status: count for status, count in sent.statuses.items() if status != CREATED})
        latencies.append(percentile(sent.latencies, 0.99) * 1000)
        _note_memory(product, found, time.monotonic() - started)
        left = f"{active(product)} under way, {product.ended()} to be archived"
        say(f"  {time.monotonic() - started:5.0f} s  {found.flows:,} flows, {left}")
    found.seconds = time.monotonic() - started
    found.refused, found.answer_p99_ms = dict(refused), statistics.median(latencies)


def _note_memory(product: Product, found: Soak, at: float) -> None:
    sizes = usage.resident_by_name(product.processes()) | {"redis data": usage.redis_use(product.redis).memory_bytes}
    for name, size in sizes.items():
        found.memory.setdefault(name, []).append((at, float(size)))


def _left_after_drain(product: Product) -> int:
    """Flows that have not ended long after the last start."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while (left := active(product)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left


def say(text: str) -> None:
    """Progress, for people who wait."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Run, print, write; 1 when something is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--share", type=float, default=0.7, help="of the highest rate")
    parser.add_argument("--warm-up", type=float, default=5.0, help="minutes whose growth does not count")
    parser.add_argument(
        "--load-seconds", type=float, default=LOAD_SECONDS, help="of each load that finds the highest rate"
    )
    parser.add_argument("--out", type=Path, default=Path("var/bench"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(prefix="argyll-soak-") as archive,
        service.serving() as (url, _),
        products.running(variables=archive_variables(archive)) as product,
    ):
        found = soak(product, url, options.minutes, options.share, options.warm_up, options.load_seconds)
    print(report(found))
    print(found.as_json())
    (options.out / "soak.jsonl").write_text(found.as_json() + "\n")
    (options.out / "soak-memory.json").write_text(json.dumps(found.memory))
    return int(bool(found.faults()))


def archive_variables(folder: str) -> dict[str, str]:
    """Settings under which ended flows leave Redis as soon as they may, and are forgotten soon after."""
    return {
        "ARCHIVE_BUCKET_URL": f"file://{folder}",
        "ARCHIVE_MAX_AGE": "0s",
        "ARCHIVE_SWEEP_INTERVAL": "1s",
        "ARCHIVE_SWEEP_BATCH": "5000",
        "ARCHIVE_RETENTION": "60s",
    }


def report(found: Soak) -> str:
    """The findings for people, in Markdown."""
    lines = [
        f"{found.flows:,} flows in {found.seconds / 60:.1f} minutes, {found.rate:,.0f} a second of {found.most:,.0f}; "
        f"answers p99 {found.answer_p99_ms:.1f} ms; {found.lost} lost, {found.failed} failed",
        "",
        "| memory of | at first, MB | at last, MB | growth in ten minutes |",
        "|---|---|---|---|",
    ]
    for name, series in sorted(found.memory.items()):
        first, last = series[0][1] / 1e6, series[-1][1] / 1e6
        lines.append(f"| {name} | {first:.1f} | {last:.1f} | {found.growth.get(name, 0.0):+.2f} % |")
    lines += ["", f"warnings in the log: {found.warnings or 'none'}"]
    return "\n".join([*lines, *(f"FAULT: {fault}" for fault in found.faults() or ())])


if __name__ == "__main__":
    raise SystemExit(main())
