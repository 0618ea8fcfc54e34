# SPDX-License-Identifier: Apache-2.0
"""Whether this process lives, and whether the deployment can do its work. For orchestrators, not for clients.

`/health` is another thing: it says nothing of the stores, and stays as clients know it.
"""

from collections.abc import Sequence
from typing import Any, Final

from flask import Blueprint, Response, request

from argyll_api.answers import json_answer
from argyll_api.current import config, diagnostics
from argyll_api.openapi import answers, examples
from argyll_api.openapi.operation import Answer, describes
from argyll_engine.errors import TransientError
from argyll_engine.policy.readiness import Check, readiness

blueprint: Final = Blueprint("probes", __name__)

_YES: Final = frozenset({"1", "true", "yes"})
_DEEP: Final = {
    "name": "deep",
    "in": "query",
    "required": False,
    "description": "`1` runs a small flow through store, queue and worker; no list shows it, and it leaves nothing.",
    "schema": {"type": "string", "enum": ["0", "1"]},
}
_READY: Final = Answer(form=answers.Readiness, example=examples.READY, says="All is well.")
_NOT_READY: Final = Answer(form=answers.Readiness, example=examples.NOT_READY, says="Something is wrong, as named.")


@blueprint.get("/livez")
@describes(
    {200: Answer(form=answers.Aliveness, example=examples.ALIVE, says="This process answers.")}, asks_store=False
)
def get_livez() -> Response:
    """Whether this process answers requests; it says nothing of anything else."""
    return json_answer({"status": "alive"})


@blueprint.get("/readyz")
@describes({200: _READY, 503: _NOT_READY}, asks_store=False)
def get_readyz() -> Response:
    """Whether stores, workers and queues are such that flows will run; each check is named."""
    return _answer(_checks())


@blueprint.get("/healthz")
@describes({200: _READY, 503: _NOT_READY}, asks_store=False, parameters=(_DEEP,))
def get_healthz() -> Response:
    """Both of these, and on demand the time that a flow takes."""
    checks = [Check(name="process", is_good=True, detail="alive"), *_checks()]
    if request.args.get("deep", "").lower() not in _YES:
        return _answer(checks)
    check, seconds = _canary()
    return _answer([*checks, check], seconds)


def _checks() -> tuple[Check, ...]:
    return readiness(diagnostics().vitals(), config().max_queue_age_seconds)


def _canary() -> tuple[Check, float | None]:
    try:
        seconds = diagnostics().canary()
    except TransientError as exc:
        return Check(name="canary", is_good=False, detail=str(exc)), None
    if seconds is None:
        return Check(name="canary", is_good=False, detail="the flow did not complete in time"), None
    return Check(name="canary", is_good=True, detail=f"a flow took {seconds * 1000:.1f} ms"), seconds


def _answer(checks: Sequence[Check], canary_seconds: float | None = None) -> Response:
    is_good = all(check.is_good for check in checks)
    body: dict[str, Any] = {
        "status": "ready" if is_good else "not ready",
        "checks": {check.name: {"ok": check.is_good, "detail": check.detail} for check in checks},
    }
    if canary_seconds is not None:
        body["canary_seconds"] = round(canary_seconds, 6)
    response = json_answer(body, 200 if is_good else 503)
    response.headers["Cache-Control"] = "no-store"
    return response
