# SPDX-License-Identifier: Apache-2.0
"""Errors of the engine on the wire: status, text, headers, and nothing of the inside."""

import pytest

from argyll_engine import errors

START = {"id": "f", "goals": ["g"]}


@pytest.mark.parametrize(
    "error,status,text",
    [
        (errors.InvalidRequestError("no"), 400, "no"),
        (errors.MissingInputsError(["x", "y"]), 400, "required inputs not provided: [x y]"),
        (errors.BlockedGoalsError([("g", ["flag"])]), 400, "goal blocked by init: g by [flag]"),
        (errors.PlanError("circular"), 500, "failed to create execution plan: circular"),
        (errors.StepNotFoundError.goals(["a", "b"]), 404, "step not found: [a b]"),
        (errors.FlowExistsError("f"), 409, "flow exists with different plan or init: f"),
        (errors.InvalidTransitionError("flow", "failed", "active"), 500, "internal error"),
        (RuntimeError("secret"), 500, "internal error"),
    ],
)
def test_errors_of_a_start(api, engine, error, status, text):
    """Each error has its status and its text."""
    engine.error = error
    res = api.post("/engine/flow", json=START)
    assert (res.status_code, res.content_type) == (status, "application/json; charset=utf-8")
    assert res.json == {"error": text, "status": status}


@pytest.mark.parametrize(
    "error,status,text",
    [
        (errors.InvalidStepError("step name empty"), 400, "invalid step\nstep name empty"),
        (errors.StepExistsError("s"), 409, "step exists: s"),
    ],
)
def test_errors_of_a_registration(api, engine, error, status, text):
    """The text is that of the error."""
    engine.error = error
    assert api.post("/engine/step", json={"id": "s"}).json == {"error": text, "status": status}


@pytest.mark.parametrize(
    "method,path,body",
    [
        ("GET", "/engine/step", None),
        ("GET", "/engine/flow/x", None),
        ("GET", "/engine/flow", None),
        ("POST", "/engine/flow/query", {}),
        ("POST", "/engine/flow", START),
        ("POST", "/engine/step", {"id": "s"}),
        ("POST", "/webhook/f/s/t", {}),
    ],
)
def test_a_lost_store_is_a_503(api, engine, method, path, body):
    """With Retry-After, on any route, and without the address of the store."""
    engine.error = engine.queries.error = errors.StoreUnavailableError("flow", "connecting to 10.0.0.1:6379 refused")
    res = api.open(path, method=method, json=body)
    assert res.json == {"error": "flow store unavailable", "status": 503}
    assert (res.status_code, res.headers["Retry-After"]) == (503, "1")


def test_an_unexpected_error_is_logged_with_its_stack(api, engine, caplog):
    """The log has what the client does not see."""
    engine.queries.error = RuntimeError("boom")
    res = api.get("/engine/catalog")
    (record,) = caplog.records
    assert (record.message, record.exc_info[0]) == ("request_failed", RuntimeError)
    assert res.json == {"error": "internal error", "status": 500}


def test_the_next_request_after_an_error_is_served(api, engine):
    """An error leaves nothing behind."""
    engine.queries.error = errors.StoreUnavailableError("flow", "gone")
    assert api.get("/engine/flow").status_code == 503
    engine.queries.error = None
    assert api.get("/engine/flow").status_code == 200
