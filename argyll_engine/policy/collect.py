# SPDX-License-Identifier: Apache-2.0
"""When an input has what it needs, and what that is: first, last, some, all, none.

Source: the contract, execution §2.3 and §2.5; X4 to X6 for inputs that can no longer be fulfilled.
"""

from datetime import datetime, timedelta

from msgspec import Struct

from argyll_engine.model.attribute import Collect
from argyll_engine.model.flow import AttributeValue
from argyll_engine.model.ids import JSONValue


class Supply(Struct, frozen=True, kw_only=True):
    """What has come for an input so far.

    `values` in commit order, those that the gate rejects left out; `is_terminal` when every planned provider is
    settled; `is_broken` when one of them settled without giving a value; `settled_at` is when the last one
    completed (the flow's creation when none is planned).
    """

    values: tuple[AttributeValue, ...]
    has_providers: bool
    is_terminal: bool
    is_broken: bool
    settled_at: datetime

    @property
    def is_all_ok(self) -> bool:
        """Whether every planned provider completed and gave a value."""
        return self.is_terminal and not self.is_broken


class Fulfilled(Struct, frozen=True, kw_only=True):
    """An input has what it needs, since `at`; without a value the argument is left out."""

    at: datetime
    has_value: bool
    value: JSONValue = None


class TakeDefault(Struct, frozen=True, kw_only=True):
    """An optional input is decided: its default, or nothing."""


class WaitUntil(Struct, frozen=True, kw_only=True):
    """An optional input is undecided until a value comes or `at` has passed."""

    at: datetime


def fulfil(collect: Collect, supply: Supply) -> Fulfilled | None:
    """What an input gets, or None while it is not fulfilled."""
    values = supply.values
    match collect:
        case Collect.FIRST:
            return _single(values[0]) if values else None
        case Collect.LAST:
            return _single(values[-1]) if values and supply.is_terminal else None
        case Collect.SOME:
            return _list(values) if values and supply.is_terminal else None
        case Collect.ALL:
            return _list(values) if values and supply.is_all_ok else None
        case Collect.NONE:
            met = not values and supply.is_terminal
            return Fulfilled(at=supply.settled_at, has_value=False) if met else None


def is_dead(collect: Collect, supply: Supply) -> bool:
    """Whether a required input can never be fulfilled any more."""
    match collect:
        case Collect.NONE:
            return bool(supply.values)
        case Collect.ALL:
            return supply.is_broken or (not supply.values and supply.is_terminal)
        case _:
            return not supply.values and supply.is_terminal


def still_wants(collect: Collect, supply: Supply) -> bool:
    """Whether a pending consumer has a use for one more value. Source: the contract, execution §2.6."""
    match collect:
        case Collect.FIRST:
            return not supply.values
        case Collect.ALL:
            return not supply.is_broken
        case _:
            return True


def decide_optional(
    collect: Collect, supply: Supply, anchor: datetime, deadline_ms: int, now: datetime
) -> Fulfilled | TakeDefault | WaitUntil:
    """What an optional input gets; its window opens at `anchor`, when all required inputs are there."""
    window_ends_at = anchor + timedelta(milliseconds=deadline_ms)
    fulfilled = fulfil(collect, supply)
    if fulfilled is not None:
        return fulfilled if fulfilled.at <= window_ends_at else _timed_out(collect, supply, window_ends_at)
    if not supply.has_providers:
        return TakeDefault()
    if supply.is_terminal or deadline_ms <= 0:
        return _timed_out(collect, supply, now)
    if window_ends_at <= now:
        return _timed_out(collect, supply, window_ends_at)
    return WaitUntil(at=window_ends_at)


def _timed_out(collect: Collect, supply: Supply, cutoff: datetime) -> Fulfilled | TakeDefault:
    in_time = tuple(value for value in supply.values if value.set_at <= cutoff)
    if in_time and collect is Collect.LAST:
        return _single(in_time[-1])
    if in_time and collect is Collect.SOME:
        return _list(in_time)
    return TakeDefault()


def _single(value: AttributeValue) -> Fulfilled:
    return Fulfilled(at=value.set_at, has_value=True, value=value.value)


def _list(values: tuple[AttributeValue, ...]) -> Fulfilled:
    at = max(value.set_at for value in values)
    return Fulfilled(at=at, has_value=True, value=[value.value for value in values])
