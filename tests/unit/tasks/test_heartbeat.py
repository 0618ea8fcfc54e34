# SPDX-License-Identifier: Apache-2.0
"""The sign of life of a worker goes on whatever the store says."""

from threading import Event

from argyll_engine.errors import BrokenError, StoreUnavailableError
from argyll_engine.tasks.heartbeat import Heartbeat
from tests.fakes import ManualClock


class FailingLeases:
    """Leases whose first refreshes fail in different ways."""

    def __init__(self):
        self.faults = [StoreUnavailableError("flow", "away"), BrokenError("refused"), RuntimeError("a bug")]
        self.alive = Event()
        self.retired = []

    def refresh_worker(self, worker_id, until_ms):
        """Fails until nothing is left to fail with."""
        if self.faults:
            raise self.faults.pop()
        self.alive.set()

    def retire_worker(self, worker_id):
        """Notes it."""
        self.retired.append(worker_id)


def test_no_fault_ends_the_heartbeat():
    """After each fault comes the next beat, which keeps the stores' forms too; at the end the worker is retired."""
    leases, kept = FailingLeases(), []
    heartbeat = Heartbeat(leases, ManualClock(), "w1", 0.3, lambda: kept.append("forms"))

    heartbeat.start()
    assert leases.alive.wait(10)
    heartbeat.stop()

    assert (["w1"], "forms") == (leases.retired, kept[0])
