# SPDX-License-Identifier: Apache-2.0
"""A script tried out before any step has it: what is asked, and what came of it. How it is run is `script_trial.py`."""

from enum import StrEnum

from msgspec import Struct

from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.model.ids import JSONValue, Name


class TrialMode(StrEnum):
    """As what a step would have the script. Source: the contract, scripts §1.6."""

    SCRIPT = "script"  # the body of a script step
    PREDICATE = "predicate"  # decides whether a step runs
    MATCH = "match"  # a gate on a required input
    MAPPING = "mapping"  # turns one input, or the outputs, into another value


class ScriptTrial(Struct, frozen=True, kw_only=True):
    """A script, the names it sees, and values for them.

    Args:
        arguments: names of the arguments; None for the names that `inputs` gives.
        inputs: values by name. What sees one value only, a gate or a mapping, may be given that value itself.
    """

    script: ScriptConfig
    mode: str
    arguments: tuple[Name, ...] | None = None
    inputs: JSONValue = None


class TrialResult(Struct, frozen=True, kw_only=True):
    """What the script gave: outputs, a truth value or the mapped value; `found` is false for a mapping of nothing."""

    value: JSONValue = None
    found: bool = True
