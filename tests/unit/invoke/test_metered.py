# SPDX-License-Identifier: Apache-2.0
"""Calls of steps are timed by step, and known to be under way."""

import pytest

from argyll_engine.invoke.metered import MeteredCallClient, MeteredCompensationClient, MeteredStepClient
from argyll_engine.model.ids import CANARY_PREFIX, FlowID, StepID, Token
from argyll_engine.model.invocation import Invocation, Succeeded
from argyll_engine.model.step import Step
from argyll_engine.progress import PROGRESS
from tests.unit.metrics.readings import growth

OUTCOME = Succeeded(outputs={})


class Client:
    """Notes how many calls were known to be under way while it was called."""

    def __init__(self):
        self.calls = 0

    def invoke(self, invocation):
        """An outcome, or a crash for a step called `crash`."""
        self.calls = PROGRESS.calls
        if invocation.step_id == "crash":
            raise ZeroDivisionError
        return OUTCOME

    def begin(self, invocation, done):
        """The same, told."""
        done(self.invoke(invocation))

    def compensate(self, compensation):
        """The same."""
        self.calls = PROGRESS.calls
        return OUTCOME


class Telling:
    """Tells the same end of every call."""

    def __init__(self, end):
        self._end = end

    def begin(self, _invocation, done):
        """At once."""
        done(self._end)


def invocation(flow_id="f", step_id="timed"):
    """A call of a step."""
    step = Step(id=StepID(step_id), name="S", type="sync")
    return Invocation(
        flow_id=FlowID(flow_id), step_id=step.id, token=Token("t"), attempt=1, step=step, arguments={}, webhook_url=""
    )


def test_a_call_is_timed_and_under_way_while_it_lasts():
    """Its outcome is passed on."""
    client = Client()
    with growth() as grown:
        assert OUTCOME == MeteredStepClient(client).invoke(invocation())
    assert 1.0 == grown.of("argyll_work_duration_seconds_count", step_id="timed")
    assert (1, 0) == (client.calls, PROGRESS.calls)


def test_a_call_that_is_begun_is_timed_until_its_end():
    """Its end is passed on, and a fault of ours is not timed."""
    client, heard = Client(), []
    with growth() as grown:
        MeteredCallClient(client).begin(invocation(step_id="begun"), heard.append)
        MeteredCallClient(Telling(ValueError("a fault"))).begin(invocation(step_id="begun"), heard.append)
    assert 1.0 == grown.of("argyll_work_duration_seconds_count", step_id="begun")
    assert (1, 0) == (client.calls, PROGRESS.calls)
    assert [OUTCOME, ValueError] == [heard[0], type(heard[1])]


def test_a_call_that_cannot_begin_is_no_call():
    """Else the process would count as busy for ever."""
    with pytest.raises(ZeroDivisionError):
        MeteredCallClient(Client()).begin(invocation(step_id="crash"), lambda _: None)
    assert 0 == PROGRESS.calls


def test_a_crash_ends_the_call():
    """Else the process would count as busy for ever."""
    with pytest.raises(ZeroDivisionError):
        MeteredStepClient(Client()).invoke(invocation(step_id="crash"))
    assert 0 == PROGRESS.calls


def test_a_canary_is_not_timed():
    """Its step is no step of anybody's."""
    with growth() as grown:
        MeteredStepClient(Client()).invoke(invocation(flow_id=CANARY_PREFIX + "1"))
    assert 0.0 == grown.of("argyll_work_duration_seconds_count", step_id="timed")


def test_undoing_is_under_way_while_it_lasts():
    """It may take as long as a call."""
    client = Client()
    assert OUTCOME == MeteredCompensationClient(client).compensate(None)
    assert (1, 0) == (client.calls, PROGRESS.calls)
