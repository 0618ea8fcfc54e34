# SPDX-License-Identifier: Apache-2.0
"""Decisions on the catalog: which steps may join, change and leave it.

What makes a definition valid by itself is checked before (`policy/definition.py`); here only what depends on
the other steps. Called through the decision table. A change that would change nothing has no events.
"""

from argyll_engine.errors import InvalidStepError, StepExistsError, StepNotFoundError
from argyll_engine.model.catalog import CatalogState
from argyll_engine.model.commands import RegisterStep, UnregisterStep, UpdateStep
from argyll_engine.model.events import CatalogEvent, StepRegistered, StepUnregistered, StepUpdated
from argyll_engine.model.facts import Facts
from argyll_engine.model.step import Step
from argyll_engine.policy.equality import same_definition
from argyll_engine.policy.graph import find_type_conflict, has_attribute_cycle, has_flow_cycle


def register_step(state: CatalogState, command: RegisterStep, facts: Facts) -> tuple[CatalogEvent, ...]:
    """The event of a new step; none for a repetition.

    Args:
        command: its step is valid and has the engine's work defaults filled in.

    Raises:
        StepExistsError: another definition is registered under the id.
        InvalidStepError: the step does not agree with the others.

    Source: the contract, http §1.6.
    """
    known = state.steps.get(command.step.id)
    if known is not None:
        if same_definition(known, command.step):
            return ()
        raise StepExistsError(command.step.id)
    _check_fit(state, command.step)
    return (StepRegistered(step=command.step),)


def update_step(state: CatalogState, command: UpdateStep, facts: Facts) -> tuple[CatalogEvent, ...]:
    """The event of a changed definition; none if it is the same.

    Args:
        command: its step is valid and has the engine's work defaults filled in.

    Raises:
        StepNotFoundError: the step is not registered.
        InvalidStepError: the new definition does not agree with the other steps.

    Source: the contract, http §1.6.
    """
    known = state.steps.get(command.step.id)
    if known is None:
        raise StepNotFoundError(command.step.id)
    if same_definition(known, command.step):
        return ()
    _check_fit(state, command.step)
    return (StepUpdated(step=command.step),)


def unregister_step(state: CatalogState, command: UnregisterStep, facts: Facts) -> tuple[CatalogEvent, ...]:
    """The event of a removed step; nobody is asked whether it is still needed.

    Raises:
        StepNotFoundError: the step is not registered.

    Source: the contract, http §1.6.
    """
    if command.step_id not in state.steps:
        raise StepNotFoundError(command.step_id)
    return (StepUnregistered(step_id=command.step_id),)


def _check_fit(state: CatalogState, step: Step) -> None:
    """Raises InvalidStepError if the step contradicts others. Source: the contract, http §2.3 rules 34, 35."""
    name = find_type_conflict(state, step)
    if name is not None:
        raise InvalidStepError(f"attribute type conflict: {name}")
    if has_attribute_cycle(state, step) or has_flow_cycle(state, step):
        raise InvalidStepError(f"circular dependency detected: step {step.id}")
