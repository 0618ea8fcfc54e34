# SPDX-License-Identifier: Apache-2.0
"""Hashes that stand for goals and initial values: equal exactly when the engine takes two starts for the same."""

from typing import Any

import pytest

from argyll_engine.model.digest import value_sha256
from argyll_engine.policy.equality import same_json


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"a": [1], "b": [2]}, {"b": [2], "a": [1]}),
        ({"a": [1, {"x": 1.0}]}, {"a": [1.0, {"x": 1}]}),
        ({"a": [1]}, {"a": [True]}),
        ({"a": [0]}, {"a": [False]}),
        ({"a": [-0.0]}, {"a": [0]}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": ["1"]}, {"a": [1]}),
        ({"a": None}, {"a": []}),
        ({"a": [2**53 + 1]}, {"a": [float(2**53)]}),
        ({"a": [2**70]}, {"a": [float(2**70)]}),
        ({"a": [1.5]}, {"a": [1.5000000000000002]}),
    ],
)
def test_hashes_agree_with_the_equality_of_values(left: Any, right: Any) -> None:
    """Numbers by value and exactly, members in any order, elements in theirs."""
    assert same_json(left, right) == (value_sha256(left) == value_sha256(right))
