# SPDX-License-Identifier: Apache-2.0
"""What happens to a work item whose step does not answer or says that it cannot: delays, limits, webhooks meanwhile.

Delays are read from the events' own timestamps. Source: the contract, execution §3.5 and §3.6.
"""

import socket
from datetime import datetime
from typing import Any

import pytest

from tests.acceptance.client import Client, request
from tests.acceptance.folding import faults_of_log, fold
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.steps import asynchronous, attributes, retries, sync

UNAVAILABLE = Reply(status=503)
LATEST_MS = 1_500
"""A timer may be this late on a busy machine; it is never early."""


def delays_ms(events: list[Any]) -> list[int]:
    """The time between each lost attempt and the moment its retry was scheduled for."""
    return [
        round((at(event["data"]["next_retry_at"]) - at(event["timestamp"])).total_seconds() * 1000)
        for event in events
        if event["type"] == "work_retry_scheduled"
    ]


def lateness_ms(events: list[Any]) -> list[int]:
    """How long after its moment each retry began."""
    due = [at(event["data"]["next_retry_at"]) for event in events if event["type"] == "work_retry_scheduled"]
    began = [at(event["timestamp"]) for event in events if event["type"] == "work_started"]
    return [round((start - moment).total_seconds() * 1000) for moment, start in zip(due, began[1:], strict=True)]


def at(text: str) -> datetime:
    """A timestamp of the wire."""
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("fixed", [80, 80, 80]), ("linear", [80, 160, 200]), ("exponential", [80, 160, 200])],
)
def test_retries_wait_by_the_steps_backoff(
    client: Client, services: StepServices, kind: str, expected: list[int]
) -> None:
    """A retry is scheduled by the step's own backoff up to its cap, begins then and not before, and keeps its token."""
    endpoint = services["busy"].answers(UNAVAILABLE, UNAVAILABLE, UNAVAILABLE, Reply(body={"answer": 42}))
    config = retries(5, 80, kind, most_ms=200)
    client.register(sync("busy", endpoint.url, attributes(gives=["answer"]), work_config=config))
    flow_id = client.start(f"backoff-{kind}", ["busy"])
    state, events = client.await_end(flow_id), client.events(flow_id)
    late = lateness_ms(events)
    assert (expected, True) == (delays_ms(events), all(0 <= ms < LATEST_MS for ms in late)), late
    assert ("completed", 4, 1) == (state["status"], len(endpoint.calls), len(set(endpoint.tokens)))
    assert ([], state) == (faults_of_log(events), fold(events))


def test_exhausted_retries_fail_the_step(client: Client, services: StepServices) -> None:
    """`max_retries` n allows n + 1 calls; then the last answer is the error of item, step and flow."""
    endpoint = services["down"].answers(UNAVAILABLE)
    client.register(sync("down", endpoint.url, attributes(gives=["answer"]), work_config=retries(2, 20)))
    flow_id = client.start("exhausted", ["down"])
    state, events = client.await_end(flow_id), client.events(flow_id)
    error = "work not completed\nstep returned HTTP error: status 503"
    assert ("failed", f"step down failed: {error}", 3) == (state["status"], state["error"], len(endpoint.calls))
    (item,) = state["executions"]["down"]["work_items"].values()
    assert ("failed", error, 2) == (item["status"], item["error"], item["retry_count"])
    assert ([], state) == (faults_of_log(events), fold(events))


@pytest.mark.parametrize("status", [400, 404, 408, 422, 429])
def test_refusals_are_final(client: Client, services: StepServices, status: int) -> None:
    """An answer of the 4xx kind fails the item after one call, whatever retries are allowed."""
    endpoint = services["refusing"].answers(Reply(status=status), Reply(body={"answer": 42}))
    client.register(sync("refusing", endpoint.url, attributes(gives=["answer"]), work_config=retries(5, 20)))
    flow_id = client.start(f"refused-{status}", ["refusing"])
    state, events = client.await_end(flow_id), client.events(flow_id)
    error = f"step refusing failed: step returned HTTP error: status {status}"
    assert ("failed", error, 1) == (state["status"], state["error"], len(endpoint.calls))
    assert ([], state) == (faults_of_log(events), fold(events))


def test_webhook_during_the_wait_ends_the_retry(client: Client, services: StepServices) -> None:
    """A result that comes by webhook while a retry waits completes the item; the retry is not carried out."""
    endpoint = services["slow"].answers(UNAVAILABLE)
    config = retries(5, 1_000)
    client.register(asynchronous("slow", endpoint.url, attributes(gives=["answer"]), work_config=config))
    flow_id = client.start("webhook-wait", ["slow"])
    scheduled = client.await_event(flow_id, "work_retry_scheduled")
    webhook = f"{client.base_url}/webhook/{flow_id}/slow/{scheduled['data']['token']}"
    assert 200 == request(webhook, "POST", {"answer": 42}).status
    assert "completed" == client.await_end(flow_id)["status"]
    client.register(sync("marker", services["marker"].url, attributes(gives=["mark"]), work_config=retries(1, 1_500)))
    services["marker"].answers(UNAVAILABLE, Reply(body={"mark": 1}))
    client.await_end(client.start("webhook-wait-marker", ["marker"]))  # its retry was due after the other one
    events = client.events(flow_id)
    assert (1, 1) == (len(endpoint.calls), client.types(flow_id).count("work_started"))
    assert ([], client.state(flow_id)) == (faults_of_log(events), fold(events))


def test_refused_connection_is_tried_again(client: Client, services: StepServices) -> None:
    """A service that does not run yet is called again, and the flow completes once it does."""
    with socket.socket() as reserved:  # bound but not listening: whoever connects is refused
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}/absent"
        client.register(sync("absent", url, attributes(gives=["answer"]), work_config=retries(100, 50)))
        flow_id = client.start("refused-connection", ["absent"])
        error = client.await_event(flow_id, "work_not_completed")["data"]["error"]
        reserved.listen()
        connection, _ = reserved.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\n{"answer": 1}')
            state = client.await_end(flow_id)
    assert ("work not completed\nconnection refused", "completed") == (error, state["status"])
    events = client.events(flow_id)
    assert ([], state) == (faults_of_log(events), fold(events))
