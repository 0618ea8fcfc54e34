# SPDX-License-Identifier: Apache-2.0
"""Starts that wait for their flows, and clients that follow them, against a whole Argyll that loses parts of itself."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from argyll_api.client import Client, Retries
from tests.acceptance.client import Answer, eventually
from tests.acceptance.services import Endpoint, Reply, StepServices
from tests.acceptance.stack import Stack
from tests.acceptance.steps import attributes, retries, sync

MANY = 200
LONG = "?wait=60s"

Aside = Callable[..., Future[Any]]


@pytest.fixture
def aside() -> Iterator[Aside]:
    """Runs something beside the test; gives back its future."""
    with ThreadPoolExecutor(MANY) as pool:
        yield pool.submit


class Held:
    """A step whose service answers when `gate` is open."""

    def __init__(self, stack: Stack, services: StepServices) -> None:
        self.gate: threading.Event = services.gate()
        self.endpoint: Endpoint = services["held"].answers(Reply(body={"answer": 1}, gate=self.gate))
        self.stack = stack
        specs = attributes(gives=["answer"])
        stack.client.register(sync("held", self.endpoint.url, specs, work_config=retries(20, 50)))

    def start(self, flow_id: str, query: str = LONG) -> Answer:
        """The answer to a start of it."""
        return self.stack.client.post("/engine/flow" + query, {"id": flow_id, "goals": ["held"]})

    def is_called(self, count: int = 1) -> None:
        """Waits until the service was called so often."""
        eventually("the calls", lambda: len(self.endpoint.calls) >= count)


@pytest.fixture
def held(stack: Stack, services: StepServices) -> Held:
    """The step of a test."""
    return Held(stack, services)


def threads_of(pid: int) -> int:
    """How many threads a process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def test_a_slow_step_is_waited_for(held: Held, aside: Aside) -> None:
    """The answer is the state, as GET gives it."""
    waiting = aside(held.start, "slow")
    held.is_called()
    assert not waiting.done()
    held.gate.set()
    answer = waiting.result(45)
    assert (200, "completed", 1) == (
        answer.status,
        answer.json["status"],
        answer.json["attributes"]["answer"][0]["value"],
    )
    held.stack.client.await_end("slow")
    assert 200 == held.start("slow").status


def test_a_wait_that_is_too_short(held: Held) -> None:
    """The answer of a plain start; the same again waits on."""
    began = time.monotonic()
    assert (201, {"message": "", "flow_id": "short"}) == (
        (answer := held.start("short", "?wait=300ms")).status,
        answer.json,
    )
    assert time.monotonic() - began >= 0.3
    held.gate.set()
    assert 200 == held.start("short").status


def test_many_waits_on_one_process(held: Held, aside: Aside) -> None:
    """They take no threads, other requests go on, and all of them end."""
    api = held.stack.api.pid
    held.start("warm-up", "?wait=10ms")
    before = threads_of(api)
    waits = [aside(held.start, f"many-{number}") for number in range(MANY)]
    query = {"id_prefix": "many-", "limit": 1}
    eventually("all starts", lambda: held.stack.client.post("/engine/flow/query", query).json.get("total") == MANY)
    assert not any(wait.done() for wait in waits)
    assert threads_of(api) - before < 8
    began = time.monotonic()
    assert 200 == held.stack.client.get("/health").status
    assert time.monotonic() - began < 5
    held.gate.set()
    assert {(200, "completed")} == {(wait.result(90).status, wait.result().json["status"]) for wait in waits}


def test_redis_is_lost_during_a_wait(held: Held, aside: Aside) -> None:
    """The wait outlives it."""
    waiting = aside(held.start, "outlives")
    held.is_called()
    held.stack.kill_redis()
    held.gate.set()
    held.stack.start_redis()
    answer = waiting.result(45)
    assert (200, "completed") == (answer.status, answer.json["status"])


def test_the_api_stops_during_a_wait(held: Held, aside: Aside) -> None:
    """At once; who waits gets the answer of a plain start, and the flow goes on."""
    waiting = aside(held.start, "goes-on")
    held.is_called()
    began = time.monotonic()
    held.stack.api.stop()
    assert time.monotonic() - began < 8  # of the ten seconds that open requests may take
    assert 201 == waiting.result(10).status
    held.gate.set()
    held.stack.mend()
    assert "completed" == held.stack.client.await_end("goes-on")["status"]


def test_a_client_outlives_an_api(held: Held, aside: Aside) -> None:
    """It waits and follows on, without a gap or a repeat, when the API is back."""
    patient = Retries(count=60, first_seconds=0.1, most_seconds=0.5)
    with Client(held.stack.client.base_url, retries=patient) as client:
        client.flows.start("handed", ["held"])
        seen: list[int] = []
        following = aside(lambda: seen.extend(event.sequence for event in client.flows.follow("handed")))
        waiting = aside(client.flows.run, "handed", ["held"])
        held.is_called()
        eventually("the first events", lambda: seen)
        held.stack.api.kill()
        held.gate.set()
        held.stack.mend()
        assert waiting.result(45).has_ended
        following.result(45)
        assert list(range(len(client.flows.events("handed")))) == seen
