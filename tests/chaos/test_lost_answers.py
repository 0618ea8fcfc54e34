# SPDX-License-Identifier: Apache-2.0
"""A commit is carried out, but its answer never arrives: whoever made it finds its own traces and goes on."""

from collections.abc import Iterator

import pytest

from tests.acceptance.client import eventually
from tests.acceptance.folding import faults_of_log, fold
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.stack import WORK, Stack
from tests.acceptance.steps import attributes, script, sync
from tests.chaos.lossy_proxy import LossyProxy, lossy_proxy


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, LossyProxy]]:
    """A stack whose flow store is reached through a proxy that can lose answers."""
    folder = tmp_path_factory.mktemp("proxied")
    place = folder / "proxy.sock"
    stack = Stack(folder, FLOW_REDIS_ADDR=f"unix://{place}")
    with lossy_proxy(place, stack.redis.socket) as proxy, stack:
        yield stack, proxy


@pytest.mark.parametrize("text", ["flow_started", "work_started", "work_succeeded", "flow_completed"])
def test_commit_whose_answer_was_lost(proxied: tuple[Stack, LossyProxy], services: StepServices, text: str) -> None:
    """Whichever commit of a flow it is, the flow completes, its call is made once, and nothing is recorded twice."""
    stack, proxy = proxied
    client, endpoint = stack.client, services["call"].computes(lambda given: {"called": given["doubled"] + 1})
    client.forget_steps()
    client.register(
        script("double", "return {doubled = number * 2}", attributes(["number"], ["doubled"])),
        sync("call", endpoint.url, attributes(["doubled"], ["called"])),
        script("finish", "return {result = called * 10}", attributes(["called"], ["result"])),
    )
    flow_id = f"lost-{text.replace('_', '-')}"
    body = {"id": flow_id, "goals": ["finish"], "init": {"number": [1]}}
    lost_before = proxy.lost
    proxy.lose_answer_to(f'"{text}"')
    eventually("the start", lambda: client.post("/engine/flow", body).status == 201)
    state, events = client.await_end(flow_id), client.events(flow_id)
    assert ("completed", [], state) == (state["status"], faults_of_log(events), fold(events))
    assert (30, 1, 1) == (state["attributes"]["result"][0]["value"], len(endpoint.calls), proxy.lost - lost_before)


def test_call_whose_start_was_recorded_unheard(proxied: tuple[Stack, LossyProxy], services: StepServices) -> None:
    """A worker that does not hear that its claim was recorded makes the call all the same: no one else would."""
    stack, proxy = proxied
    client, endpoint = stack.client, services["unheard"].answers(Reply(body={"answer": 1}))
    client.forget_steps()
    client.register(sync("unheard", endpoint.url, attributes(gives=["answer"])))
    lost_before = proxy.lost
    stack.kill_worker(WORK)
    flow_id = client.start("unheard", ["unheard"])
    proxy.lose_answer_to('"work_started"')
    stack.start_worker(WORK)
    state, events = client.await_end(flow_id, patience_seconds=20), client.events(flow_id)
    assert ("completed", [], state) == (state["status"], faults_of_log(events), fold(events))
    assert (1, 1) == (len(endpoint.calls), proxy.lost - lost_before)
