# SPDX-License-Identifier: Apache-2.0
"""What the notes of waiting flows promise, memory and Redis alike."""

from argyll_engine.model.ids import FlowID, StepID
from tests.contract.conftest import Backend

STEP, OTHER = StepID("a:b"), StepID("c")
FLOWS = [FlowID(f"f{number}") for number in range(5)]


def test_each_flow_is_taken_once(backend: Backend) -> None:
    """As many as asked for, until none is left; added twice is there once."""
    for flow_id in (*FLOWS, FLOWS[0]):
        backend.held.add(STEP, flow_id)
    first, second = backend.held.take(STEP, 3), backend.held.take(STEP, 3)
    assert (3, 2, ()) == (len(first), len(second), backend.held.take(STEP, 3))
    assert FLOWS == sorted((*first, *second))


def test_steps_are_apart(backend: Backend) -> None:
    """A step's flows say nothing of another step."""
    backend.held.add(STEP, FLOWS[0])
    assert () == backend.held.take(OTHER, 1)


def test_steps_are_listed_while_flows_wait(backend: Backend) -> None:
    """And again when another flow comes."""
    backend.held.add(STEP, FLOWS[0])
    backend.held.add(OTHER, FLOWS[0])
    assert {STEP, OTHER} == set(backend.held.steps())
    backend.held.take(STEP, 1)
    assert (OTHER,) == backend.held.steps()
    backend.held.add(STEP, FLOWS[1])
    assert {STEP, OTHER} == set(backend.held.steps())
