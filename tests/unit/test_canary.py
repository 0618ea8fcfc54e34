# SPDX-License-Identifier: Apache-2.0
"""The canary: a flow through store, queue and worker that is forgotten whatever comes of it."""

import pytest

from argyll_engine.canary import Canaries, Canary
from argyll_engine.errors import StoreUnavailableError
from argyll_engine.model.ids import CHILD_SEPARATOR, is_canary, is_child
from argyll_engine.model.invocation import Failed, Succeeded
from argyll_engine.model.listing import FlowQuery
from tests.workshop import Workshop


class Remains:
    """Notes what is to be forgotten; before that the worker may run, and the lists are looked at."""

    def __init__(self, workshop, left=()):
        self._workshop = workshop
        self._left = left
        self.begun = []
        self.forgotten = []
        self.listed = None

    def begin(self, flow_id):
        """Notes it, and tells of what killed processes have left."""
        self.begun.append(flow_id)
        return self._left

    def forget(self, flow_id):
        """Notes it."""
        self.listed = self._workshop.engine.queries.query(FlowQuery()).items
        self.forgotten.append(flow_id)


def canary_of(workshop, patience_seconds=60.0, left=()):
    """A canary whose flow is worked on as soon as it is looked for."""
    remains = Remains(workshop, left)
    parts = workshop.parts
    canary = Canary(
        flows=parts.flow_executor,
        projections=Working(parts.flows, workshop),
        scripts=parts.scripts,
        remains=remains,
        patience_seconds=patience_seconds,
    )
    return canary, remains


class Working:
    """The projections of a process beside which a worker is at work."""

    def __init__(self, projections, workshop):
        self._projections, self._workshop = projections, workshop

    def load(self, streams):
        """What is there when the worker has done its part."""
        self._workshop.deliver_all()
        return self._projections.load(streams)

    def forget(self, stream_id):
        """Passed on."""
        self._projections.forget(stream_id)


def test_a_canary_that_completes_gives_its_time_and_is_forgotten():
    """No list shows it meanwhile, and nobody asks for a parent that it has not."""
    workshop = Workshop(lambda _: Succeeded(outputs={"result": 1}))
    canary, remains = canary_of(workshop)
    assert 0.0 < canary.run() < 60.0
    (flow_id,) = remains.forgotten
    assert is_canary(flow_id) and is_child(flow_id)
    assert ((), {}) == (remains.listed, dict(workshop.engine.queries.catalog().steps))


def test_a_canary_that_fails_gives_no_time():
    """A worker that cannot run a script is no worker."""
    canary, remains = canary_of(Workshop(lambda _: Failed(error="no")))
    assert canary.run() is None
    assert 1 == len(remains.forgotten)


def test_what_a_killed_process_has_left_is_forgotten_by_the_next_canary():
    """Before its own flow begins, of which it leaves a note first."""
    canary, remains = canary_of(Workshop(), patience_seconds=0.0, left=("old-1", "old-2"))
    canary.run()
    assert ["old-1", "old-2", *remains.begun] == remains.forgotten


def test_a_canary_that_nobody_works_on_is_forgotten_after_its_time():
    """It is not waited for any longer."""
    canary, remains = canary_of(Workshop(), patience_seconds=0.0)
    assert canary.run() is None
    assert 1 == len(remains.forgotten)


def test_a_store_that_is_away_is_an_error():
    """The probe says so; it is not taken for a slow worker."""

    class Away:
        def begin(self, flow_id):
            return ()

        def forget(self, flow_id):
            raise StoreUnavailableError("flow", "refused")

    workshop = Workshop()
    parts = workshop.parts
    canary = Canary(
        flows=parts.flow_executor, projections=parts.flows, scripts=parts.scripts, remains=Away(), patience_seconds=0.0
    )
    with pytest.raises(StoreUnavailableError):
        canary.run()


def test_no_child_of_a_flow_is_taken_for_a_canary():
    """Ids of flows are never empty, so no child's id begins with the separator."""
    assert not is_canary(CHILD_SEPARATOR.join(("canary", "step", "token")))


class Took:
    """A canary that took so long; None for one that did not complete, an error for a store that is away."""

    def __init__(self, outcome):
        self._outcome = outcome

    def run(self):
        """The outcome."""
        if isinstance(self._outcome, StoreUnavailableError):
            raise self._outcome
        return self._outcome


AWAY = StoreUnavailableError("flow", "away")


@pytest.mark.parametrize(
    ("outcomes", "expected"), [((0.1, 0.3, 0.2), 0.3), ((0.1, AWAY), 0.1), ((AWAY, None), None), ((0.1, None), None)]
)
def test_of_several_stores_the_slowest_counts(outcomes, expected):
    """Of those that answer; a flow that does not complete on one of them is no good."""
    assert expected == Canaries([Took(outcome) for outcome in outcomes]).run()


def test_without_any_store_nobody_knows():
    """The first reason is told."""
    with pytest.raises(StoreUnavailableError, match="away"):
        Canaries([Took(AWAY), Took(AWAY)]).run()
