# SPDX-License-Identifier: Apache-2.0
"""What a worker process tells of itself."""

import importlib.metadata
import time
from types import SimpleNamespace

import pytest

from argyll_engine.config import EngineConfig
from argyll_engine.tasks.about import about, ask_about, broker_fault, skew_seconds
from argyll_engine.tasks.app import make_celery


def test_a_process_tells_its_version_its_time_and_its_queues() -> None:
    """The queues are those that it consumes now."""
    consumer = SimpleNamespace(task_consumer=SimpleNamespace(queues=[SimpleNamespace(name="work")]))
    before = time.time() * 1000
    told = about(SimpleNamespace(consumer=consumer))
    assert (importlib.metadata.version("argyll"), ["work"]) == (told["version"], told["queues"])
    assert before <= told["time_ms"] <= time.time() * 1000


@pytest.mark.parametrize(("time_ms", "expected"), [(1_500, 0.0), (1_000, 0.0), (3_500, 1.5), (500, -0.5)])
def test_only_what_the_way_cannot_explain_is_a_difference_of_clocks(time_ms: float, expected: float) -> None:
    """A clock that showed a time between question and answer may be right."""
    assert expected == skew_seconds(time_ms, asked_ms=1_000, answered_ms=2_000)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "No such file or directory"),
        ("redis://127.0.0.1:1/0", "Connection refused"),
        ("amqp://guest:guest@127.0.0.1:1//", "Connection refused"),
        ("nosuch://127.0.0.1:1", "nosuch"),
        ("zookeeper://127.0.0.1:1", "kazoo"),
    ],
)
def test_a_broker_that_is_away_has_no_workers(url: str, reason: str) -> None:
    """Nobody answers, and that is no error; why nobody does can be asked."""
    app = make_celery(EngineConfig.from_env({"FLOW_REDIS_ADDR": "unix:///no/such.sock", "CELERY_BROKER_URL": url}))
    fault = broker_fault(app)
    assert ((), True) == (ask_about(app, 0.1), fault != "" and reason in fault), fault
