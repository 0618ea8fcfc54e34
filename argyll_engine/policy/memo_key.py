# SPDX-License-Identifier: Apache-2.0
"""Under which key the result of a work item is remembered: what is called, and what it is called with.

Called by `memo.py`, for memoizable steps only. Source: the contract, execution §5.
"""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

import msgspec

from argyll_engine.model.ids import JSONValue, Name, StepID
from argyll_engine.model.step import Step
from argyll_engine.policy.equality import with_default_method

_NOBODY: Final = StepID("")


def step_digest(step: Step) -> str:
    """SHA-256 of what a step does, in hexadecimal: all of its definition but id, name and labels.

    So renaming a step keeps its results, and steps with the same definition share them; another parallelism is another
    definition.
    """
    return _digest(with_default_method(replace(step, id=_NOBODY, name="", labels={})))


def inputs_digest(inputs: Mapping[Name, JSONValue]) -> str:
    """SHA-256 of the effective inputs of one item, in hexadecimal, whatever the order of their names.

    Numbers count as they are written: a script can tell 1 from 1.0.
    """
    return _digest(inputs)


def _plain(value: Any) -> Any:
    """The plain form of a read-only mapping, the one container of the model that msgspec does not know."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


_encoder: Final = msgspec.json.Encoder(enc_hook=_plain, order="sorted")


def _digest(value: Any) -> str:
    return sha256(_encoder.encode(value)).hexdigest()
