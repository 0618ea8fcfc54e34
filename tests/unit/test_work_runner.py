# SPDX-License-Identifier: Apache-2.0
"""Messages in the hands of workers: run, repeated, late, superseded; and what recovery sends again."""

from argyll_engine.model.flow import FlowStatus, WorkStatus
from argyll_engine.model.ids import FlowID, StepID, Token, flow_stream
from argyll_engine.model.invocation import Accepted, Failed, NotCompleted, Succeeded
from argyll_engine.model.step import StepType
from tests.definitions import a_script_step, a_step, output, required
from tests.workshop import Workshop

CHAIN = [a_step("a", {"x": output()}), a_script_step("b", {"x": required(), "y": output()})]


def test_a_flow_runs_to_its_end():
    """Each message leads to the next until the flow is deactivated; a script's start and result are one commit."""
    shop = Workshop(lambda call: Succeeded(outputs={"x": 1, "y": 2}))
    shop.start(CHAIN, ["b"])

    shop.deliver_all()

    assert [
        "flow_started",
        "step_started",
        "work_started",
        "work_succeeded",
        "attribute_set",
        "step_completed",
        "step_started",
        "work_started",
        "work_succeeded",
        "attribute_set",
        "step_completed",
        "flow_completed",
        "flow_deactivated",
    ] == shop.log_of()
    assert [("a", {}), ("b", {"x": 1})] == [(call.step_id, call.arguments) for call in shop.client.calls]


def test_a_repeated_message_invokes_once():
    """The second delivery finds the attempt started, in whichever process it arrives."""
    shop = Workshop()
    shop.start([a_step("a")], ["a"])
    (message,) = shop.messages()

    shop.runner.run(*message)
    shop.runner.run(*message)
    shop.another_worker("w2").run(*message)

    assert 1 == len(shop.client.calls)


def test_a_repeated_script_message_records_once():
    """Another process that still has the old state may run the script, but its result is not recorded."""
    shop = Workshop(lambda call: Succeeded(outputs={"y": len(shop.client.calls)}))
    shop.start([a_script_step("a", {"y": output()})], ["a"])
    (message,) = shop.messages()
    other = shop.another_worker("w2")
    other.run(FlowID("f"), StepID("a"), Token("unknown"), 1)  # makes it load the flow

    shop.runner.run(*message)
    other.run(*message)

    assert 1 == shop.log_of().count("work_succeeded")
    assert {"y": 1} == shop.engine.queries.flow(FlowID("f")).executions[StepID("a")].outputs


def test_messages_about_nothing_are_dropped():
    """An unknown flow, step or token leaves no trace and raises nothing."""
    shop = Workshop()
    shop.start([a_step("a")], ["a"])
    before = shop.log_of()

    shop.runner.run(FlowID("nope"), StepID("a"), Token("t"), 1)
    shop.runner.run(FlowID("f"), StepID("nope"), Token("t"), 1)
    shop.runner.run(FlowID("f"), StepID("a"), Token("t"), 1)

    assert (before, []) == (shop.log_of(), shop.client.calls)


def test_no_answer_is_tried_again():
    """The next attempt carries the same token; delivered too early, it is put back."""
    answers = iter([NotCompleted(error="away"), Succeeded(outputs={})])
    shop = Workshop(lambda call: next(answers))
    shop.start([a_step("a")], ["a"])
    shop.runner.run(*shop.messages()[0])
    (retry,) = shop.messages()

    shop.runner.run(*retry)
    assert [retry] == list(shop.messages())
    shop.clock.move(seconds=1)
    shop.runner.run(*retry)

    first, second = shop.client.calls
    assert (first.token, [1, 2]) == (second.token, [first.attempt, second.attempt])
    assert FlowStatus.COMPLETED == shop.engine.queries.flow(FlowID("f")).status


def test_a_refusal_fails_the_flow():
    """Permanent failures are not tried again."""
    shop = Workshop(lambda call: Failed(error="no"))
    shop.start([a_step("a")], ["a"])

    shop.deliver_all()

    assert "step a failed: no" == shop.engine.queries.flow(FlowID("f")).error


def test_an_asynchronous_step_waits_for_its_webhook():
    """The accepted call leaves the item active until the webhook ends it; it is made again when its worker is dead."""
    shop = Workshop(lambda call: Accepted())
    shop.start([a_step("a", {"x": output()}, type=StepType.ASYNC)], ["a"])
    shop.deliver_all()
    (call,) = shop.client.calls
    assert f"http://engine/webhook/f/a/{call.token}" == call.webhook_url

    shop.clock.move(hours=1)
    shop.leases.refresh_worker("w1", int(shop.clock.at.timestamp() * 1000) + 15_000)
    assert 0 == shop.recovery.sweep()
    shop.clock.move(hours=1)
    assert 1 == shop.recovery.sweep()
    shop.deliver_all()
    assert [call.token, call.token] == [made.token for made in shop.client.calls]
    shop.engine.complete_work(FlowID("f"), StepID("a"), call.token, {"x": 1})

    assert FlowStatus.COMPLETED == shop.engine.queries.flow(FlowID("f")).status


def test_a_webhook_may_come_before_the_answer():
    """The call is answered after its webhook; nothing is left of it."""
    shop = Workshop()

    def answer_late(call):
        shop.engine.complete_work(call.flow_id, call.step_id, call.token, {})
        return Accepted()

    shop.client.answers = answer_late
    shop.start([a_step("a", type=StepType.ASYNC)], ["a"])
    shop.deliver_all()

    assert FlowStatus.COMPLETED == shop.engine.queries.flow(FlowID("f")).status
    assert {} == shop.backend.claims


def test_success_false_fails_the_item():
    """A webhook body that says so fails the item, as long as the step declares no such output."""
    shop = Workshop(lambda call: Accepted())
    shop.start([a_step("a", type=StepType.ASYNC)], ["a"])
    shop.deliver_all()

    shop.engine.complete_work(FlowID("f"), StepID("a"), shop.client.calls[0].token, {"success": False, "error": "no"})

    assert "step a failed: no" == shop.engine.queries.flow(FlowID("f")).error


def crash(call):
    """A fault in a client, which should never raise."""
    raise RuntimeError("a bug")


def test_a_fault_while_calling_is_an_attempt_without_an_answer():
    """The item is tried again, and does not hang for as long as its worker lives."""
    shop = Workshop(crash)
    shop.start([a_step("a")], ["a"])
    shop.runner.run(*shop.messages()[0])

    assert ["work_started", "work_not_completed", "work_retry_scheduled"] == shop.log_of()[-3:]
    item = next(iter(shop.engine.queries.flow(FlowID("f")).executions[StepID("a")].work_items.values()))
    assert "work not completed\nthe worker could not run it: RuntimeError: a bug" == item.error


def test_a_fault_while_running_a_script_fails_it():
    """Scripts are not tried again."""
    shop = Workshop(crash)
    shop.start([a_script_step("a")], ["a"])
    shop.runner.run(*shop.messages()[0])

    assert "step a failed: the worker could not run it: RuntimeError: a bug" == (
        shop.engine.queries.flow(FlowID("f")).error
    )


def test_a_script_that_fails_is_unhealthy_until_it_works():
    """Each change is one event, whichever worker sees it."""
    answers = iter([Failed(error="boom"), Failed(error="boom"), Succeeded(outputs={}), Succeeded(outputs={})])
    shop = Workshop(lambda call: next(answers))
    shop.start([a_script_step("a")], ["a"])
    seen = []
    for number in range(4):
        shop.engine.start_flow(FlowID(f"f{number}"), (StepID("a"),), {}, {})
    for message in list(shop.messages())[:4]:
        shop.runner.run(*message)
        health = shop.engine.queries.step_health(StepID("a"))
        seen.append((health.status, health.error))

    assert [("unhealthy", "node argyll-1: boom")] * 2 + [("healthy", "")] * 2 == seen
    assert 3 == len(shop.engine.queries.cluster_log())


# ---- recovery --------------------------------------------------------------------------------


def test_a_lost_message_is_sent_again():
    """After the grace, and not before."""
    shop = Workshop()
    shop.start([a_step("a")], ["a"])
    lost = shop.messages()

    assert 0 == shop.recovery.sweep()
    shop.clock.move(seconds=16)
    assert 1 == shop.recovery.sweep()

    assert lost == shop.messages()


def test_the_work_of_a_dead_worker_is_done_by_another():
    """Its lease has run out; the item gets its next attempt, and the late answer of the dead one is no trouble."""
    shop = Workshop()
    shop.start([a_step("a", {"x": output()})], ["a"])
    (message,) = shop.messages()

    def die_and_recover(call):
        if call.attempt == 1:
            shop.clock.move(seconds=16)
            assert 1 == shop.recovery.sweep()
            shop.another_worker("w2").run(*shop.messages()[0])
        return Succeeded(outputs={"x": call.attempt})

    shop.client.answers = die_and_recover
    shop.runner.run(*message)

    assert [1, 2] == [call.attempt for call in shop.client.calls]
    assert {"x": 2} == shop.engine.queries.flow(FlowID("f")).executions[StepID("a")].outputs
    assert 1 == shop.log_of().count("work_succeeded")


def test_a_long_call_of_a_live_worker_is_left_alone():
    """However long it takes, as long as its worker refreshes its lease."""
    shop = Workshop()
    shop.start([a_step("a")], ["a"])
    (message,) = shop.messages()

    def take_long(call):
        for _ in range(20):
            shop.clock.move(seconds=10)
            shop.leases.refresh_worker("w1", int(shop.clock.at.timestamp() * 1000) + 15_000)
            assert 0 == shop.recovery.sweep()
        return Succeeded(outputs={})

    shop.client.answers = take_long
    shop.runner.run(*message)

    assert 1 == len(shop.client.calls)


def test_a_flow_that_has_ended_is_not_looked_at():
    """It leaves the list of what is due."""
    shop = Workshop()
    shop.start([a_step("a")], ["a"])
    shop.deliver_all()

    assert {} == shop.backend.due


def test_one_sweep_at_a_time():
    """A second scheduler finds the lease taken."""
    shop = Workshop()
    shop.start([a_step("a")], ["a"])
    shop.clock.move(seconds=16)

    assert [1, 0] == [shop.recovery.sweep(), shop.recovery.sweep()]


def test_items_stay_within_the_claims_of_their_worker():
    """While a call runs its worker holds the item; afterwards nobody does."""
    shop = Workshop()
    shop.start([a_step("a"), a_step("b")], ["a", "b"])
    held = []

    def look(call):
        now_ms = int(shop.clock.at.timestamp() * 1000)
        held.append(shop.leases.held(FlowID("f"), now_ms) == {call.token})
        return Succeeded(outputs={})

    shop.client.answers = look
    shop.deliver_all()

    assert [True, True] == held
    items = shop.engine.queries.flow(FlowID("f")).executions[StepID("a")].work_items.values()
    assert [WorkStatus.SUCCEEDED] == [item.status for item in items]


def test_a_log_that_lost_its_end_and_grew_again_is_read_again():
    """After a failover the log is as long as this process knows it, yet another one: nothing old is built upon."""
    shop = Workshop(lambda call: Succeeded(outputs={"y": 1}))
    shop.start([a_step("a"), a_script_step("b", {"y": output()})], ["a", "b"])
    other = shop.another_worker("w2")
    first, second = shop.messages()
    log = shop.backend.logs[flow_stream(FlowID("f"))]
    begun = len(log.events)
    other.run(*first)
    known = len(log.events)
    del log.events[begun:]
    shop.clock.move(seconds=1)
    shop.another_worker("w3").run(*first)
    assert known == len(log.events)

    other.run(*second)

    cached = other._projections.cached(flow_stream(FlowID("f")))
    assert cached is not None
    assert (shop.engine.queries.flow(FlowID("f")), FlowStatus.COMPLETED) == (cached.state, cached.state.status)
