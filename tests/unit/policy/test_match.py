# SPDX-License-Identifier: Apache-2.0
"""The table of gates: every row of the contract, execution §2.4."""

import pytest

from argyll_engine.model.attribute import Collect
from argyll_engine.policy.match import MatchStatus, input_gate, step_gate

YES, NO, OPEN, FREE = MatchStatus.MATCHED, MatchStatus.UNMATCHED, MatchStatus.UNKNOWN, MatchStatus.NOT_GATED
FIRST, LAST, ALL, SOME, NONE = Collect.FIRST, Collect.LAST, Collect.ALL, Collect.SOME, Collect.NONE


@pytest.mark.parametrize(
    ("collect", "matched", "unmatched", "terminal", "all_ok", "expected"),
    [
        *((collect, 1, 0, False, False, YES) for collect in (FIRST, SOME)),
        *((collect, 1, 3, True, False, YES) for collect in (FIRST, SOME)),
        *((collect, 0, 2, False, False, OPEN) for collect in (FIRST, SOME)),
        *((collect, 0, 0, False, False, OPEN) for collect in (FIRST, SOME)),
        *((collect, 0, 2, True, True, NO) for collect in (FIRST, SOME)),
        *((collect, 0, 0, True, True, NO) for collect in (FIRST, SOME)),
        (LAST, 1, 0, False, False, OPEN),  # a later value may come
        (LAST, 0, 1, False, False, OPEN),
        (LAST, 1, 1, True, False, YES),
        (LAST, 0, 1, True, True, NO),
        (LAST, 0, 0, True, True, NO),
        (ALL, 1, 1, False, False, NO),  # one mismatch is enough
        (ALL, 1, 0, False, False, OPEN),
        (ALL, 0, 0, False, False, OPEN),
        (ALL, 2, 0, True, True, YES),
        (ALL, 2, 0, True, False, NO),  # a provider failed or gave nothing
        (ALL, 0, 0, True, True, NO),
        (NONE, 1, 0, False, False, NO),  # one match is enough
        (NONE, 1, 0, True, True, NO),
        (NONE, 0, 1, False, False, OPEN),
        (NONE, 0, 1, True, True, YES),
        (NONE, 0, 0, True, False, YES),
    ],
)
def test_input_gate(
    collect: Collect, matched: int, unmatched: int, terminal: bool, all_ok: bool, expected: MatchStatus
) -> None:
    """Each row gives what the contract says."""
    assert input_gate(collect, matched, unmatched, terminal, all_ok) is expected


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], FREE),
        ([YES], YES),
        ([YES, YES], YES),
        ([YES, OPEN], OPEN),
        ([OPEN, NO], NO),
        ([NO, YES, OPEN], NO),
    ],
)
def test_step_gate(statuses: list[MatchStatus], expected: MatchStatus) -> None:
    """A closed gate beats an undecided one, which beats an open one."""
    assert step_gate(statuses) is expected
    assert step_gate(reversed(statuses)) is expected
