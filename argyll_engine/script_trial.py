# SPDX-License-Identifier: Apache-2.0
"""Runs a script as a step would, without a step: the same languages, limits and meaning of results.

Nothing is stored. Called by `engine.py` for `POST /engine/script/test`.
Source: the contract, scripts §1.2 and §1.6.
"""

from collections.abc import Mapping
from typing import Final

from argyll_engine.errors import InvalidRequestError
from argyll_engine.model.ids import JSONValue, Name
from argyll_engine.model.trial import ScriptTrial, TrialMode, TrialResult
from argyll_engine.ports import ScriptEngine

VALUE: Final = Name("value")
"""The one name that gates and output mappings see. Source: the contract, scripts §1.2 and D7."""

DOCUMENT_LANGUAGE: Final = "jpath"
"""The language that sees a document and no names."""


def try_script(scripts: ScriptEngine, trial: ScriptTrial) -> TrialResult:
    """What the script gives in its mode.

    Raises:
        InvalidRequestError: The mode is unknown, or the inputs are not of the form that it takes.
        ScriptError: The script does not compile, fails, or hits a limit.
    """
    script = trial.script
    names = _names(trial)
    match trial.mode:
        case TrialMode.SCRIPT:
            return TrialResult(value=dict(scripts.run(script, names, _by_name(trial, names))))
        case TrialMode.PREDICATE:
            return TrialResult(value=scripts.predicate(script, names, _by_name(trial, names)))
        case TrialMode.MATCH:
            _, candidate = _single(trial, names if _sees_document(trial) else (VALUE,))
            return TrialResult(value=scripts.match(script, candidate))
        case TrialMode.MAPPING:
            name, value = _single(trial, names)
            found, result = scripts.map_input(script, names, name, value)
            return TrialResult(value=result, found=found)
    raise InvalidRequestError(f"invalid script mode: {trial.mode} (must be one of {', '.join(TrialMode)})")


def _sees_document(trial: ScriptTrial) -> bool:
    return trial.script.language == DOCUMENT_LANGUAGE


def _names(trial: ScriptTrial) -> tuple[Name, ...]:
    """The argument names, sorted as a step has them."""
    given = trial.arguments
    if given is None:
        given = tuple(map(Name, trial.inputs)) if isinstance(trial.inputs, dict) and not _sees_document(trial) else ()
    return tuple(sorted(set(given), key=lambda name: name.encode("utf-8", "surrogatepass")))


def _by_name(trial: ScriptTrial, names: tuple[Name, ...]) -> Mapping[Name, JSONValue]:
    """The values of the arguments; of everything that is given where a document has no names."""
    if trial.inputs is None:
        return {}
    if not isinstance(trial.inputs, dict):
        raise InvalidRequestError(f"inputs of a {trial.mode} must be an object of values by name")
    return {Name(name): value for name, value in trial.inputs.items() if not names or name in names}


def _single(trial: ScriptTrial, names: tuple[Name, ...]) -> tuple[Name, JSONValue]:
    """(name, value) of the one value that the script sees: a member under one of the names, or the inputs themselves.

    While one input is mapped, all others are null, so more than one value is no state that a step could be in.
    """
    inputs = trial.inputs
    if isinstance(inputs, dict) and inputs.keys() <= set(names) and len(inputs) == 1:
        name, value = next(iter(inputs.items()))
        return Name(name), value
    if _sees_document(trial):
        return VALUE, inputs
    if len(names) == 1:
        return names[0], inputs
    if inputs is None or inputs == {}:
        return VALUE, None
    raise InvalidRequestError(f"a {trial.mode} sees one value: give one input, under one of its argument names")
