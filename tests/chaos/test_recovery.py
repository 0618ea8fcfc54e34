# SPDX-License-Identifier: Apache-2.0
"""What a crash or a forgetful broker lost is started again; what a live worker or a service still does is left alone.

Source: the contract, execution §8; X17, X22.
"""

import time
from pathlib import Path
from typing import Any

import pytest

from argyll_engine.dispatch import RUN_WORK, CeleryDispatcher
from argyll_engine.ports import Message
from tests.acceptance.client import Client, eventually, request
from tests.acceptance.folding import faults_of_log, fold
from tests.acceptance.services import Reply, StepServices
from tests.acceptance.stack import GRACE_SECONDS, STEPS, WORK, Stack
from tests.acceptance.steps import asynchronous, attributes, retries, script, sync

LOOKS = 3
"""How often recovery must have looked at a flow before we believe that it leaves it alone: some graces long."""
ANSWER = Reply(body={"answer": 1})


def assert_completed(client: Client, flow_id: str) -> None:
    """The flow completes, its log is in order and amounts to the state that is served."""
    state, events = client.await_end(flow_id), client.events(flow_id)
    assert ("completed", [], state) == (state["status"], faults_of_log(events), fold(events))


def send_again(stack: Stack, queue: str, flow_id: str, step_id: str, token: str, attempt: int) -> None:
    """Publishes the message of a work item twice more."""
    message = Message(task=RUN_WORK, queue=queue, args=(flow_id, step_id, token, attempt))
    with stack.celery() as app:
        CeleryDispatcher(app, longest_wait_seconds=60).publish((message, message))


def is_serving(client: Client) -> bool:
    """Whether the API answers."""
    try:
        return client.get("/health").status == 200
    except OSError:
        return False


def call_step(**more: Any) -> Any:
    """A step that gives `answer`, but for its URL."""
    return {"specs": attributes(gives=["answer"])} | more


def test_call_of_a_killed_worker_is_made_again(stack: Stack, services: StepServices) -> None:
    """Another worker makes the call again with the same token when the one that waited for it was killed."""
    client = stack.client
    endpoint = services["cut"].answers(Reply(body={"answer": 0}, gate=services.gate()), ANSWER)
    client.register(sync("cut", endpoint.url, **call_step()))
    flow_id = client.start("killed-in-call", ["cut"])
    eventually("the first call", lambda: endpoint.calls)
    stack.kill_worker(WORK)
    stack.start_worker(WORK)
    assert_completed(client, flow_id)
    assert (2, 1, 2) == (len(endpoint.calls), len(set(endpoint.tokens)), client.types(flow_id).count("work_started"))


def test_script_of_a_killed_worker_runs_again(stack: Stack) -> None:
    """Work that a worker had taken from its queue, but not recorded, is done by the next one."""
    client = stack.client
    client.register(script("first", "return {answer = 1}", attributes(gives=["answer"])))
    stack.kill_worker(STEPS)
    flow_id = client.start("killed-in-script", ["first"])
    assert stack.queues.take("steps")  # what a worker does first: it takes the message away
    stack.start_worker(STEPS)
    assert_completed(client, flow_id)


def test_long_call_of_a_live_worker_is_left_alone(stack: Stack, services: StepServices) -> None:
    """However long a call takes, nobody makes it again while its worker lives; stale messages do not either."""
    client, gate = stack.client, services.gate()
    endpoint = services["long"].answers(Reply(body={"answer": 1}, gate=gate))
    client.register(sync("long", endpoint.url, **call_step()))
    flow_id = client.start("long-call", ["long"])
    eventually("the call", lambda: endpoint.calls)
    send_again(stack, "work", flow_id, "long", endpoint.calls[0].token, 1)
    stack.await_looks(flow_id, LOOKS)
    seen = len(endpoint.calls), client.types(flow_id).count("work_started")
    gate.set()
    assert_completed(client, flow_id)
    assert (1, 1) == seen


def test_accepted_call_is_made_again_when_its_worker_dies(stack: Stack, services: StepServices) -> None:
    """With the same token, once, and not while that worker lives; the webhook of either call ends the item."""
    client = stack.client
    endpoint = services["accepting"].answers(Reply(status=202))
    client.register(asynchronous("accepting", endpoint.url, **call_step()))
    flow_id = client.start("accepted", ["accepting"])
    eventually("the call", lambda: endpoint.calls)
    eventually("an idle worker", lambda: stack.has_idle_queues("work"))
    stack.await_looks(flow_id, LOOKS)
    assert 1 == len(endpoint.calls)
    stack.kill_worker(WORK)
    stack.start_worker(WORK)
    eventually("the second call", lambda: len(endpoint.calls) > 1)
    stack.await_looks(flow_id, LOOKS)
    token = endpoint.calls[0].token
    assert 200 == request(f"{client.base_url}/webhook/{flow_id}/accepting/{token}", "POST", {"answer": 1}).status
    assert_completed(client, flow_id)
    assert ([token, token], 2) == (endpoint.tokens, client.types(flow_id).count("work_started"))


@pytest.mark.parametrize("queue", ["steps", "work"])
def test_lost_message_is_sent_again(stack: Stack, services: StepServices, queue: str) -> None:
    """A flow whose message vanished from the broker goes on after the grace."""
    client = stack.client
    services["lost"].answers(ANSWER)
    client.register(
        script("lost-steps", "return {answer = 1}", attributes(gives=["answer"])),
        sync("lost-work", services["lost"].url, attributes(gives=["other"])),
    )
    stack.kill_worker()
    flow_id = client.start(f"lost-message-{queue}", [f"lost-{queue}"])
    assert 1 == stack.lose_messages(queue)
    stack.start_worker()
    assert_completed(client, flow_id)


def test_the_first_sweep_is_at_the_start(tmp_path: Path) -> None:
    """Beat begins with a sweep: what was lost while all was down goes on at once, however long the interval is."""
    stack = Stack(tmp_path, RECOVERY_INTERVAL="1h")
    try:
        stack.redis.start()
        stack.api.start()
        eventually("an answer of the API", lambda: is_serving(stack.client))
        stack.client.register(script("early", "return {answer = 1}", attributes(gives=["answer"])))
        flow_id = stack.client.start("lost-before-the-start", ["early"])
        assert 1 == stack.lose_messages("steps")
        time.sleep(GRACE_SECONDS)
        stack.mend()
        assert_completed(stack.client, flow_id)
    finally:
        stack.stop()


def test_retry_whose_timer_was_lost_is_made(stack: Stack, services: StepServices) -> None:
    """A retry that waited in a killed worker's memory, and that the broker forgot, is made all the same, not early."""
    client = stack.client
    endpoint = services["flaky"].answers(Reply(status=503), ANSWER)
    client.register(sync("flaky", endpoint.url, **call_step(work_config=retries(5, 1_000))))
    flow_id = client.start("lost-timer", ["flaky"])
    scheduled = client.await_event(flow_id, "work_retry_scheduled")
    stack.kill_worker(WORK)
    stack.lose_messages("work")
    stack.forget_deliveries()
    stack.start_worker(WORK)
    assert_completed(client, flow_id)
    retried_at = client.of_type(flow_id, "work_started")[1]["timestamp"]
    assert (2, True) == (len(endpoint.calls), retried_at >= scheduled["data"]["next_retry_at"])


@pytest.mark.parametrize("attempt", [0, 1, 2, 3])
def test_stale_message_calls_nobody(stack: Stack, services: StepServices, attempt: int) -> None:
    """Messages of an item that has ended, of whatever attempt, are taken from the queue and change nothing."""
    client = stack.client
    endpoint = services["once"].answers(ANSWER)
    client.register(sync("once", endpoint.url, **call_step()))
    flow_id = client.start(f"stale-{attempt}", ["once"])
    assert_completed(client, flow_id)
    before = client.events(flow_id)
    send_again(stack, "work", flow_id, "once", endpoint.calls[0].token, attempt)
    eventually("empty queues", lambda: stack.has_idle_queues("work"))
    assert (1, before) == (len(endpoint.calls), client.events(flow_id))


def test_message_that_is_delivered_twice_runs_once(stack: Stack) -> None:
    """Of three messages for the same attempt that wait together, one runs the script."""
    client = stack.client
    client.register(script("thrice", "return {answer = 1}", attributes(gives=["answer"])))
    stack.kill_worker(STEPS)
    flow_id = client.start("delivered-thrice", ["thrice"])
    (token,) = client.of_type(flow_id, "step_started")[0]["data"]["work_items"]
    send_again(stack, "steps", flow_id, "thrice", token, 1)
    stack.start_worker(STEPS)
    assert_completed(client, flow_id)
    eventually("empty queues", lambda: stack.has_idle_queues("steps"))
    assert 1 == client.types(flow_id).count("work_started")


def test_worker_that_hung_records_nothing_twice(stack: Stack, services: StepServices) -> None:
    """A worker that was paused past its lease, and whose call was made again, adds nothing when it goes on."""
    client = stack.client
    gate = services.gate()
    endpoint = services["paused"].answers(Reply(body={"answer": "first"}, gate=gate), Reply(body={"answer": "second"}))
    client.register(sync("paused", endpoint.url, **call_step()))
    flow_id = client.start("paused-worker", ["paused"])
    eventually("the first call", lambda: endpoint.calls)
    with stack.replaced_worker(WORK):
        assert_completed(client, flow_id)
        before = client.events(flow_id)
        gate.set()
    eventually("empty queues", lambda: stack.has_idle_queues("work"))
    assert ("second", before) == (client.state(flow_id)["attributes"]["answer"][0]["value"], client.events(flow_id))


def test_flows_survive_the_loss_of_everything_but_redis(stack: Stack, services: StepServices) -> None:
    """All processes die at once with calls under way; new ones finish the flows from what Redis holds."""
    client, gate = stack.client, services.gate()
    endpoint = services["held"].answers(*[Reply(body={"answer": 0}, gate=gate)] * 5, ANSWER)
    client.register(
        sync("held", endpoint.url, **call_step()),
        script("after", "return {last = answer}", attributes(["answer"], ["last"])),
    )
    flow_ids = [client.start(f"all-died-{number}", ["after"]) for number in range(5)]
    eventually("all calls", lambda: len(endpoint.calls) == 5)
    stack.kill_worker()
    stack.api.kill()
    stack.beat.kill()
    stack.kill_redis()
    stack.mend()
    for flow_id in flow_ids:
        assert_completed(client, flow_id)
    assert 5 == len(set(endpoint.tokens))


def test_unreadable_log_stops_no_other_flow(stack: Stack) -> None:
    """A flow whose log is damaged is left out by recovery; the others, due after it, are started again."""
    client = stack.client
    client.register(script("any", "return {answer = 1}", attributes(gives=["answer"])))
    stack.kill_worker()
    damaged, sound = (client.start(f"{kind}-log", ["any"]) for kind in ("damaged", "sound"))
    log = f"{{{stack.config.flow_redis.prefix}}}:flow:{damaged}:events"
    with stack.flow_redis() as redis:
        first = redis.lindex(log, 0)
        redis.lset(log, 0, "{")
        redis.zadd(stack.due_key, {"without-a-log": 1})
        stack.lose_messages("steps")
        stack.start_worker()
        assert_completed(client, sound)
        redis.lset(log, 0, first)  # type: ignore[arg-type]  # redis-py types answers for both its kinds of clients
        redis.zrem(stack.due_key, "without-a-log")


def test_worker_that_hung_leaves_the_next_attempt_alone(stack: Stack, services: StepServices) -> None:
    """What a paused worker hears too late does not end the claim of the worker that makes the call now."""
    client, late, now = stack.client, services.gate(), services.gate()
    endpoint = services["taken"].answers(Reply(status=503, gate=late), Reply(body={"answer": 1}, gate=now))
    client.register(sync("taken", endpoint.url, **call_step()))
    flow_id = client.start("taken-over", ["taken"])
    eventually("the first call", lambda: endpoint.calls)
    with stack.replaced_worker(WORK) as resume:
        eventually("the second call", lambda: len(endpoint.calls) == 2)
        late.set()
        resume()
        stack.await_looks(flow_id, LOOKS)
        seen = len(endpoint.calls), client.types(flow_id).count("work_not_completed")
        now.set()
        assert_completed(client, flow_id)
    assert (2, 0) == seen
