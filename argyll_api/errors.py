# SPDX-License-Identifier: Apache-2.0
"""The HTTP status of every error: one table, one handler, one body shape. No other file knows a status of an error.

Routes raise and never catch. Texts come from the errors themselves; the table may put words around them.
Source: the contract, http §1.5 to §1.9.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from flask import Flask, Response, request

from argyll_api.answers import error_answer, json_answer
from argyll_api.current import config
from argyll_engine import errors, log

PROBLEM_TYPE: Final = "application/problem+json"
"""Media type of a failure that a step reports. Source: RFC 9457 §3."""

WEBHOOKS: Final = "webhooks"
HEALTH: Final = "health"
SCRIPTS: Final = "scripts"

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Row:
    """Status of an error and its text, a format string over the `error`."""

    status: int
    text: str = "{error}"


ROWS: Final[Mapping[type[errors.ArgyllError], Row]] = MappingProxyType(
    {
        errors.RefusedError: Row(400),
        errors.InvalidJSONError: Row(400, "invalid JSON request: {error}"),
        errors.InvalidStepError: Row(400),
        errors.InvalidRequestError: Row(400),
        errors.MissingInputsError: Row(400),
        errors.BlockedGoalsError: Row(400),
        errors.PlanError: Row(500, "failed to create execution plan: {error}"),
        errors.TooManyWorkItemsError: Row(500, "failed to start flow: {error}"),
        errors.ConfigError: Row(500, "internal error"),
        errors.NotFoundError: Row(404),
        errors.StepNotFoundError: Row(404),
        errors.FlowNotFoundError: Row(404),
        errors.ExecutionNotFoundError: Row(404),
        errors.WorkItemNotFoundError: Row(404),
        errors.ConflictError: Row(409),
        errors.StepExistsError: Row(409),
        errors.FlowExistsError: Row(409),
        errors.FlowArchivedError: Row(409),
        errors.FlowNotEndedError: Row(409),
        errors.OutdatedDecisionError: Row(409),
        errors.StoreLockedError: Row(409),
        errors.ScriptError: Row(500),
        errors.ScriptCompileError: Row(500),
        errors.ScriptRunError: Row(500),
        errors.TransientError: Row(503),
        errors.StoreUnavailableError: Row(503, "{error.store} store unavailable"),
        errors.StoreFullError: Row(503),
        errors.ArchiveUnavailableError: Row(503, "archive unavailable: {error.reason}"),
        errors.ArgyllError: Row(500, "internal error"),
        errors.BrokenError: Row(500, "internal error"),
        errors.DamagedArchiveError: Row(500, "internal error"),
        errors.DamagedBackupError: Row(500, "internal error"),
        errors.UndecodableEventError: Row(500, "internal error"),
        errors.InvalidTransitionError: Row(500, "internal error"),
    }
)

BLUEPRINT_ROWS: Final[Mapping[str, Mapping[type[errors.ArgyllError], Row]]] = MappingProxyType(
    {
        WEBHOOKS: MappingProxyType(
            {
                errors.FlowNotFoundError: Row(400, "Flow not found"),
                errors.ExecutionNotFoundError: Row(400, "Step execution not found"),
                errors.WorkItemNotFoundError: Row(400, "Work item not found for token"),
            }
        ),
        # what is wrong with a script that is tried out is the answer to the question
        SCRIPTS: MappingProxyType({errors.ScriptError: Row(400)}),
        HEALTH: MappingProxyType({errors.StepNotFoundError: Row(404, "Health not found for step: {error.step_id}")}),
    }
)
"""Where a group of routes says the same thing in its own words."""


def install(app: Flask) -> None:
    """Gives an application its error handlers."""
    app.register_error_handler(errors.ArgyllError, _known)
    app.register_error_handler(Exception, _unexpected)


def row_of(error: errors.ArgyllError, blueprint: str | None = None) -> Row:
    """The row of an error: that of its own class or of the nearest one it derives from."""
    return row_for(type(error), blueprint)


def row_for(error: type[errors.ArgyllError], blueprint: str | None = None) -> Row:
    """The same for a class."""
    own = BLUEPRINT_ROWS.get(blueprint or "", {})
    classes = error.__mro__
    return next(rows[cls] for rows in (own, ROWS) for cls in classes if cls in rows)


def refusal_of(error: errors.ArgyllError, blueprint: str | None = None) -> dict[str, Any]:
    """The body that an error is answered with: its text, its status, and the place of a fault in a script."""
    row = row_of(error, blueprint)
    return {"error": row.text.format(error=error), "status": row.status, **_place(error)}


def _known(error: errors.ArgyllError) -> Response:
    if isinstance(error, errors.BrokenError):
        return _unexpected(error)
    refusal = refusal_of(error, request.blueprint)
    response = json_answer(refusal, refusal["status"])
    if isinstance(error, errors.TransientError):
        response.headers["Retry-After"] = str(config().retry_after_seconds)
        note_deferred(error, request.endpoint)
    return response


def note_deferred(error: errors.TransientError, endpoint: str | None) -> None:
    """Writes into the log that something has to come again later, and why."""
    lost = isinstance(error, errors.StoreUnavailableError)
    _log.warning("redis connection lost" if lost else "request_deferred", endpoint=endpoint, error=str(error))


def _place(error: errors.ArgyllError) -> dict[str, int]:
    """Line and column of a fault in a script, as far as they are known."""
    if not isinstance(error, errors.ScriptError):
        return {}
    return {name: place for name in ("line", "column") if (place := getattr(error, name)) is not None}


def _unexpected(error: Exception) -> Response:
    """The stack goes to the log, never to the client."""
    _log.exception("request_failed", endpoint=request.endpoint, error=type(error).__name__)
    return error_answer(500, _internal_text())


def _internal_text() -> str:
    if request.blueprint != WEBHOOKS:
        return "internal error"
    return "Failed to record work failure" if request.mimetype == PROBLEM_TYPE else "Failed to complete work"
