# SPDX-License-Identifier: Apache-2.0
"""How each row of the budgets is measured. A measurement is given a fresh, warm product and may serve several rows.

The end of flows is never assumed: they are counted in the store's index and by the API, and all must have completed.
"""

import os
import statistics
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from bench import service, transport, usage
from bench.figures import Measured, percentile
from bench.load import Connection, Listener, Refused, Sent, send, status_of
from bench.product import POLL_SECONDS, Product, Stuck
from bench.workloads import MAX_ITEMS, Workload, chain, fan_out, http_step, one_step

Found = Mapping[str, Measured]
"""What one measurement gives: a value for each of its rows."""

CONNECTIONS = 32
CREATED = 201
SMALL_FAN, LONG_CHAIN, SHORT_CHAIN = 100, 1_000, 10
WARM_UP_SHARE = 0.2
CLOSE_POLL_SECONDS = 0.002
"""How often the end of a single flow is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is measured: `b` is B as it was last, `seconds` how long one load should take."""

    b: float
    seconds: float = 4.0
    small: bool = False
    """Tiny counts, to try the bench itself."""

    def flows(self, units_per_flow: int, expected_in_b: float) -> int:
        """As many flows as should take that long, in whole hundreds; at least a hundred."""
        if self.small:
            return 100
        return max(1, round(self.b * expected_in_b * self.seconds / units_per_flow / 100)) * 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What has been used up to a moment."""

    cpu: Mapping[str, float]
    redis: usage.RedisUse

    @classmethod
    def of(cls, product: Product, *more_pids: int) -> "Snapshot":
        """Now. `more_pids` are processes that take part and are not below `argyll up`."""
        processes = product.processes() + tuple(filter(None, map(usage.look, more_pids)))
        return cls(cpu=usage.cpu_by_name(processes), redis=usage.redis_use(product.redis))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Flows that were started and have all completed."""

    ids: Sequence[str]
    sent: Sent
    ended_at: float

    @property
    def seconds(self) -> float:
        """From the first request to the end of the last flow."""
        return self.ended_at - self.sent.started_at


def run_flows(product: Product, workload: Workload, flows: int, rate: float | None = None, confirm: bool = True) -> Run:
    """Start flows, at this rate if there is one, and wait for the end of all. Raises Refused, Stuck."""
    target = product.ended() + flows
    ids, requests = workload.requests(flows)
    sent = send(product.port, requests, CONNECTIONS if flows > 1 else 1, rate)
    if workload.flows_per_request == 1:
        sent.require(CREATED)
    poll_seconds = POLL_SECONDS if flows > 1 else CLOSE_POLL_SECONDS
    return Run(ids=ids, sent=sent, ended_at=product.await_ended(target, poll_seconds=poll_seconds, confirm=confirm))


def throughput(product: Product, workload: Workload, flows: int, *more_pids: int) -> Measured:
    """Units a second from the first request to the end of the last flow, and what each flow cost."""
    before = Snapshot.of(product, *more_pids)
    run = run_flows(product, workload, flows)
    after = Snapshot.of(product, *more_pids)
    cpu = usage.cpu_ms_per_unit(before.cpu, after.cpu, flows) | {"load": run.sent.cpu_seconds * 1000 / flows}
    details = {
        "flows": flows,
        "cpu_ms_per_flow": cpu,
        "load_share_of_cpu": cpu["load"] / sum(cpu.values()),
        "redis_per_flow": usage.per_unit(before.redis, after.redis, flows),
        "http": run.sent.summary(),
    }
    return Measured(value=flows * workload.units / run.seconds, details=details)


def warm_up(product: Product, workload: Workload, flows: int) -> None:
    """Register the steps and run some flows, so that caches are filled and workers are known to work."""
    product.register(workload.steps)
    run_flows(product, workload, max(workload.flows_per_request, round(flows * WARM_UP_SHARE)))


class Measurement(ABC):
    """One way of measuring, for one row or several."""

    rows: tuple[str, ...]
    needs_product = True

    def __init__(self, effort: Effort) -> None:
        self.effort = effort

    def around(self) -> AbstractContextManager[Any]:
        """What must be there beside the product, for all repetitions."""
        return nullcontext()

    def prepare(self, product: Product) -> None:  # noqa: B027  # some need nothing
        """Steps and a warm-up, once."""

    @abstractmethod
    def measure(self, product: Product) -> Found:
        """One repetition. Raises Stuck, Refused."""


class _Throughput(Measurement):
    expected_in_b: float

    @abstractmethod
    def workload(self) -> Workload:
        """What it runs."""

    def prepare(self, product: Product) -> None:
        """Register and warm up."""
        warm_up(product, self.workload(), self._flows())

    def measure(self, product: Product) -> Found:
        """Units a second."""
        return {self.rows[0]: throughput(product, self.workload(), self._flows())}

    def _flows(self) -> int:
        return self.effort.flows(self.workload().units, self.expected_in_b)


class OneStep(_Throughput):
    """Flows of one script step, one a request."""

    rows, expected_in_b = ("one_step",), 2.5

    def workload(self) -> Workload:
        """See the class."""
        return one_step()


class Batch(_Throughput):
    """The same, a hundred a request."""

    rows, expected_in_b = ("batch",), 4.0

    def workload(self) -> Workload:
        """See the class."""
        return one_step(flows_per_request=100)

    def prepare(self, product: Product) -> None:
        """As the others. Raises Stuck when there is no such route."""
        status, _ = product.ask("POST", "/engine/flows", {"flows": []})
        if status in (404, 405):
            raise Stuck("the API has no POST /engine/flows")
        super().prepare(product)


class Chain(_Throughput):
    """Flows of five scripts one after another; a figure counts steps."""

    rows, expected_in_b = ("chain",), 6.0

    def workload(self) -> Workload:
        """See the class."""
        return chain()


class HttpStep(Measurement):
    """Flows of one sync HTTP step, whose service answers at once."""

    rows = ("http_step",)

    @contextmanager
    def around(self) -> Iterator[None]:
        """The service."""
        with service.serving() as (self._url, self._pid):
            yield

    def prepare(self, product: Product) -> None:
        """Register and warm up."""
        warm_up(product, http_step(self._url), self._flows())

    def measure(self, product: Product) -> Found:
        """Flows a second."""
        return {"http_step": throughput(product, http_step(self._url), self._flows(), self._pid)}

    def _flows(self) -> int:
        return self.effort.flows(1, 1.5)


class Latency(Measurement):
    """One flow at a time on kept connections, from sending the POST until a WebSocket has `flow_deactivated`."""

    rows = ("latency", "latency_p99")

    def prepare(self, product: Product) -> None:
        """Register and warm up."""
        warm_up(product, one_step(), 500)

    def measure(self, product: Product) -> Found:
        """Milliseconds: what a client sees, and beside it what the log says."""
        count = 30 if self.effort.small else 400
        workload, target = one_step(), product.ended() + count
        ids, requests = workload.requests(count)
        seen, sent_at = [], []
        with closing(Listener(product.port)) as listener, closing(Connection(product.port)) as connection:
            listener.send(_SUBSCRIBE)
            listener.next()
            for flow_id, request in zip(ids, requests, strict=True):
                sent_at.append(time.time())
                started = time.perf_counter()
                answer = connection.ask(request)
                if status_of(answer) != CREATED:
                    raise Refused(f"a start was answered with {answer!r}")
                while listener.next()["id"] != ["flow", flow_id]:
                    continue
                seen.append((time.perf_counter() - started) * 1000)
        product.await_ended(target)
        recorded = [(end - begin) * 1000 for begin, end in zip(sent_at, product.recorded_ends(ids), strict=True)]
        details = {"recorded_p50_ms": percentile(recorded, 0.5), "recorded_p99_ms": percentile(recorded, 0.99)}
        return {
            "latency": Measured(value=percentile(seen, 0.5), details=details),
            "latency_p99": Measured(value=percentile(seen, 0.99), details=details),
        }


_SUBSCRIBE = {
    "type": "subscribe",
    "data": {"sub_id": "bench", "aggregate_ids": [["flow"]], "event_types": ["flow_deactivated"]},
}


def seconds_of_each(product: Product, workload: Workload, flows: int, confirm: bool = True) -> list[float]:
    """How long each of some flows took from its POST to its end, one after another."""
    return [run_flows(product, workload, 1, confirm=confirm).seconds for _ in range(flows)]


class FanOut(Measurement):
    """One flow with 10,000 items of one script, beside flows with a hundred; one flow at a time."""

    rows = ("fan_out", "fan_out_cost")

    def prepare(self, product: Product) -> None:
        """Register and warm up."""
        product.register(fan_out(1).steps)
        seconds_of_each(product, fan_out(SMALL_FAN), 3)

    def measure(self, product: Product) -> Found:
        """Items a second of the large one, and what an item costs against one of the small ones."""
        items = 1_000 if self.effort.small else MAX_ITEMS
        small = statistics.median(seconds_of_each(product, fan_out(SMALL_FAN), 10)) / SMALL_FAN
        (large_seconds,) = seconds_of_each(product, fan_out(items), 1)
        large = large_seconds / items
        details = {"items": items, "ms_per_item": large * 1000, "ms_per_item_of_100": small * 1000}
        return {
            "fan_out": Measured(value=1 / large, details=details),
            "fan_out_cost": Measured(value=large / small, details=details),
        }


class LongChain(Measurement):
    """One flow of a thousand scripts, beside flows of ten; one flow at a time."""

    rows = ("long_chain",)

    def prepare(self, product: Product) -> None:
        """Register and warm up."""
        self._long = chain(50 if self.effort.small else LONG_CHAIN)
        for workload in (self._long, chain(SHORT_CHAIN)):
            product.register(workload.steps)
        seconds_of_each(product, chain(SHORT_CHAIN), 3)

    def measure(self, product: Product) -> Found:
        """What a step costs against one of the short chain."""
        short = statistics.median(seconds_of_each(product, chain(SHORT_CHAIN), 20)) / SHORT_CHAIN
        (long_seconds,) = seconds_of_each(product, self._long, 1)
        each = long_seconds / self._long.units
        details = {"steps": self._long.units, "ms_per_step": each * 1000, "ms_per_step_of_10": short * 1000}
        return {"long_chain": Measured(value=each / short, details=details)}


class RoundTrips(Measurement):
    """Reads that Redis made from its clients for each step of flows that run alone, less what it makes when idle."""

    rows = ("round_trips",)

    def prepare(self, product: Product) -> None:
        """Register and warm up."""
        warm_up(product, chain(50), 15)

    def measure(self, product: Product) -> Found:
        """Reads a step; the start of the flow over HTTP is in it."""
        idle_seconds, workload, flows = 2.0, chain(50), 5
        first = usage.redis_use(product.redis)
        time.sleep(idle_seconds)
        idle_reads = (usage.redis_use(product.redis).reads - first.reads - 1) / idle_seconds
        before, own_before, started = usage.redis_use(product.redis), product.looks, time.perf_counter()
        seconds_of_each(product, workload, flows, confirm=False)
        elapsed, own = time.perf_counter() - started, product.looks - own_before
        after = usage.redis_use(product.redis)
        steps = flows * workload.units
        reads = after.reads - before.reads - 1 - own - idle_reads * elapsed
        details = {"idle_reads_per_second": idle_reads, "commands_per_step": (after.commands - before.commands) / steps}
        return {"round_trips": Measured(value=reads / steps, details=details)}


class Memory(Measurement):
    """Resident memory after some thousand flows."""

    rows = ("memory",)

    def prepare(self, product: Product) -> None:
        """Register."""
        product.register(one_step().steps)

    def measure(self, product: Product) -> Found:
        """Of the largest API or worker process; of all of them in the details. Bytes are of 10^6."""
        run_flows(product, one_step(), self.effort.flows(1, 2.0))
        sizes = {name: size / 1e6 for name, size in usage.resident_by_name(product.processes()).items()}
        largest = max(size for name, size in sizes.items() if name.startswith(("api", "steps", "work")))
        return {"memory": Measured(value=largest, details={"megabytes": sizes})}


class ImportTime(Measurement):
    """How long a fresh interpreter takes to import what serves and what works."""

    rows, needs_product = ("import_time",), False
    modules = ("argyll_api.wsgi", "argyll_engine.tasks.worker")

    def measure(self, product: Product) -> Found:
        """Seconds of the slower one, each the best of three, for files come from the disk the first time."""
        seconds = {name: min(import_seconds(name) for _ in range(3)) for name in self.modules}
        return {"import_time": Measured(value=max(seconds.values()), details={"seconds": seconds})}


def import_seconds(module: str) -> float:
    """Seconds that importing a module takes in a process of its own."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    environment = os.environ | {"LOG_LEVEL": "warn"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    return float(done.stdout.splitlines()[-1])


class NoOp(Measurement):
    """No-op Celery tasks over our transport, one solo process."""

    rows, needs_product = ("no_op",), False

    def measure(self, product: Product) -> Found:
        """Tasks a second."""
        tasks = 2_000 if self.effort.small else self.effort.flows(1, 7.0)
        with transport.redis_server() as place:
            published = transport.publish(transport.STREAMS, place, tasks)
            rate = transport.consume(transport.STREAMS, place, tasks)
        return {"no_op": Measured(value=rate, details={"published_per_second": published})}


MEASUREMENTS: Sequence[type[Measurement]] = (
    NoOp, OneStep, Batch, Chain, HttpStep, Latency, FanOut, LongChain, RoundTrips, Memory, ImportTime,
)  # fmt: skip
