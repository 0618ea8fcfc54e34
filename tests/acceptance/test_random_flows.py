# SPDX-License-Identifier: Apache-2.0
"""Random flows through the whole system: each one ends once, and the pure core decides the same, event by event.

Source: the contract, execution §2 to §4 and §9; X8.
"""

from typing import Any

import pytest

from tests.acceptance.client import Client, eventually
from tests.acceptance.folding import faults_of_log
from tests.acceptance.random_flows import Drawer, start
from tests.acceptance.replay import faults_of_replay
from tests.acceptance.services import StepServices
from tests.acceptance.stack import Stack

FEW, MANY = 30, 300
STARTS_NOTHING = ("step_started", "step_skipped", "work_retry_scheduled")
END = ("flow_completed", "flow_failed")


def begin(client: Client, services: StepServices, numbers: range) -> list[str]:
    """Starts the flows of these numbers; those that may start."""
    started = []
    for number in numbers:
        flow = Drawer(number, services).flow()
        if start(client, flow):
            started.append(flow.flow_id)
        client.forget_steps()
    return started


def faults_of(client: Client, flow_id: str) -> list[str]:
    """What is wrong with a flow that has ended."""
    events, state = client.events(flow_id), client.state(flow_id)
    faults = faults_of_log(events) + starts_after_the_end(events) + faults_of_replay(flow_id, events, state)
    return [f"{flow_id}: {fault}" for fault in faults]


def starts_after_the_end(events: list[Any]) -> list[str]:
    """Whatever began although the flow had ended."""
    end = next(index for index, event in enumerate(events) if event["type"] in END)
    ran = {event["data"]["token"] for event in events[:end] if event["type"] == "work_started"}
    late = [event for event in events[end:] if event["type"] in STARTS_NOTHING]
    late += [event for event in events[end:] if event["type"] == "work_started" and event["data"]["token"] not in ran]
    return [f"{event['type']} after the end" for event in late]


def await_all(client: Client, flow_ids: list[str]) -> None:
    """Wait until none of the flows is active."""

    def have_ended() -> bool:
        return {item["id"] for item in client.get("/engine/flow").json if item["status"] == "active"}.isdisjoint(
            flow_ids
        )

    eventually("the end of all flows", have_ended, 120)


def test_random_flows_end_as_the_core_decides(client: Client, services: StepServices) -> None:
    """All that can start do end, and are deactivated; the core, asked the same, decides every event of each log."""
    flow_ids = begin(client, services, range(FEW))
    assert FEW / 2 < len(flow_ids)
    await_all(client, flow_ids)
    assert [] == [fault for flow_id in flow_ids for fault in faults_of(client, flow_id)]


@pytest.mark.slow
def test_three_hundred_random_flows_while_workers_die(stack: Stack, services: StepServices) -> None:
    """The same for many flows, with every worker killed three times in between."""
    flow_ids: list[str] = []
    for first in range(FEW, FEW + MANY, MANY // 3):
        flow_ids += begin(stack.client, services, range(first, first + MANY // 3))
        stack.kill_worker()
        stack.mend()
    await_all(stack.client, flow_ids)
    assert [] == [fault for flow_id in flow_ids for fault in faults_of(stack.client, flow_id)]
