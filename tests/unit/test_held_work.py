# SPDX-License-Identifier: Apache-2.0
"""Work of unhealthy steps: held back at the price of one message a step, and sent again when the step is well."""

from dataclasses import replace

import pytest

from argyll_engine.dispatch import RELEASE_HELD
from argyll_engine.model.flow import FlowStatus
from argyll_engine.model.ids import FlowID, StepID
from argyll_engine.model.invocation import Failed, NotCompleted, Succeeded
from argyll_engine.model.step import HttpConfig, StepType
from tests.definitions import a_flow_step, a_script_step, a_step, required
from tests.workshop import GRACE_SECONDS, Workshop

URL = "http://steps/health"
HTTP = HttpConfig(endpoint="http://steps/run", compensate="http://steps/undo", health_check=URL)
STEP = a_step("a", {"x": required(for_each=True)}, http=HTTP)
FAULT = "HTTP 503 Service Unavailable"


class Clinic(Workshop):
    """A workshop whose steps can fall ill; rounds of checks take no time."""

    def __init__(self, answers=lambda _: Succeeded(outputs={}), **settings):
        super().__init__(answers, health_check_interval_seconds=0.1, **settings)

    def ill(self):
        """The service is unhealthy from now on, and every process has noticed."""
        self.client.faults[URL] = FAULT
        self.checks.check()
        self.clock.move(seconds=1)

    def well(self):
        """The service is healthy again."""
        self.client.faults.clear()
        self.checks.check()

    def later(self):
        """A second later, with the messages that wait now obeyed."""
        self.clock.move(seconds=1)
        self.deliver_some()

    def queued(self, task):
        """How many messages of a task wait."""
        return sum(task in str(payload) for queue in self.backend.queues.values() for payload in queue)


def begun(shop, count=1, step=STEP):
    """A flow over some items."""
    shop.engine.register_step(replace(step, work_config=None))
    shop.engine.start_flow(FlowID("f"), (step.id,), {"x": ([*range(count)],)}, {})
    return shop


def test_first_work_waits_without_an_event():
    """Nothing is called or recorded; when the step is well, the work runs within a second."""
    shop = begun(Clinic())
    before = shop.log_of()
    shop.ill()
    for _ in range(3):
        shop.later()
    assert (before, [], 1) == (shop.log_of(), shop.client.calls, shop.queued(RELEASE_HELD))
    shop.well()
    shop.later()
    shop.deliver_all()
    assert (1, FlowStatus.COMPLETED) == (len(shop.client.calls), shop.engine.queries.flow(FlowID("f")).status)


def test_many_flows_wait_with_one_message():
    """Not one for each flow, item or worker."""
    shop = begun(Clinic())
    for number in range(9):
        shop.engine.start_flow(FlowID(f"g{number}"), (StepID("a"),), {"x": ([1, 2],)}, {})
    shop.ill()
    shop.deliver_some()
    assert (1, 1) == (shop.queued(RELEASE_HELD), sum(map(len, shop.backend.queues.values())))
    shop.well()
    shop.later()
    shop.deliver_all()
    assert 19 == len(shop.client.calls)


def test_the_next_item_is_deferred():
    """A step that falls ill between two items: one event says so."""
    shop = begun(Clinic(), 2)
    shop.deliver_some()
    shop.ill()
    shop.deliver_some()
    assert "dispatch_deferred" == shop.log_of()[-1]
    for _ in range(3):
        shop.later()
    assert 1 == shop.log_of().count("dispatch_deferred")
    shop.well()
    shop.later()
    shop.deliver_all()
    assert "flow_deactivated" == shop.log_of()[-1]


def test_x18_at_most_one_deferral_an_item_and_second():
    """However often the messages of a retry come."""
    shop = begun(Clinic(lambda _: NotCompleted(error="away")))
    shop.deliver_some()
    shop.ill()
    (retry,) = shop.messages()
    shop.clock.move(seconds=2)
    for _ in range(5):
        shop.runner.run(*retry)
    assert 1 == shop.log_of().count("dispatch_deferred")
    shop.clock.move(seconds=2)
    shop.runner.run(*retry)
    assert (2, 1) == (shop.log_of().count("dispatch_deferred"), len(shop.client.calls))


def test_a_retry_before_its_time_goes_on_waiting():
    """It is put back, not held."""
    shop = begun(Clinic(lambda _: NotCompleted(error="away")))
    shop.deliver_some()
    (retry,) = shop.messages()
    shop.ill()
    shop.clock.move(seconds=-0.5)
    shop.another_worker("w2").run(*retry)
    assert ([retry], 0) == (list(shop.messages()), shop.log_of().count("dispatch_deferred"))


def test_undoing_waits():
    """And is done when the step is well."""
    answers = iter([Succeeded(outputs={}), Failed(error="no")])
    shop = begun(Clinic(lambda _: next(answers)), 2)
    shop.deliver_some()
    (second,) = shop.messages()
    shop.runner.run(*second)
    shop.ill()
    shop.deliver_some()
    assert ([], "dispatch_deferred") == (shop.client.undone, shop.log_of()[-1])
    shop.well()
    shop.later()
    shop.deliver_all()
    assert (1, "flow_deactivated") == (len(shop.client.undone), shop.log_of()[-1])


def test_a_lost_message_is_made_up_for():
    """The sweep watches again what nobody watches, and only that."""
    shop = begun(Clinic())
    shop.ill()
    shop.deliver_some()
    shop.held.revive()
    assert 1 == shop.queued(RELEASE_HELD)
    shop.backend.queues.clear()
    shop.clock.move(seconds=11)
    shop.held.revive()
    assert 1 == shop.queued(RELEASE_HELD)
    shop.well()
    shop.later()
    shop.deliver_all()
    assert 1 == len(shop.client.calls)


def test_recovery_does_not_storm():
    """It sends a held item again now and then; the item is held again, with the same one message."""
    shop = begun(Clinic(), 50)
    shop.ill()
    shop.deliver_some()
    sent = 0
    for _ in range(10 * int(GRACE_SECONDS)):
        shop.held.revive()
        sent += shop.recovery.sweep()
        assert shop.queued(RELEASE_HELD) == 1
        shop.later()
    assert 0 < sent < 10
    assert 0 == shop.log_of().count("dispatch_deferred")


def test_two_watches_become_one():
    """A watch that finds another in its place ends."""
    shop = begun(Clinic())
    shop.ill()
    shop.deliver_some()
    shop.held.release(StepID("a"), "another")
    assert 1 == shop.queued(RELEASE_HELD)


@pytest.mark.parametrize("change", ["updated", "removed"])
def test_a_step_that_is_changed_is_free(change):
    """A new definition starts without a fault, and nobody looks after a step that is gone."""
    shop = begun(Clinic())
    shop.ill()
    shop.deliver_some()
    if change == "updated":
        shop.engine.update_step(replace(STEP, work_config=None, name="new"))
    else:
        shop.engine.unregister_step(StepID("a"))
    shop.later()
    shop.deliver_all()
    assert 1 == len(shop.client.calls)


def test_a_flow_step_waits_too():
    """By what the round derived from the steps of its plan."""
    shop = Clinic()
    for step in (replace(STEP, attributes={}), a_flow_step("flow", ["a"])):
        shop.engine.register_step(replace(step, work_config=None))
    shop.ill()
    shop.engine.start_flow(FlowID("f"), (StepID("flow"),), {}, {})
    shop.deliver_some()
    assert 0 == shop.log_of().count("work_started")
    shop.well()
    shop.later()
    shop.deliver_all()
    assert 1 == shop.log_of().count("work_started")


def test_a_script_that_failed_once_is_not_held():
    """Its next run may well succeed, and makes it healthy again."""
    answers = iter([Failed(error="boom"), Succeeded(outputs={})])
    shop = Clinic(lambda _: next(answers))
    shop.engine.register_step(replace(a_script_step("s"), work_config=None))
    for flow_id in ("f", "g"):
        shop.engine.start_flow(FlowID(flow_id), (StepID("s"),), {}, {})
        shop.deliver_all()
    assert FlowStatus.COMPLETED == shop.engine.queries.flow(FlowID("g")).status
    assert "healthy" == shop.engine.queries.step_health(StepID("s")).status


def test_accepted_calls_are_not_touched():
    """An asynchronous item that waits for its webhook is completed by it, whatever the health."""
    shop = begun(Clinic(), 1, replace(STEP, type=StepType.ASYNC))
    (message,) = shop.messages()
    shop.ill()
    shop.runner.run(*message)
    shop.engine.complete_work(FlowID("f"), StepID("a"), message[2], {})
    shop.well()
    shop.later()
    shop.deliver_all()
    assert (0, "flow_deactivated") == (len(shop.client.calls), shop.log_of()[-1])


def test_unhealthy_work_fails_where_it_is_to_be_refused():
    """At once, naming what is wrong, and without a call."""
    shop = begun(Clinic(step_unhealthy="fail"))
    shop.ill()
    shop.deliver_all()
    state = shop.engine.queries.flow(FlowID("f"))
    assert (f"step a failed: step unhealthy: {FAULT}", []) == (state.error, shop.client.calls)
