# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus over a running system under load: each injected fault sets off its alerts, and no others."""

import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from argyll_engine.transport import DeadLetters
from tests.acceptance.client import eventually, fresh_id
from tests.acceptance.part import Part, free_port
from tests.acceptance.services import Call, Reply, StepServices, running
from tests.acceptance.stack import STEPS, WORK, Stack
from tests.acceptance.steps import attributes, retries, script, sync
from tests.deploy.prometheus import Prometheus, watching
from tests.deploy.tools import ROOT

PATIENCE_SECONDS = 240.0
AFTERMATH_SECONDS = 10.0
"""How long is waited for alerts that should not come, after those that should."""
LOAD_PAUSE_SECONDS = 0.5
BALLAST_BYTES = 64 * 1024 * 1024
"""Fills Redis, so that a share of its memory is far more than what comes and goes."""


@dataclass(kw_only=True)
class World:
    """A running system, what watches it, and the service that its flows call."""

    stack: Stack
    archiver: Part
    archive: Path
    services: StepServices
    prometheus: Prometheus
    delay_seconds: float = 0.0
    goals: list[str] = field(default_factory=lambda: ["bill"])

    def answer(self, _call: Call) -> Reply:
        """The service's answer, after a while if it is slow."""
        time.sleep(self.delay_seconds)
        return Reply(body={"paid": 1})

    def load(self, stop: Event) -> None:
        """Start flows until told to stop; what is refused is not started again."""
        while not stop.wait(LOAD_PAUSE_SECONDS):
            try:
                self.stack.client.post("/engine/flow", {"id": fresh_id("load"), "goals": self.goals, "init": {}})
            except OSError:
                continue


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The system under load, quiet for now."""
    folder = tmp_path_factory.mktemp("faults")
    archive = folder / "archive"
    archive.mkdir()
    variables = {
        "ARCHIVE_BUCKET_URL": f"file://{archive}",
        "ARCHIVE_MAX_AGE": "2s",
        "ARCHIVE_SWEEP_INTERVAL": "1s",
        "ARCHIVE_LEASE_TIMEOUT": "2s",
        "ARCHIVE_MEMORY_CHECK_INTERVAL": "1s",
        "HEALTH_CHECK_INTERVAL": "2s",
    }
    stack = Stack(folder, **variables)
    ports = {name: free_port() for name in (STEPS, WORK, "beat", "archiver")}
    archiver = Part(
        (sys.executable, "-P", "-m", "argyll_api.cli", "archiver"),
        stack.api.environment | {"WORKER_METRICS_PORT": str(ports["archiver"])},
        stack.log,
    )
    for name, part in (*stack.workers.items(), ("beat", stack.beat)):
        part.environment["WORKER_METRICS_PORT"] = str(ports[name])
    asked = {
        "argyll-api": (stack.config.api_port,),
        "argyll-worker": (ports[STEPS], ports[WORK]),
        "argyll-beat": (ports["beat"],),
        "argyll-archiver": (ports["archiver"],),
    }
    stop = Event()
    try:
        stack.mend()
        archiver.start()
        with running() as services, watching(folder, asked) as prometheus, ThreadPoolExecutor() as pool:
            world = World(stack=stack, archiver=archiver, archive=archive, services=services, prometheus=prometheus)
            _register(world)
            pool.submit(world.load, stop)
            eventually("all targets", lambda: prometheus.targets_up() == 5, PATIENCE_SECONDS)
            try:
                yield world
            finally:
                stop.set()
    finally:
        archiver.stop()
        stack.stop()


def _register(world: World) -> None:
    pay = world.services["pay"].decides(world.answer)
    world.stack.client.register(
        sync("pay", pay.url, attributes(gives=("paid",))),
        script("bill", "return {billed = paid}", attributes(takes=("paid",), gives=("billed",))),
    )


# ---- faults ----------------------------------------------------------------------------------

Fault = Callable[[World], Any]


@contextmanager
def _workers_gone(world: World) -> Iterator[None]:
    world.stack.kill_worker()
    yield
    world.stack.start_worker()


@contextmanager
def _redis_full(world: World) -> Iterator[None]:
    with world.stack.flow_redis() as redis:
        redis.setrange("ballast", BALLAST_BYTES, "!")
        redis.config_set("maxmemory", int(redis.info("memory")["used_memory"] / 0.97))
        yield
        redis.config_set("maxmemory", 0)
        redis.delete("ballast")


@contextmanager
def _archive_refuses(world: World) -> Iterator[None]:
    kept = world.archive.with_name("kept")
    world.archive.rename(kept)
    world.archive.write_text("no directory any more", encoding="utf-8")
    yield
    world.archive.unlink()
    kept.rename(world.archive)


@contextmanager
def _poison(world: World) -> Iterator[None]:
    with world.stack.celery() as celery:
        celery.send_task("nobody.knows", queue="steps", ignore_result=True)
    yield
    with world.stack.flow_redis() as redis:
        DeadLetters(redis, world.stack.config.queue_key_prefix).drop("steps")


@contextmanager
def _slow_steps(world: World) -> Iterator[None]:
    world.delay_seconds = 6.0
    yield
    world.delay_seconds = 0.0


@contextmanager
def _steps_that_hang(world: World) -> Iterator[None]:
    hang = world.services["hang"].decides(lambda call: (time.sleep(world.delay_seconds), Reply(body={"x": 1}))[1])
    world.delay_seconds = 1.0
    work = {"work_config": retries(1_000, 500)}
    step = sync("hang", hang.url, attributes(gives=("x",)), **work)
    step["http"]["timeout"] = 300
    world.stack.client.register(step)
    started = [world.stack.client.start(fresh_id("hang"), ["hang"]) for _ in range(5)]
    yield
    world.delay_seconds = 0.0
    for flow_id in started:
        world.stack.client.await_end(flow_id)


@contextmanager
def _api_down(world: World) -> Iterator[None]:
    world.stack.api.kill()
    yield
    world.stack.mend()


@contextmanager
def _beat_gone(world: World) -> Iterator[None]:
    world.stack.beat.kill()
    yield
    world.stack.beat.start()


@contextmanager
def _redis_gone(world: World) -> Iterator[None]:
    world.stack.kill_redis()
    yield
    world.stack.start_redis()


TABLE = (
    ("nothing", None, set()),
    ("all workers are gone", _workers_gone, {"ArgyllNoWorker", "ArgyllTargetDown"}),
    ("Redis is full", _redis_full, {"ArgyllRedisMemory", "HighHTTPErrorRate"}),
    ("the archive takes nothing", _archive_refuses, {"ArgyllArchiveFailing"}),
    ("a poisonous message", _poison, {"ArgyllDeadLetters"}),
    ("slow steps", _slow_steps, {"SlowWorkflows"}),
    ("steps that hang", _steps_that_hang, {"ComponentTimeout"}),
    ("the API is down", _api_down, {"ArgyllApiDown"}),
    ("beat is gone", _beat_gone, {"ArgyllTargetDown", "ArgyllNobodySweeps"}),
    ("Redis is gone", _redis_gone, {"ArgyllRedisDown", "HighHTTPErrorRate"}),
)


def test_the_runbooks_show_this_table() -> None:
    """So that whoever is on call knows what comes alone and what comes together."""
    rows = [f"| {name} | {', '.join(f'`{alert}`' for alert in sorted(alerts)) or '–'} |" for name, _, alerts in TABLE]
    assert rows == re.findall(r"^\| [^|]+ \| [`–].*$", (ROOT / "docs/RUNBOOKS.md").read_text("utf-8"), re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "alerts"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_fault_sets_off_its_alerts_and_no_others(world: World, fault: Fault | None, alerts: set[str]) -> None:
    """From the moment of the fault until it is mended, exactly these fire; afterwards none does."""
    eventually("quiet before the fault", world.prometheus.is_quiet, PATIENCE_SECONDS)
    fired: set[str] = set()

    def all_fired() -> bool:
        fired.update(world.prometheus.firing())
        return alerts <= fired

    with fault(world) if fault else _nothing():
        try:
            eventually("the alerts", all_fired, PATIENCE_SECONDS)
        except AssertionError:
            assert alerts == fired
        ends_at = time.monotonic() + AFTERMATH_SECONDS
        while time.monotonic() < ends_at:
            all_fired()
            time.sleep(LOAD_PAUSE_SECONDS)
    assert alerts == fired
    eventually("quiet after the fault", world.prometheus.is_quiet, PATIENCE_SECONDS)


@contextmanager
def _nothing() -> Iterator[None]:
    yield
