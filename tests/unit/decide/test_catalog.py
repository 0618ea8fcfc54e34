# SPDX-License-Identifier: Apache-2.0
"""Which steps may join, change and leave the catalog."""

from dataclasses import replace
from typing import Final

import pytest

from argyll_engine.decide.catalog import register_step, unregister_step, update_step
from argyll_engine.errors import InvalidStepError, StepExistsError, StepNotFoundError
from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.commands import RegisterStep, UnregisterStep, UpdateStep
from argyll_engine.model.events import CatalogEvent, StepRegistered, StepUnregistered, StepUpdated
from argyll_engine.model.facts import Facts
from argyll_engine.model.ids import JSONValue, Name, StepID, Token
from argyll_engine.model.step import HttpConfig, Step
from tests.definitions import AT, a_catalog, a_flow_step, a_step, output, required


class NoScripts:
    """Scripts of a world in which no decision runs any."""

    def predicate(self, script: ScriptConfig, names: tuple[Name, ...], inputs: object) -> bool:
        """Nobody asks."""
        raise AssertionError

    def match(self, script: ScriptConfig, candidate: JSONValue) -> bool:
        """Nobody asks."""
        raise AssertionError

    def map_input(
        self, script: ScriptConfig, names: tuple[Name, ...], name: Name, value: JSONValue
    ) -> tuple[bool, JSONValue]:
        """Nobody asks."""
        raise AssertionError

    def map_output(self, script: ScriptConfig, outputs: object) -> tuple[bool, JSONValue]:
        """Nobody asks."""
        raise AssertionError


FACTS: Final = Facts(now=AT, new_token=lambda step_id, index: Token(f"{step_id}-{index}"), scripts=NoScripts())
STEP: Final = a_step("s", {"x": required("number"), "y": output()})
CHANGED: Final = replace(STEP, name="changed")


def register(state: CatalogState, step: Step) -> tuple[CatalogEvent, ...]:
    """The events of a registration."""
    return register_step(state, RegisterStep(step=step), FACTS)


def update(state: CatalogState, step: Step) -> tuple[CatalogEvent, ...]:
    """The events of an update."""
    return update_step(state, UpdateStep(step=step), FACTS)


def test_new_step() -> None:
    """A new step is registered as it is."""
    assert register(CatalogState(), STEP) == (StepRegistered(step=STEP),)


def test_repeated_registration() -> None:
    """The same definition again has no events, also in other words."""
    post = replace(STEP, http=HttpConfig(endpoint="http://steps/run", method="POST"))
    assert register(a_catalog(STEP), STEP) == ()
    assert register(a_catalog(STEP), post) == ()


def test_conflicting_registration() -> None:
    """Another definition under a taken id is a conflict, even if it contradicts the catalog as well."""
    clash = replace(CHANGED, attributes={Name("x"): required("string")})
    for step in (CHANGED, clash):
        with pytest.raises(StepExistsError) as caught:
            register(a_catalog(STEP, a_step("t", {"x": required("number")})), step)
        assert caught.value.step_id == "s"


def test_update() -> None:
    """A changed definition is updated; the same one has no events."""
    assert update(a_catalog(STEP), CHANGED) == (StepUpdated(step=CHANGED),)
    assert update(a_catalog(STEP), STEP) == ()


def test_update_of_an_unknown_step() -> None:
    """Only registered steps are updated."""
    with pytest.raises(StepNotFoundError, match=r"^step not found: s$"):
        update(CatalogState(), STEP)


def test_unregister() -> None:
    """A registered step is removed, needed or not; an unknown one is not found."""
    event = StepUnregistered(step_id=StepID("s"))
    assert unregister_step(a_catalog(STEP), UnregisterStep(step_id=StepID("s")), FACTS) == (event,)
    with pytest.raises(StepNotFoundError, match=r"^step not found: t$"):
        unregister_step(a_catalog(STEP), UnregisterStep(step_id=StepID("t")), FACTS)


OTHER: Final = a_step("t", {"x": required("number"), "y": required(), "z": output()})


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"x": required("string")}, "attribute type conflict: x"),
        ({"z": required(), "y": output()}, "circular dependency detected: step s"),
        ({"x": required(), "z": required(), "y": output()}, "attribute type conflict: x"),  # before the cycle
    ],
)
def test_faults_between_steps(attributes: dict[Name, object], reason: str) -> None:
    """A step that contradicts the others neither joins nor changes."""
    faulty = replace(STEP, attributes=attributes)  # type: ignore[arg-type]  # specs
    for decide, state in ((register, a_catalog(OTHER)), (update, a_catalog(OTHER, STEP))):
        with pytest.raises(InvalidStepError) as caught:
            decide(state, faulty)
        assert caught.value.reason == reason


def test_nested_flow_steps() -> None:
    """A flow step that would contain itself neither joins nor changes."""
    inner = a_flow_step("inner", ["outer"])
    with pytest.raises(InvalidStepError) as caught:
        register(a_catalog(inner), a_flow_step("outer", ["inner"]))
    assert caught.value.reason == "circular dependency detected: step outer"
    with pytest.raises(InvalidStepError):
        update(a_catalog(inner, a_step("outer")), a_flow_step("outer", ["inner"]))


def test_equal_update_is_not_checked_again() -> None:
    """The same definition is fine whatever else is registered."""
    ring = a_catalog(a_step("a", {"x": required(), "y": output()}), a_step("b", {"y": required(), "x": output()}))
    for step in ring.steps.values():
        assert update(ring, step) == ()
