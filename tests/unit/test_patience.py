# SPDX-License-Identifier: Apache-2.0
"""Waiting for a store that is away."""

import pytest

from argyll_engine.errors import StoreUnavailableError
from argyll_engine.patience import Patience


def test_what_fails_once_is_done_again():
    """The store was away for a moment."""
    answers = iter([StoreUnavailableError("flow", "away"), None])

    def record() -> str:
        fault = next(answers)
        if fault is not None:
            raise fault
        return "recorded"

    assert "recorded" == Patience().with_store(record)


def test_who_is_told_to_stop_waits_no_longer():
    """The fault goes to the caller."""
    patience = Patience()
    patience.end()

    def record() -> str:
        raise StoreUnavailableError("flow", "away")

    with pytest.raises(StoreUnavailableError):
        patience.with_store(record)
    assert patience.is_over
