# SPDX-License-Identifier: Apache-2.0
"""What an HTTP answer of a step means: the table of the contract, execution §3.5 and http §3.2. Sends nothing.

Called by `invoke/http.py` for answers and for calls without one, and by the engine for the outputs of a webhook.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import msgspec

from argyll_engine.model.attribute import Role
from argyll_engine.model.ids import JSONValue
from argyll_engine.model.invocation import Accepted, Failed, NotCompleted, Outcome, Succeeded
from argyll_engine.model.json_text import readable
from argyll_engine.model.step import Step, StepType

PROBLEM_TYPE: Final = "application/problem+json"
MAX_NESTING: Final = 500
"""Levels of objects and arrays in an answer, as in the bodies of requests: deeper ones could not be written again."""

_SUCCESS, _OUTPUTS, _ERROR = "success", "outputs", "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A complete HTTP response of a step."""

    status: int
    content_type: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What a problem document says. Source: the contract, http §3.2 (RFC 9457)."""

    type: str | None = None
    title: str | None = None
    detail: str | None = None
    instance: str | None = None
    status: int | None = None

    @property
    def text(self) -> str:
        """What went wrong: the detail, else the title, else the phrase of the status, else nothing."""
        return self.detail or self.title or _phrase(self.status or 0)


def classify(step: Step, answer: Answer) -> Outcome:
    """How the call of a step ended, by its HTTP answer (redirects have been followed).

    Source: the contract, execution §3.5.
    """
    if 200 <= answer.status < 300:
        return _classify_success(step, answer.body)
    return _classify_error(answer)


def classify_compensation(answer: Answer) -> Succeeded | NotCompleted | Failed:
    """How undoing ended: as the call of a step, but what a 2xx answer says does not matter.

    Source: the contract, http §3.4.
    """
    if 200 <= answer.status < 300:
        return Succeeded(outputs=None)
    return _classify_error(answer)


def not_completed(cause: str) -> NotCompleted:
    """The outcome of a call that may go better another time. Source: the contract, execution §3.5."""
    return NotCompleted(error=f"work not completed\n{cause}")


def too_large(limit_bytes: int) -> Failed:
    """The outcome of an answer with more than `limit_bytes` of body."""
    return Failed(error=f"step response exceeds the limit of {limit_bytes} bytes")


def read_outputs(step: Step, outputs: Mapping[str, JSONValue] | None) -> Succeeded | Failed:
    """What a result amounts to, in the bare form or in the older one with `success`, `outputs` and `error`.

    The older form is recognised only where the step declares neither `success` nor `outputs`.
    Source: the contract, http §7.2.
    """
    if outputs is None or _declares(step, _SUCCESS) or _declares(step, _OUTPUTS):
        return Succeeded(outputs=outputs)
    success = outputs.get(_SUCCESS)
    if success is False:
        return Failed(error=_reported(outputs.get(_ERROR)))
    inner = outputs.get(_OUTPUTS)
    return Succeeded(outputs=inner if success is True and isinstance(inner, dict) else outputs)


def parse_problem(body: bytes) -> Problem | None:
    """The problem document, or None if the body is none (`status` must be an integer)."""
    try:
        return msgspec.json.decode(readable(body), type=Problem)
    except (ValueError, RecursionError):
        return None


def is_problem(content_type: str) -> bool:
    """Whether a content type names a problem document, whatever its parameters."""
    return content_type.partition(";")[0].strip().lower() == PROBLEM_TYPE


def _classify_success(step: Step, body: bytes) -> Outcome:
    try:
        outputs = msgspec.json.decode(readable(body)) if body.strip() else None
    except (ValueError, RecursionError) as exc:
        return Failed(error=f"invalid output JSON: {exc}")
    if outputs is not None and not isinstance(outputs, dict):
        return Failed(error=f"invalid output JSON: expected an object, got {_kind(outputs)}")
    if is_deeper(outputs, MAX_NESTING):
        return Failed(error=f"invalid output JSON: nested deeper than {MAX_NESTING} levels")
    result = read_outputs(step, outputs)
    if isinstance(result, Failed) or step.type != StepType.ASYNC:
        return result
    return Accepted()


def _classify_error(answer: Answer) -> NotCompleted | Failed:
    error = f"step returned HTTP error: status {answer.status}{_problem_suffix(answer)}"
    return not_completed(error) if answer.status >= 500 else Failed(error=error)


def is_deeper(value: JSONValue, levels: int) -> bool:
    """Whether objects and arrays nest deeper than so many levels; goes through them level by level."""
    level = [value]
    for _ in range(levels):
        level = [
            member
            for container in level
            if isinstance(container, dict | list)
            for member in (container.values() if isinstance(container, dict) else container)
            if isinstance(member, dict | list)
        ]
        if not level:
            return False
    return True


def _problem_suffix(answer: Answer) -> str:
    """The problem's text after a colon, if the answer is a problem document that says anything."""
    problem = parse_problem(answer.body) if is_problem(answer.content_type) else None
    if problem is None or not (problem.type or problem.title or problem.detail) or not problem.text:
        return ""
    return f": {problem.text}"


def _declares(step: Step, inner_name: str) -> bool:
    return any(
        spec.role == Role.OUTPUT and spec.inner_name(name) == inner_name for name, spec in step.attributes.items()
    )


def _reported(error: JSONValue) -> str:
    return error if isinstance(error, str) and error else "step reported failure"


def _kind(value: JSONValue) -> str:
    match value:
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case list():
            return "an array"
    return "a number"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
