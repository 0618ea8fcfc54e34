# SPDX-License-Identifier: Apache-2.0
"""Copies of frozen dataclasses."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from argyll_engine.evolve.changed import change, changed
from argyll_engine.model.flow import ExecutionState, StepStatus, WorkState

NOW = datetime(2026, 7, 15, tzinfo=UTC)


def test_a_copy_is_what_replace_gives():
    """All other fields stay, and the original too."""
    before = ExecutionState(started_at=NOW, error="e")

    after = changed(before, status=StepStatus.ACTIVE, duration_ms=3)

    assert replace(before, status=StepStatus.ACTIVE, duration_ms=3) == after
    assert ExecutionState(started_at=NOW, error="e") == before


def test_a_copy_may_be_changed_in_place():
    """Nobody else has it."""
    copy = changed(WorkState(index=4))
    change(copy, error="late")

    assert WorkState(index=4, error="late") == copy


def test_an_unknown_field_is_refused():
    """As by the class itself."""
    with pytest.raises(KeyError):
        changed(WorkState(), colour="red")
