# SPDX-License-Identifier: Apache-2.0
"""Vitals and processes as gauges."""

import os

from argyll_engine.metrics.gauges import DeploymentGauges, ProcessGauges
from argyll_engine.metrics.processes import look_at, memory_limit_bytes
from argyll_engine.model.vitals import QueueVitals, StoreVitals, Vitals


def values(collector):
    """Name and labels → value."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for metric in collector.collect()
        for sample in metric.samples
    }


def test_what_redis_says_becomes_gauges():
    """Each queue and each store has its labels."""
    queue = QueueVitals(name="steps", ready=3, in_progress=2, delayed=1, dead_letters=4, oldest_seconds=7.5)
    store = StoreVitals(name="flow", used_bytes=10, limit_bytes=20)
    vitals = Vitals(stores=(store,), queues=(queue,), workers_alive=2, active_flows=5)
    expected = {
        ("active_workflows", ("flow",)): 5,
        ("argyll_flows_active", ()): 5,
        ("argyll_workers_alive", ()): 2,
        ("argyll_queue_depth", ("steps",)): 3,
        ("argyll_queue_in_progress", ("steps",)): 2,
        ("argyll_queue_delayed", ("steps",)): 1,
        ("argyll_queue_dead_letters", ("steps",)): 4,
        ("argyll_queue_oldest_seconds", ("steps",)): 7.5,
        ("argyll_redis_up", ("flow",)): 1,
        ("argyll_redis_persistence_ok", ("flow",)): 1,
        ("argyll_redis_memory_used_bytes", ("flow",)): 10,
        ("argyll_redis_memory_limit_bytes", ("flow",)): 20,
    }
    assert expected == values(DeploymentGauges(lambda: vitals))


def test_a_store_that_is_away_is_down_and_nothing_else_is_said():
    """A number that nobody knows is no 0."""
    vitals = Vitals(stores=(StoreVitals(name="flow", error="refused"),))
    assert {("argyll_redis_up", ("flow",)): 0} == values(DeploymentGauges(lambda: vitals))


def test_processes_are_shown_by_name():
    """The kernel knows how large this process is."""
    shown = values(ProcessGauges("1.2", lambda: filter(None, [look_at("api", os.getpid())])))
    assert shown["process_resident_memory_bytes", ("api",)] > 1_000_000
    assert shown["process_open_fds", ("api",)] > 2
    assert ("process_cpu_seconds_total", ("api",)) in shown
    assert 1 == shown["argyll_build_info", ("1.2",)]
    assert memory_limit_bytes() == shown["machine_memory_bytes", ()]


def test_a_process_that_is_gone_is_not_shown():
    """Its number may be another's by now, or nobody's."""
    assert look_at("gone", 2**22 + 1) is None
