# SPDX-License-Identifier: Apache-2.0
"""Metrics that are read when somebody asks: of the deployment from Redis, of processes from the kernel.

What is read from Redis is the same in every process that shows it, so whoever adds instances up takes the maximum.
"""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from argyll_engine.metrics.processes import Process, memory_limit_bytes
from argyll_engine.model.vitals import Vitals


class DeploymentGauges(Collector):
    """Stores, queues, workers and active flows, from whoever reads the vitals."""

    def __init__(self, read: Callable[[], Vitals]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """The gauges; without a value where nothing is known."""
        vitals = self._read()
        yield from _flows(vitals)
        yield from _queues(vitals)
        yield from _stores(vitals)


class ProcessGauges(Collector):
    """Memory, processor time and open files of some processes, and the memory there is."""

    def __init__(self, version: str, processes: Callable[[], Iterable[Process]]) -> None:
        self._version = version
        self._processes = processes

    def collect(self) -> Iterator[Metric]:
        """The gauges of the processes that are there now."""
        memory = GaugeMetricFamily("process_resident_memory_bytes", "Memory in RAM.", labels=("process",))
        cpu = CounterMetricFamily("process_cpu_seconds_total", "Processor time used.", labels=("process",))
        files = GaugeMetricFamily("process_open_fds", "Open files and sockets.", labels=("process",))
        for process in self._processes():
            memory.add_metric((process.name,), process.memory_bytes)
            cpu.add_metric((process.name,), process.cpu_seconds)
            files.add_metric((process.name,), process.open_files)
        yield from (memory, cpu, files)
        yield _single(
            "machine_memory_bytes", "Memory that the container or else the machine has.", memory_limit_bytes()
        )
        build = GaugeMetricFamily("argyll_build_info", "The version that runs.", labels=("version",))
        build.add_metric((self._version,), 1)
        yield build


def _flows(vitals: Vitals) -> Iterator[Metric]:
    active = GaugeMetricFamily("active_workflows", "Flows that have not ended.", labels=("workflow_type",))
    if vitals.active_flows is not None:
        active.add_metric(("flow",), vitals.active_flows)
    yield active
    yield _single("argyll_flows_active", "Flows that have not ended, without children.", vitals.active_flows)
    yield _single("argyll_workers_alive", "Worker processes with a sign of life lately.", vitals.workers_alive)


def _queues(vitals: Vitals) -> Iterator[Metric]:
    rows = (
        ("argyll_queue_depth", "Messages that nobody has taken yet.", "ready"),
        ("argyll_queue_in_progress", "Messages that somebody has taken and not settled.", "in_progress"),
        ("argyll_queue_delayed", "Messages that wait for their time.", "delayed"),
        ("argyll_queue_dead_letters", "Messages that were given up.", "dead_letters"),
        ("argyll_queue_oldest_seconds", "Age of the oldest message that nobody has taken.", "oldest_seconds"),
    )
    for name, meaning, attribute in rows:
        family = GaugeMetricFamily(name, meaning, labels=("queue",))
        for queue in vitals.queues:
            family.add_metric((queue.name,), getattr(queue, attribute))
        yield family


def _stores(vitals: Vitals) -> Iterator[Metric]:
    families = [
        GaugeMetricFamily(name, meaning, labels=("store",))
        for name, meaning in (
            ("argyll_redis_up", "Whether the Redis of a store answers."),
            ("argyll_redis_persistence_ok", "Whether it keeps data as the promises need."),
            ("argyll_redis_memory_used_bytes", "Memory that it uses."),
            ("argyll_redis_memory_limit_bytes", "Memory that it may use; 0 for no limit."),
        )
    ]
    up, *facts = families
    for store in vitals.stores:
        up.add_metric((store.name,), not store.error)
        if not store.error:
            values = (not store.fault, store.used_bytes, store.limit_bytes)
            for family, value in zip(facts, values, strict=True):
                family.add_metric((store.name,), value)
    yield from families


def _single(name: str, meaning: str, value: float | None) -> Metric:
    family = GaugeMetricFamily(name, meaning)
    if value is not None:
        family.add_metric((), value)
    return family
