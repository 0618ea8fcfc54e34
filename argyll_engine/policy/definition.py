# SPDX-License-Identifier: Apache-2.0
"""What makes a step definition valid: rules 1 to 33 of the contract, http §2.3, the first fault wins.

The rules about single attributes are in `policy/attribute_rules.py`; the two that need the catalog (34 and 35)
are in `policy/graph.py`. The shape of the JSON was checked before. Called when a step is registered or updated.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from argyll_engine.errors import InvalidStepError, ScriptCompileError
from argyll_engine.model.attribute import Role, ScriptConfig
from argyll_engine.model.ids import Name
from argyll_engine.model.step import BackoffType, HttpConfig, Step, StepType, WorkConfig
from argyll_engine.policy.attribute_rules import attribute_faults

CheckScript: TypeAlias = Callable[[ScriptConfig, tuple[Name, ...]], None]
"""Raises ScriptCompileError unless the script is a program over these argument names."""

METHODS: Final = ("GET", "POST", "PUT", "DELETE")
STEP_LANGUAGES: Final = ("ale", "lua")
LANGUAGES: Final = (*STEP_LANGUAGES, "jpath")
"""Languages of predicates, gates and mappings. Source: the contract, scripts §1.1."""

VALUE_ONLY: Final = (Name("value"),)
"""What gates and output mappings have in scope. Source: the contract, scripts §1.2, execution §12 X30."""

PLACEHOLDER: Final = re.compile(r"\{([^{}]+)\}")
"""A parameter of a URL. Source: the contract, http §3.1."""


def check_definition(step: Step, check_script: CheckScript) -> None:
    """Nothing: returns if the step is valid.

    Args:
        step: with its id sanitised and the engine's work defaults filled in.
        check_script: the script engine's check.

    Raises:
        InvalidStepError: with the first fault in the order of the contract, http §2.3.
    """
    for fault in _faults(step, check_script):
        raise InvalidStepError(fault)


def _faults(step: Step, check_script: CheckScript) -> Iterator[str]:
    # Lazy, and never resumed after the first fault: what follows a check may rely on it.
    if not step.id:
        yield "step ID empty"
    if not step.name:
        yield "step name empty"
    if step.type in _INVOCATIONS:
        yield from _INVOCATIONS[step.type](step)
    yield from attribute_faults(step)
    if step.work_config:
        yield from _work_faults(step.work_config)
    yield from _inner_script_faults(step, check_script)
    if step.type not in _INVOCATIONS:
        yield f"invalid step type: {step.type}"
    if step.script:
        yield from _compile_faults(step.script, step.argument_names(), check_script, "")


# ---- rules 3 to 11: how the step is invoked --------------------------------------------------


def _foreign_parts(step: Step, *names: str) -> Iterator[str]:
    for name in names:
        if getattr(step, name) is not None:
            yield f"{name} not allowed for step type: {step.type}"


def _http_faults(step: Step) -> Iterator[str]:
    if step.http is None:
        yield "http required"
        return
    yield from _foreign_parts(step, "flow", "script")
    if not step.http.endpoint:
        yield "step endpoint empty"
    if step.http.method and step.http.method not in METHODS:
        yield f"invalid HTTP method: {step.http.method}"
    if step.http.compensate and step.memoizable:
        yield "compensate not allowed for memoizable step"
    yield from _parameter_faults(step, step.http)


def _parameter_faults(step: Step, http: HttpConfig) -> Iterator[str]:
    for parameter in _unknown_parameters(http.endpoint, step, (Role.REQUIRED,)):
        yield f"URL has an unknown parameter: {parameter} (must be a required input)"
    for parameter in _unknown_parameters(http.compensate, step, (Role.REQUIRED, Role.OPTIONAL, Role.OUTPUT)):
        yield f"compensate URL has an unknown parameter: {parameter} (must be an input or output)"


def _unknown_parameters(url: str, step: Step, roles: tuple[Role, ...]) -> Iterator[str]:
    known = {spec.inner_name(name) for name, spec in step.attributes.items() if spec.role in roles}
    return (parameter for parameter in PLACEHOLDER.findall(url) if parameter not in known)


def _flow_faults(step: Step) -> Iterator[str]:
    if step.flow is None:
        yield "flow required"
        return
    yield from _foreign_parts(step, "http", "script")
    if not step.flow.goals:
        yield "flow goals required"


def _script_faults(step: Step) -> Iterator[str]:
    if step.script is None:
        yield "script required"
        return
    yield from _foreign_parts(step, "http", "flow")
    if not step.script.language:
        yield "script language empty"
    if step.script.language not in STEP_LANGUAGES:
        yield f"invalid script language: {step.script.language}"
    if not step.script.script:
        yield "script empty"


_INVOCATIONS: Final[Mapping[str, Callable[[Step], Iterator[str]]]] = MappingProxyType(
    {
        StepType.SYNC: _http_faults,
        StepType.ASYNC: _http_faults,
        StepType.FLOW: _flow_faults,
        StepType.SCRIPT: _script_faults,
    }
)


# ---- rules 25 to 28: retries and parallelism -------------------------------------------------


def _work_faults(work: WorkConfig) -> Iterator[str]:
    if work.parallelism < 0:
        yield "parallelism cannot be negative"
    if work.init_backoff_ms < 0:
        yield "init_backoff cannot be negative"
    if work.max_backoff_ms and work.max_backoff_ms < work.init_backoff_ms:
        yield f"max_backoff too small: {work.max_backoff_ms} is less than init_backoff {work.init_backoff_ms}"
    if work.backoff_type not in tuple(BackoffType):
        yield f"invalid backoff type: {work.backoff_type}"


# ---- rules 29 to 31 and 33: scripts ----------------------------------------------------------


def _inner_script_faults(step: Step, check_script: CheckScript) -> Iterator[str]:
    arguments = step.argument_names()
    attributes = sorted(step.attributes.items())
    for name, spec in attributes:
        scope = VALUE_ONLY if spec.role == Role.OUTPUT else arguments
        if script := spec.mapping_script:
            yield from _language_faults(script, f'invalid attribute mapping for attribute "{name}": ')
            yield from _compile_faults(
                script, scope, check_script, f'invalid attribute mapping for attribute "{name}": '
            )
    if step.predicate and step.predicate.script:
        yield from _language_faults(step.predicate, "")
        yield from _compile_faults(step.predicate, arguments, check_script, "")
    for name, spec in attributes:
        if spec.match:
            yield from _match_faults(name, spec.match, check_script)


def _match_faults(name: Name, script: ScriptConfig, check_script: CheckScript) -> Iterator[str]:
    if script.language not in LANGUAGES:
        yield f'invalid script language for attribute "{name}": {script.language}'
    yield from _compile_faults(script, VALUE_ONLY, check_script, f'invalid match for attribute "{name}": ')


def _language_faults(script: ScriptConfig, prefix: str) -> Iterator[str]:
    if script.language not in LANGUAGES:
        yield f"{prefix}invalid script language: {script.language}"


def _compile_faults(
    script: ScriptConfig, names: tuple[Name, ...], check_script: CheckScript, prefix: str
) -> Iterator[str]:
    try:
        check_script(script, names)
    except ScriptCompileError as exc:
        yield f"{prefix}{exc}"
