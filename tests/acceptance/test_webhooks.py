# SPDX-License-Identifier: Apache-2.0
"""Outcomes that come from outside. Source: the contract, http §1.9 and §3.3, execution §3.3 and §3.4."""

from typing import Any

import pytest

from tests.acceptance.client import Client, eventually, fresh_id, request
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.steps import asynchronous, attributes, retries, sync

PROBLEM = "application/problem+json"


def accepted(client: Client, services: StepServices) -> tuple[str, str]:
    """A flow whose asynchronous step waits, and its webhook."""
    services["later"].answers(Reply(status=202))
    client.register(asynchronous("later", services["later"].url, attributes(gives=["o"])))
    flow_id = client.start(fresh_id("hook"), ["later"])
    eventually("the call", lambda: services["later"].calls)
    return flow_id, f"{client.base_url}/webhook/{flow_id}/later/{services['later'].calls[0].token}"


def test_what_is_unknown(client: Client, services: StepServices) -> None:
    """Flow, step and token are looked at in this order, all before the body."""
    flow_id, webhook = accepted(client, services)
    token = webhook.rpartition("/")[2]
    told = {
        path: request(f"{client.base_url}/webhook/{path}", "POST", [1]).json["error"]
        for path in (f"nowhere/later/{token}", f"{flow_id}/nowhere/{token}", f"{flow_id}/later/nothing")
    }
    assert ["Flow not found", "Step execution not found", "Work item not found for token"] == [*told.values()]
    assert 200 == request(webhook, "POST", {}).status


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ([1], "application/json", "Invalid JSON"),
        ("text", "application/json", "Invalid JSON"),
        (None, "application/json", "Invalid JSON"),
        ([1], PROBLEM, "Invalid problem JSON"),
        ({"status": "422"}, PROBLEM, "Invalid problem JSON"),
        ({"detail": 5}, PROBLEM, "Invalid problem JSON"),
    ],
)
def test_bodies_that_are_none(client: Client, services: StepServices, body: Any, content_type: str, text: str) -> None:
    """They leave the item as it was; a proper one completes it afterwards."""
    flow_id, webhook = accepted(client, services)
    refused = request(webhook, "POST", body, content_type)
    assert (400, text) == (refused.status, refused.json["error"])
    assert (200, b"") == ((done := request(webhook, "POST", {"o": 1})).status, done.body)
    assert "completed" == client.checked_end(flow_id)["status"]


@pytest.mark.parametrize(
    ("problem", "error"),
    [
        ({"title": "No", "detail": "card expired"}, "card expired"),
        ({"title": "No"}, "No"),
        ({"status": 503}, "Service Unavailable"),
    ],
)
def test_problems(client: Client, services: StepServices, problem: Any, error: str) -> None:
    """Fail the item for good whatever status they name, with the text that says most."""
    flow_id, webhook = accepted(client, services)
    assert 200 == request(webhook, "POST", problem, "Application/Problem+JSON; charset=utf-8").status
    assert f"step later failed: {error}" == client.checked_end(flow_id)["error"]


@pytest.mark.parametrize(("body", "kept"), [(b'{"undeclared": 1}', {"undeclared": 1}), (b"null", {})])
def test_outputs_that_nobody_declared(client: Client, services: StepServices, body: bytes, kept: Any) -> None:
    """They stay with the item; `null` is no outputs at all."""
    flow_id, webhook = accepted(client, services)
    assert 200 == request(webhook, "POST", body).status
    state = client.checked_end(flow_id)
    (item,) = state["executions"]["later"]["work_items"].values()
    assert (kept, {}) == (item.get("outputs") or {}, state["attributes"])


def test_the_first_outcome_stays(client: Client, services: StepServices) -> None:
    """Later ones of either kind are answered 200 and change nothing."""
    flow_id, webhook = accepted(client, services)
    assert 200 == request(webhook, "POST", {"o": 1}).status
    before = client.checked_end(flow_id), client.events(flow_id)
    late = [request(webhook, "POST", {"o": 2}), request(webhook, "POST", {"detail": "no"}, PROBLEM)]
    assert ([(200, b"")] * 2, before) == (
        [(answer.status, answer.body) for answer in late],
        (client.state(flow_id), client.events(flow_id)),
    )


def test_items_of_synchronous_steps(client: Client, services: StepServices) -> None:
    """May be completed from outside, too; the answer that the call gives then comes too late."""
    gate = services.gate()
    services["slow"].answers(Reply(body={"o": "call"}, gate=gate))
    client.register(sync("slow", services["slow"].url, attributes(gives=["o"])))
    flow_id = client.start(fresh_id("sync-hook"), ["slow"])
    eventually("the call", lambda: services["slow"].calls)
    webhook = f"{client.base_url}/webhook/{flow_id}/slow/{services['slow'].calls[0].token}"
    assert 200 == request(webhook, "POST", {"o": "webhook"}).status
    state = client.checked_end(flow_id)
    gate.set()
    assert ("completed", "webhook") == (state["status"], state["attributes"]["o"][0]["value"])


@pytest.mark.parametrize("status", [202, 503])
def test_an_acknowledgement_that_fails_after_the_webhook(client: Client, services: StepServices, status: int) -> None:
    """Is ignored: the item has ended."""
    services["hasty"].answers(Reply(status=status, before=lambda call: request(call.webhook_url, "POST", {"o": 1})))
    step = asynchronous("hasty", services["hasty"].url, attributes(gives=["o"]), work_config=retries(3, 1))
    client.register(step)
    state = client.run(fresh_id("hasty"), ["hasty"])
    assert ("completed", 1) == (state["status"], len(services["hasty"].calls))
