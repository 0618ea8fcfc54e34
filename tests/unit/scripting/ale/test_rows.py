# SPDX-License-Identifier: Apache-2.0
"""The language row by row: `rows.txt`, written by hand. Source: the contract, scripts §2 and §6."""

from pathlib import Path

import pytest

from argyll_engine.scripting.ale import AleError, Limits, evaluate
from argyll_engine.scripting.ale.printer import render

LIMITS = Limits(timeout_ms=10_000, memory_mb=256, max_steps=3_000_000)
LINES = Path(__file__).with_name("rows.txt").read_text(encoding="utf-8").splitlines()
ROWS = [line.rpartition(" => ")[::2] for line in LINES if line and not line.startswith(("# ", "## "))]


@pytest.mark.parametrize(("source", "printed"), ROWS)
def test_a_row(source: str, printed: str) -> None:
    """A source gives the value that its row says, or an error where it says so."""
    try:
        value = render(evaluate(source, LIMITS))
    except AleError:
        value = "!"
    assert printed == value
