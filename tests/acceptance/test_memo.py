# SPDX-License-Identifier: Apache-2.0
"""Memoizable steps over HTTP, with real workers: which calls are made, and what the logs say of those that are not."""

from typing import Any

import pytest

from tests.acceptance.client import Client, eventually, request
from tests.acceptance.folding import faults_of_log, fold
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.stack import WORK, Stack
from tests.acceptance.steps import Body, asynchronous, attributes, retries, script, sync

HIT = [
    "flow_started",
    "step_started",
    "work_succeeded",
    "attribute_set",
    "step_completed",
    "flow_completed",
    "flow_deactivated",
]
"""The log of a flow whose one work item was answered from memory."""


def fanned(over: str, gives: str) -> Body:
    """Attributes of a step that runs once for each element of an input."""
    return attributes(gives=[gives]) | {over: {"role": "required", "required": {"for_each": True}}}


def run(client: Client, flow_id: str, goal: str, init: Any = None) -> Any:
    """A flow that has ended, whose log is in order and amounts to its state."""
    client.start(flow_id, [goal], init)
    state = client.await_end(flow_id)
    events = client.events(flow_id)
    assert [] == faults_of_log(events)
    assert fold(events) == state
    return state


def test_the_same_call_is_made_once(client: Client, services: StepServices) -> None:
    """A second flow gets the result without a call and without a start; other inputs are called."""
    endpoint = services["memo-double"].computes(lambda given: {"twice": given["n"] * 2, "undeclared": "kept"})
    client.register(sync("memo-double", endpoint.url, attributes(["n"], ["twice"]), memoizable=True))

    first = run(client, "memo-first", "memo-double", {"n": 4})
    second = run(client, "memo-second", "memo-double", {"n": 4})
    run(client, "memo-third", "memo-double", {"n": 5})

    assert HIT == client.types("memo-second")
    assert {"twice": 8, "undeclared": "kept"} == client.of_type("memo-second", "work_succeeded")[0]["data"]["outputs"]
    outputs = [state["executions"]["memo-double"]["outputs"] for state in (first, second)]
    assert [{"twice": 8}, {"twice": 8}] == outputs
    assert [{"n": 4}, {"n": 5}] == [call.arguments for call in endpoint.calls]


def test_a_step_that_is_not_memoizable_is_called_each_time(client: Client, services: StepServices) -> None:
    """Nothing is remembered of it."""
    endpoint = services["memo-never"]
    client.register(sync("memo-never", endpoint.url, attributes(["n"])))

    for flow_id in ("memo-never-1", "memo-never-2"):
        run(client, flow_id, "memo-never", {"n": 4})

    assert 2 == len(endpoint.calls)


def test_steps_that_do_the_same_share_results(client: Client, services: StepServices) -> None:
    """Another id, name and labels are no other call; another parallelism is."""
    endpoint = services["memo-shared"].answers(Reply(body={"out": 1}))
    specs = attributes(["n"], ["out"])
    client.register(sync("memo-one", endpoint.url, specs, memoizable=True))
    run(client, "memo-one", "memo-one", {"n": 4})
    client.forget_steps()
    other = sync("memo-two", endpoint.url, specs, memoizable=True, labels={"team": "a"})
    client.register(other)
    run(client, "memo-two", "memo-two", {"n": 4})
    assert (HIT, 1) == (client.types("memo-two"), len(endpoint.calls))

    changed = other | {"work_config": {"parallelism": 7}}
    assert 200 == request(f"{client.base_url}/engine/step/memo-two", "PUT", changed).status
    run(client, "memo-three", "memo-two", {"n": 4})
    assert ("work_started" in client.types("memo-three"), 2) == (True, len(endpoint.calls))


@pytest.mark.parametrize("parallelism", [1, 4])
def test_hits_of_a_fan_out_succeed_once_each_x16(client: Client, services: StepServices, parallelism: int) -> None:
    """Repeated values and a repeated flow: the results are in item order, and the log has each success once."""
    endpoint = services[f"memo-each-{parallelism}"].computes(lambda given: {"twice": given["n"] * 2})
    step_id = f"memo-each-{parallelism}"
    step = sync(step_id, endpoint.url, fanned("n", "twice"), memoizable=True)
    client.register(step | {"work_config": {"parallelism": parallelism}})
    values = [3, 1, 2] * 10

    first = run(client, f"{step_id}-first", step_id, {"n": values})
    calls = len(endpoint.calls)
    second = run(client, f"{step_id}-second", step_id, {"n": [*reversed(values), 9]})

    expected = [{"n": n, "twice": n * 2} for n in values]
    assert expected == first["attributes"]["twice"][0]["value"]
    assert [*reversed(expected), {"n": 9, "twice": 18}] == second["attributes"]["twice"][0]["value"]
    assert (True, calls + 1) == (3 <= calls <= 3 * parallelism, len(endpoint.calls))
    assert 31 == len(client.of_type(f"{step_id}-second", "work_succeeded"))
    assert [9] == [event["data"]["inputs"]["n"] for event in client.of_type(f"{step_id}-second", "work_started")]


def test_a_webhook_is_remembered(client: Client, services: StepServices) -> None:
    """What a service sent later answers the next call at once."""
    endpoint = services["memo-later"].decides(
        lambda call: Reply(status=202, before=lambda call: request(call.webhook_url, "POST", {"receipt": "r-1"}))
    )
    client.register(asynchronous("memo-later", endpoint.url, attributes(["n"], ["receipt"]), memoizable=True))

    for flow_id in ("memo-later-1", "memo-later-2"):
        state = run(client, flow_id, "memo-later", {"n": 4})
        assert "r-1" == state["attributes"]["receipt"][0]["value"]

    assert (HIT, 1) == (client.types("memo-later-2"), len(endpoint.calls))


def test_a_child_flow_is_remembered(client: Client, services: StepServices) -> None:
    """The second parent starts no child and gets the same attributes."""
    endpoint = services["memo-inner"].computes(lambda given: {"twice": given["n"] * 2})
    client.register(sync("memo-inner", endpoint.url, attributes(["n"], ["twice"])))
    outer = {"id": "memo-outer", "name": "outer", "type": "flow", "flow": {"goals": ["memo-inner"]}}
    specs = {"n": {"role": "required"}, "result": {"role": "output", "output": {"mapping": {"name": "twice"}}}}
    client.register(outer | {"attributes": specs, "memoizable": True})

    for flow_id in ("memo-outer-1", "memo-outer-2"):
        assert 8 == run(client, flow_id, "memo-outer", {"n": 4})["attributes"]["result"][0]["value"]

    assert (HIT, 1) == (client.types("memo-outer-2"), len(endpoint.calls))
    (token,) = client.state("memo-outer-2")["executions"]["memo-outer"]["work_items"]
    assert 404 == client.get(f"/engine/flow/memo-outer-2:memo-outer:{token}").status


def test_a_script_is_remembered(client: Client) -> None:
    """A hit of a script has no start either, and leads to what depends on it."""
    client.register(
        script("memo-script", "return {twice = n * 2}", attributes(["n"], ["twice"]), memoizable=True),
        script("memo-after", "return {four = twice * 2}", attributes(["twice"], ["four"])),
    )

    for flow_id in ("memo-script-1", "memo-script-2"):
        assert 16 == run(client, flow_id, "memo-after", {"n": 4})["attributes"]["four"][0]["value"]

    started = [event["data"]["step_id"] for event in client.of_type("memo-script-2", "work_started")]
    assert ["memo-after"] == started


def test_failures_are_not_remembered(client: Client, services: StepServices) -> None:
    """A refused call is made again by the next flow."""
    endpoint = services["memo-no"].answers(Reply(status=400), Reply(body={"out": 1}))
    client.register(sync("memo-no", endpoint.url, attributes(["n"], ["out"]), memoizable=True))

    statuses = [run(client, flow_id, "memo-no", {"n": 4})["status"] for flow_id in ("memo-no-1", "memo-no-2")]

    assert (["failed", "completed"], 2) == (statuses, len(endpoint.calls))


def test_a_retry_is_a_call(client: Client, services: StepServices) -> None:
    """Another flow was answered while the first waited; its retry is made all the same."""
    endpoint = services["memo-retry"].answers(Reply(status=503), Reply(body={"out": 1}), Reply(body={"out": 2}))
    step = sync("memo-retry", endpoint.url, attributes(["n"], ["out"]), memoizable=True)
    client.register(step | {"work_config": retries(3, 3_000)})
    client.start("memo-retry-1", ["memo-retry"], {"n": 4})
    client.await_event("memo-retry-1", "work_retry_scheduled")

    assert 1 == run(client, "memo-retry-2", "memo-retry", {"n": 4})["attributes"]["out"][0]["value"]
    assert 2 == client.await_end("memo-retry-1")["attributes"]["out"][0]["value"]
    assert 1 == run(client, "memo-retry-3", "memo-retry", {"n": 4})["attributes"]["out"][0]["value"]
    assert 3 == len(endpoint.calls)


def remembered(stack: Stack) -> int:
    """How many results are kept in the store."""
    with stack.engine_redis() as redis:
        count: Any = redis.hlen(f"{{{stack.config.engine_redis.prefix}}}:memo")
    return int(count)


def test_results_outlive_the_workers(stack: Stack, client: Client, services: StepServices) -> None:
    """New processes find what those before them have kept."""
    endpoint = services["memo-restart"].answers(Reply(body={"out": 1}))
    client.register(sync("memo-restart", endpoint.url, attributes(["n"], ["out"]), memoizable=True))
    before = remembered(stack)
    run(client, "memo-restart-1", "memo-restart", {"n": 4})
    eventually("one more result", lambda: remembered(stack) > before)

    stack.kill_worker(WORK)
    stack.start_worker(WORK)
    run(client, "memo-restart-2", "memo-restart", {"n": 4})

    assert (HIT, 1) == (client.types("memo-restart-2"), len(endpoint.calls))


def test_a_lost_memory_fails_nothing(stack: Stack, client: Client, services: StepServices) -> None:
    """Where the memory is broken, steps are called."""
    endpoint = services["memo-broken"].answers(Reply(body={"out": 1}))
    client.register(sync("memo-broken", endpoint.url, attributes(["n"], ["out"]), memoizable=True))
    key = f"{{{stack.config.engine_redis.prefix}}}:memo"
    with stack.engine_redis() as redis:
        redis.delete(key, f"{key}:order")
        redis.set(key, "of another type")
        try:
            for number in (1, 2):
                state = run(client, f"memo-broken-{number}", "memo-broken", {"n": number})
                assert "completed" == state["status"]
        finally:
            redis.delete(key)

    assert 2 == len(endpoint.calls)
