# SPDX-License-Identifier: Apache-2.0
"""What a deployment is told before it goes live."""

from dataclasses import replace
from typing import Any

import pytest

from argyll_engine.model.process import ProcessAbout
from argyll_engine.model.vitals import QueueVitals
from argyll_engine.policy.fitness import BrokerFacts, Facts, Level, PlaceFacts, RedisFacts, UrlFacts, findings

ENGINE = RedisFacts(name="engine", where="e:1", limit_bytes=100, is_local=False, is_tls=True, has_password=True)
FLOWS = replace(ENGINE, name="flow", where="f:1")
WORKERS = tuple(
    ProcessAbout(name=f"{name}@h{n}", version="1", queues=queues, skew_seconds=0.0)
    for n in (1, 2)
    for name, queues in (("steps", ("steps",)), ("work", ("beat", "work")))
)
SOUND = Facts(
    version="1",
    is_production=True,
    log_level="info",
    stores=(ENGINE, FLOWS),
    processes=WORKERS,
    wanted_queues=("steps", "work", "beat"),
    has_beat=True,
    max_queue_age_seconds=60,
    queues=(QueueVitals(name="steps", oldest_seconds=1),),
    url=UrlFacts(url="https://a.example", is_local=False),
    archive=PlaceFacts(url="s3://b"),
    open_files=65_536,
)


def _told(facts: Facts) -> list[tuple[str, Level]]:
    return [(finding.check, finding.level) for finding in findings(facts) if finding.level is not Level.OK]


def _with_flows(**changes: Any) -> Facts:
    return replace(SOUND, stores=(ENGINE, replace(FLOWS, **changes)))


def _with_queue(**changes: Any) -> Facts:
    return replace(SOUND, queues=(QueueVitals(name="steps", **changes),))


def test_nothing_is_said_against_a_sound_deployment() -> None:
    """Every check is there and good, and none says what to mend."""
    found = findings(SOUND)
    assert ([], True) == (_told(SOUND), all(not finding.fix for finding in found))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (replace(SOUND, is_production=False), [("environment", Level.NOTE)]),
        (replace(SOUND, log_level="debug"), [("environment", Level.WARNING)]),
        (_with_flows(error="gone"), [("flow store", Level.FAULT)]),
        (_with_flows(faults=("appendonly no",)), [("flow store", Level.FAULT)]),
        (
            replace(_with_flows(faults=("x",)), is_production=False),
            [("environment", Level.NOTE), ("flow store", Level.WARNING)],
        ),
        (_with_flows(schema_fault="1 instead of 2"), [("flow store", Level.FAULT)]),
        (_with_flows(has_password=False), [("flow store", Level.FAULT)]),
        (_with_flows(is_tls=False), [("flow store", Level.WARNING)]),
        (_with_flows(is_local=True, is_tls=False, has_password=False), []),
        (_with_flows(limit_bytes=0), [("flow store memory", Level.WARNING)]),
        (_with_flows(used_bytes=90), [("flow store memory", Level.WARNING)]),
        (_with_flows(where="e:1"), [("stores", Level.NOTE)]),
        (_with_flows(skew_seconds=-2.0), [("clocks", Level.WARNING)]),
        (replace(SOUND, processes=()), [("workers", Level.FAULT)]),
        (replace(SOUND, processes=WORKERS[:2]), [("workers", Level.NOTE), ("workers", Level.NOTE)]),
        (replace(SOUND, processes=WORKERS[::2]), [("workers", Level.FAULT), ("workers", Level.FAULT)]),
        (replace(SOUND, wanted_queues=("archive",)), [("workers", Level.FAULT)]),
        (replace(SOUND, version="2"), [("versions", Level.WARNING)]),
        (replace(SOUND, has_beat=False), [("beat", Level.FAULT)]),
        (_with_queue(oldest_seconds=61.0), [("queues", Level.WARNING)]),
        (_with_queue(dead_letters=1), [("dead letters", Level.WARNING)]),
        (replace(SOUND, queues=()), [("queues", Level.NOTE)]),
        (replace(_with_flows(error="gone"), queues=()), [("flow store", Level.FAULT)]),
        (
            replace(SOUND, stores=(replace(ENGINE, error="gone"), FLOWS), queues=()),
            [("engine store", Level.FAULT), ("queues", Level.NOTE)],
        ),
        (replace(SOUND, broker=BrokerFacts(url="amqp://b", error="x")), [("broker", Level.FAULT)]),
        (replace(SOUND, broker=BrokerFacts(url="amqp://b")), []),
        (replace(SOUND, url=UrlFacts(url="http://localhost", is_local=True)), [("webhooks", Level.FAULT)]),
        (replace(SOUND, url=UrlFacts(url="http://a", is_local=False, error="x")), [("webhooks", Level.FAULT)]),
        (replace(SOUND, url=UrlFacts(url="http://a", is_local=False, is_open=True)), [("access", Level.WARNING)]),
        (replace(SOUND, archive=PlaceFacts()), [("archive", Level.NOTE)]),
        (replace(SOUND, archive=PlaceFacts(url="s3://b", error="x")), [("archive", Level.FAULT)]),
        (replace(SOUND, archive=PlaceFacts(url="file:///b", used_share=0.9)), [("archive", Level.WARNING)]),
        (replace(SOUND, open_files=1_024), [("open files", Level.WARNING)]),
        (replace(SOUND, tracing_error="no module"), [("traces", Level.FAULT)]),
    ],
)  # fmt: skip
def test_each_fault_is_found_and_comes_with_its_remedy(facts: Facts, expected: list[tuple[str, Level]]) -> None:
    """What is wrong is told once, as bad as it is, with what mends it."""
    assert expected == _told(facts)
    assert all(finding.fix for finding in findings(facts) if finding.level is not Level.OK)


def test_a_clock_names_its_owner() -> None:
    """A worker whose clock is off is told by name and direction."""
    ahead = replace(WORKERS[0], skew_seconds=3.0)
    (finding,) = (f for f in findings(replace(SOUND, processes=(ahead, *WORKERS[1:]))) if f.check == "clocks")
    assert "the clock of steps@h1 is 3.0 s ahead" == finding.text
