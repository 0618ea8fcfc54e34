# SPDX-License-Identifier: Apache-2.0
"""Whether the gates (`match`) of a step let it run: the table of the contract as two pure functions.

Running the scripts is not done here: callers count how many candidates matched. The planner asks with initial
values as candidates, the run-time decisions with the values of the flow.
"""

from collections.abc import Iterable
from enum import StrEnum

from argyll_engine.model.attribute import Collect


class MatchStatus(StrEnum):
    """What is known of a gate, or of all gates of a step together."""

    MATCHED = "matched"
    UNMATCHED = "unmatched"
    UNKNOWN = "unknown"
    NOT_GATED = "not_gated"  # of a step without any gate


def input_gate(collect: Collect, matched: int, unmatched: int, terminal: bool, all_ok: bool) -> MatchStatus:
    """The status of one gated input.

    Args:
        collect: the input's collection policy.
        matched: number of candidate values that the gate accepts.
        unmatched: number of candidate values that it refuses.
        terminal: no provider can bring another candidate.
        all_ok: every provider completed and brought one.

    Source: the contract, execution §2.4.
    """
    if collect is Collect.ALL and unmatched:
        return MatchStatus.UNMATCHED
    if collect is Collect.NONE and matched:
        return MatchStatus.UNMATCHED
    if collect in (Collect.FIRST, Collect.SOME) and matched:
        return MatchStatus.MATCHED
    if not terminal:
        return MatchStatus.UNKNOWN
    return _final_gate(collect, matched, all_ok)


def _final_gate(collect: Collect, matched: int, all_ok: bool) -> MatchStatus:
    if collect is Collect.NONE:
        return MatchStatus.MATCHED
    if collect is Collect.ALL and not all_ok:
        return MatchStatus.UNMATCHED
    return MatchStatus.MATCHED if matched else MatchStatus.UNMATCHED


def step_gate(statuses: Iterable[MatchStatus]) -> MatchStatus:
    """The status of a step from those of its gated inputs; NOT_GATED where there are none.

    Source: the contract, execution §2.4.
    """
    present = frozenset(statuses)
    for status in (MatchStatus.UNMATCHED, MatchStatus.UNKNOWN, MatchStatus.MATCHED):
        if status in present:
            return status
    return MatchStatus.NOT_GATED
