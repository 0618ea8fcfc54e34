# SPDX-License-Identifier: Apache-2.0
"""Optional inputs that are waited for, up to a deadline."""

from datetime import timedelta

import pytest

from argyll_engine.model.commands import WakeStep
from argyll_engine.model.effects import WakeAt
from argyll_engine.model.flow import StepStatus
from argyll_engine.model.ids import StepID
from tests.definitions import a_step, equals, optional, output, required
from tests.fakes import START
from tests.scenario import FLOW, complete, fail, given

PROVIDER = a_step("p", {"o": output()})


def waiting(deadline_ms=1_000, **attributes):
    """A goal `g` with an optional input `o` of this deadline."""
    return a_step("g", {"o": optional(default="0", deadline_ms=deadline_ms)} | attributes)


def wake(step_id="g"):
    """The deadline of a step has come."""
    return WakeStep(step_id=StepID(step_id))


def timers(flow):
    """When steps will be looked at, by step."""
    return {effect.step_id: effect.at for effect in flow.effects if isinstance(effect, WakeAt)}


def test_a_step_waits_for_its_optional_input():
    """It is looked at again when the deadline ends, counted from the start of the flow."""
    flow = given([PROVIDER, waiting()], ["g"])

    assert StepStatus.PENDING == flow.state.executions["g"].status
    assert {"g": START + timedelta(seconds=1)} == timers(flow)


def test_without_a_deadline_nothing_is_waited_for():
    """The default is taken at once."""
    flow = given([PROVIDER, waiting(deadline_ms=0)], ["g"])

    assert {"o": 0} == flow.state.executions["g"].inputs


def test_a_value_in_time_is_used():
    """The step starts with it, and its timer finds nothing to do."""
    flow = given([PROVIDER, waiting()], ["g"]).after(milliseconds=500).when(complete("p", {"o": 5}))
    assert {"o": 5} == flow.state.executions["g"].inputs

    flow.after(milliseconds=500).when(wake()).then()


def test_at_the_deadline_the_default_is_taken():
    """The step starts without the value that did not come."""
    flow = given([PROVIDER, waiting()], ["g"]).after(seconds=1).when(wake())

    flow.then_named("StepStarted g")
    assert {"o": 0} == flow.state.executions["g"].inputs


def test_a_timer_before_its_time_is_set_again():
    """Nothing is recorded."""
    flow = given([PROVIDER, waiting()], ["g"]).after(milliseconds=999).when(wake())

    flow.then()
    assert {"g": START + timedelta(seconds=1)} == timers(flow)


def test_the_window_opens_when_the_required_inputs_are_there():
    """A slow required input gives optional ones more time."""
    steps = [PROVIDER, a_step("q", {"r": output()}), waiting(r=required())]
    flow = given(steps, ["g"])
    assert {} == timers(flow)

    flow.after(seconds=5).when(complete("q", {"r": 1}))

    assert {"g": START + timedelta(seconds=6)} == timers(flow)


def test_the_window_opens_with_the_value_that_the_gate_accepts():
    """An earlier value that the gate refused does not count."""
    steps = [PROVIDER, a_step("q", {"r": output()}), waiting(r=required(match=equals("yes"), collect="first"))]
    flow = given(steps, ["g"], {"r": ("no",)})
    assert {} == timers(flow)


def test_a_value_after_the_deadline_is_not_used():
    """Even when the step starts later for another reason."""
    steps = [
        PROVIDER,
        a_step("p2", {"o2": output()}),
        waiting(o2=optional(default="9", deadline_ms=5_000)),
    ]
    flow = given(steps, ["g"]).after(seconds=2).when(complete("p", {"o": 5}))
    assert StepStatus.PENDING == flow.state.executions["g"].status

    flow.after(seconds=1).when(complete("p2", {"o2": 6}))

    assert {"o": 0, "o2": 6} == flow.state.executions["g"].inputs


@pytest.mark.parametrize("outcome", [fail("p"), complete("p", {})])
def test_a_provider_that_gives_nothing_ends_the_wait(outcome):
    """There is nothing to wait for any more."""
    flow = given([PROVIDER, waiting()], ["g"]).when(outcome)

    assert {"o": 0} == flow.state.executions["g"].inputs


def test_x21_values_of_one_commit_came_at_the_same_time():
    """A provider that gives a required and an optional input at once is not late with the optional one."""
    both = a_step("p", {"r": output(), "o": output()})
    consumer = a_step("g", {"r": required(), "o": optional(default="0")})

    flow = given([both, consumer], ["g"]).after(seconds=1).when(complete("p", {"r": 1, "o": 5}))

    assert {"r": 1, "o": 5} == flow.state.executions["g"].inputs
    assert 1 == len({recorded.at for recorded in flow.last})


def test_a_provider_that_is_no_longer_needed_is_skipped():
    """It was pending behind something slow when the deadline passed."""
    slow = a_step("slow", {"s": output()})
    behind = a_step("behind", {"s": required(), "o": output()})
    flow = given([slow, behind, waiting()], ["g"]).after(seconds=1).when(wake())

    assert StepStatus.SKIPPED == flow.state.executions["behind"].status


def test_an_ended_flow_ignores_deadlines():
    """And has no timers."""
    flow = given([PROVIDER, waiting(), a_step("z")], ["g", "z"]).when(fail("z"))

    flow.after(seconds=1).when(wake()).then()
    assert {} == timers(flow)


def test_x36_recovery_looks_at_steps_that_may_wait():
    """A timer that was lost, or fell due while everything was down, is made up for."""
    flow = given([PROVIDER, waiting()], ["g"]).after(seconds=30)

    assert WakeAt(flow_id=FLOW, step_id=StepID("g")) in flow.resumed()
