# SPDX-License-Identifier: Apache-2.0
"""What catalog events make of the catalog."""

from datetime import timedelta

from argyll_engine.evolve.catalog import FOLDS, evolve_catalog, replay_catalog
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.cluster import HealthStatus
from argyll_engine.model.events import (
    CATALOG_EVENTS,
    Event,
    Recorded,
    StepHealthChanged,
    StepRegistered,
    StepUnregistered,
    StepUpdated,
)
from argyll_engine.model.ids import NodeID, StepID
from argyll_engine.model.plan import AttributeEdges
from tests.definitions import AT, a_catalog, a_step, const, output, required
from tests.unit.plan.test_build import edges

LATER = AT + timedelta(seconds=1)
GIVER, TAKER = a_step("p", {"a": output(), "k": const("1")}), a_step("c", {"a": required()})


def after(state: CatalogState, *events: Event) -> CatalogState:
    """The state after these events, one second later."""
    log = [Recorded(event=event, sequence=n, at=LATER) for n, event in enumerate(events)]
    return replay_catalog(state, log)


def test_every_catalog_event_is_folded() -> None:
    """Each event has its row."""
    assert set(FOLDS) == set(CATALOG_EVENTS)


def test_registered() -> None:
    """A registered step and its edges are there."""
    state = after(CatalogState(), StepRegistered(step=GIVER))
    assert state.steps == {"p": GIVER}
    assert state.attributes == {"a": edges("p"), "k": AttributeEdges()}
    assert state.last_updated_at == LATER


def test_x24_updated() -> None:
    """An updated step replaces the old one, edges of attributes it dropped included."""
    changed = a_step("p", {"b": output(), "k": required()})
    state = after(a_catalog(GIVER, TAKER), StepUpdated(step=changed))
    assert state.steps == {"p": changed, "c": TAKER}
    assert state.attributes == {"a": edges(consumers="c"), "b": edges("p"), "k": edges(consumers="p")}


def test_unregistered() -> None:
    """A removed step takes its edges with it; names that others have stay."""
    keeper = a_step("keep", {"k": const("2")})
    state = after(a_catalog(GIVER, TAKER, keeper), StepUnregistered(step_id=StepID("p")))
    assert state.steps == {"c": TAKER, "keep": keeper}
    assert state.attributes == {"a": edges(consumers="c"), "k": AttributeEdges()}


def test_names_leave_with_their_last_step() -> None:
    """Removing steps one after the other in one replay leaves an empty catalog."""
    twin = a_step("twin", {"k": const("2")})
    gone = [StepUnregistered(step_id=StepID(step_id)) for step_id in ("p", "c", "twin")]
    state = after(a_catalog(GIVER, TAKER, twin), *gone)
    assert (state.steps, state.attributes) == ({}, {})


def test_names_that_come_back_within_a_replay() -> None:
    """Counting who uses a name goes on through the replay."""
    state = after(
        a_catalog(GIVER),
        StepUnregistered(step_id=StepID("p")),
        StepRegistered(step=a_step("q", {"k": const("1")})),
        StepRegistered(step=GIVER),
        StepUnregistered(step_id=StepID("p")),
    )
    assert state.attributes == {"k": AttributeEdges()}


def test_unknown_step_unregistered() -> None:
    """Removing what is not there only moves the time."""
    before = a_catalog(GIVER)
    state = after(before, StepUnregistered(step_id=StepID("gone")))
    assert (state.steps, state.attributes) == (before.steps, before.attributes)
    assert state.last_updated_at == LATER


def test_the_state_before_is_untouched() -> None:
    """Folding makes a new state."""
    before = a_catalog(GIVER)
    after(before, StepUnregistered(step_id=StepID("p")), StepRegistered(step=TAKER))
    assert before == a_catalog(GIVER)


def test_foreign_events_change_nothing() -> None:
    """Events of other aggregates are passed over."""
    before = a_catalog(GIVER)
    event = StepHealthChanged(node_id=NodeID("n"), step_id=StepID("p"), status=HealthStatus.HEALTHY)
    assert after(before, event) == before


def test_one_by_one_is_the_same_as_all_at_once() -> None:
    """Evolving event by event gives what a replay gives."""
    events: list[Event] = [
        StepRegistered(step=GIVER),
        StepRegistered(step=TAKER),
        StepUpdated(step=a_step("p", {"b": output()})),
        StepUnregistered(step_id=StepID("c")),
    ]
    state = CatalogState()
    for event in events:
        state = evolve_catalog(state, Recorded(event=event, sequence=0, at=LATER))
    assert state == after(CatalogState(), *events)
