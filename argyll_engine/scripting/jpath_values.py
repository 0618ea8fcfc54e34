# SPDX-License-Identifier: Apache-2.0
"""What jpath does with values while a query runs: children, order, comparison, and what one run may use.

Nothing here recurses, so deep documents are no danger. Only the compiled queries of `jpath_queries.py` and
`jpath.py` call this. Source: the contract, scripts §4.2; RFC 9535 §2.3.5.
"""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Final

from argyll_engine.errors import ScriptRunError
from argyll_engine.model.ids import JSONValue
from argyll_engine.scripting.limits import ScriptLimits

_VISITS: Final = 1_000  # between two looks at the clock
_POINTER_BYTES: Final = 8
_VALUE_BYTES: Final = 2
_REGEX_STEPS_PER_MS: Final = 1_000_000


class Nothing:
    """The value of what is absent; equal to itself only. Source: RFC 9535 §1.1."""


NOTHING: Final = Nothing()


class Run:
    """What one evaluation may use, and its document. Used by one thread.

    Args:
        root: the document.
        limits: a step is a visited value, time is looked at every thousand of them, and memory is that of a list
            of selected values.
    """

    __slots__ = ("_left", "_left_steps", "_max_held", "_stop_at", "limits", "root")

    def __init__(self, root: JSONValue, limits: ScriptLimits) -> None:
        self.root, self.limits = root, limits
        self._max_held = limits.memory_bytes // _POINTER_BYTES
        self._stop_at = time.thread_time() + limits.timeout_ms / 1_000
        self._left = min(_VISITS, limits.max_steps)
        self._left_steps = limits.max_steps - self._left

    def visit(self, count: int) -> None:
        """Count visited values. Raises ScriptRunError when there were too many, or the time is over."""
        self._left -= count
        if self._left >= 0:
            return
        self._left_steps += self._left
        if self._left_steps < 0:
            raise ScriptRunError(self.limits.steps_refusal)
        self._left = min(_VISITS, self._left_steps)
        self._left_steps -= self._left
        if time.thread_time() >= self._stop_at:
            raise ScriptRunError(self.limits.time_refusal)

    def hold(self, values: list[JSONValue]) -> None:
        """Nothing while a list of selected values is small enough. Raises ScriptRunError."""
        if len(values) > self._max_held:
            raise ScriptRunError(self.limits.memory_refusal)

    def scan(self, steps: int) -> None:
        """Nothing where a regular expression of this many steps, at worst, may run.

        One search cannot be stopped, so one that could take many times the limit is not started.
        Raises ScriptRunError.
        """
        if steps > self.limits.timeout_ms * _REGEX_STEPS_PER_MS:
            raise ScriptRunError(self.limits.time_refusal)
        self.visit(1)


def children(node: JSONValue, run: Run) -> Sequence[JSONValue]:
    """Elements of an array; members of an object in ascending order of their keys' bytes; none of anything else."""
    if isinstance(node, list):
        run.visit(len(node))
        return node
    if isinstance(node, dict):
        run.visit(len(node))
        return [node[key] for key in sorted(node)]  # code points and UTF-8 bytes sort alike
    return ()


def descendants(node: JSONValue, run: Run) -> Iterator[JSONValue]:
    """The node and all arrays and objects below it, each before its own children."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        run.visit(1)
        yield current
        waiting.extend(child for child in reversed(children(current, run)) if isinstance(child, (dict, list)))


def is_equal(left: object, right: object, run: Run) -> bool:
    """Whether two values are equal: numbers by value as doubles, all else only within its own type."""
    pairs = [(left, right)]
    while pairs:
        one, other = pairs.pop()
        run.visit(1)
        if isinstance(one, dict) and isinstance(other, dict):
            if one.keys() != other.keys():
                return False
            pairs.extend((value, other[key]) for key, value in one.items())
        elif isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                return False
            pairs.extend(zip(one, other, strict=True))
        elif not _is_equal_scalar(one, other):
            return False
    return True


def is_less(left: object, right: object) -> bool:
    """Whether two numbers or two strings are in ascending order; false for anything else."""
    if isinstance(left, str) and isinstance(right, str):
        return left < right
    return _is_number(left) and _is_number(right) and as_double(left) < as_double(right)


def length(value: object) -> int | Nothing:
    """Characters of a string, elements of an array, members of an object; nothing of anything else."""
    return len(value) if isinstance(value, (str, list, dict)) else NOTHING


def as_double(number: object) -> float:
    """The number as a double; infinite where it is too large for one."""
    assert isinstance(number, (int, float))
    try:
        return float(number)
    except OverflowError:
        return math.copysign(math.inf, number > 0 or -1)


def measure(values: list[JSONValue], run: Run) -> None:
    """Nothing where the values, one after the other, make less JSON than a result may have. Raises ScriptRunError."""
    waiting, left_bytes = list(values), run.limits.max_result_bytes
    while waiting:
        value = waiting.pop()
        below = children(value, run)
        left_bytes -= _VALUE_BYTES + (len(value) if isinstance(value, str) else 0)
        if isinstance(value, dict):
            left_bytes -= sum(map(len, value))
        if left_bytes < 0:
            raise ScriptRunError(run.limits.result_refusal)
        waiting.extend(below)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_equal_scalar(one: object, other: object) -> bool:
    if _is_number(one) and _is_number(other):
        return as_double(one) == as_double(other)
    return type(one) is type(other) and one == other
