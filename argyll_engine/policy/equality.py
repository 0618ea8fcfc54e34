# SPDX-License-Identifier: Apache-2.0
"""When two JSON values, or two step definitions, count as the same. Nothing here knows why it is asked.

Called by the decisions that tell a repeated command from a conflicting one.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from msgspec import structs

from argyll_engine.model.ids import JSONValue
from argyll_engine.model.step import Step

DEFAULT_METHOD: Final = "POST"
"""Method of an HTTP step that names none. Source: the contract, http §2.1."""


def same_json(a: JSONValue, b: JSONValue) -> bool:
    """Whether two JSON values are equal: numbers by value and exactly, objects in any order of keys.

    A boolean is no number, though Python says that True equals 1. Values may be nested to any depth.
    """
    pairs = [(a, b)]
    while pairs:
        left, right = pairs.pop()
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            if left.keys() != right.keys():
                return False
            pairs.extend((left[key], right[key]) for key in left)
        elif isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
            if len(left) != len(right):
                return False
            pairs.extend(zip(left, right, strict=True))
        elif not _same_scalar(left, right):
            return False
    return True


def _same_scalar(a: JSONValue, b: JSONValue) -> bool:
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def same_definition(a: Step, b: Step) -> bool:
    """Whether two definitions are equal, both with the engine's work defaults filled in.

    Source: the contract, http §1.6 and §5.6.
    """
    return with_default_method(a) == with_default_method(b)


def with_default_method(step: Step) -> Step:
    """The same step with the method written out that an HTTP step gets when it names none."""
    if step.http is None or step.http.method:
        return step
    return replace(step, http=structs.replace(step.http, method=DEFAULT_METHOD))
