# SPDX-License-Identifier: Apache-2.0
"""The webhook: order of checks, outputs, problems, and its own words for errors."""

import pytest

from argyll_engine import errors

PATH = "/webhook/f/s/t"
PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    "error,text",
    [
        (errors.FlowNotFoundError("f"), "Flow not found"),
        (errors.ExecutionNotFoundError("f", "s"), "Step execution not found"),
        (errors.WorkItemNotFoundError("f", "s", "t"), "Work item not found for token"),
    ],
)
@pytest.mark.parametrize("body", ["{}", "broken"])
def test_what_is_unknown_is_refused_before_the_body_is_read(api, engine, error, text, body):
    """400 that names the first part of the path that is unknown."""
    engine.item_error = error
    res = api.post(PATH, data=body)
    assert (res.status_code, res.json) == (400, {"error": text, "status": 400})


@pytest.mark.parametrize(
    "body,outputs", [('{"o": 7}', {"o": 7}), ("{}", {}), ("null", None), ('{"a": 1} rest', {"a": 1})]
)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", None, "application/problem+xml"])
def test_outputs_complete_the_item(api, engine, body, outputs, content_type):
    """200 with an empty body, whatever the content is called; names are taken as they are."""
    res = api.post(PATH, data=body, content_type=content_type)
    assert (res.status_code, res.data) == (200, b"")
    assert engine.calls == [("complete_work", "f", "s", "t", outputs)]


@pytest.mark.parametrize("body", ["", "[]", "1", '"x"', "{", "NaN"])
def test_what_is_no_object_leaves_the_item_alone(api, engine, body):
    """400 `Invalid JSON`."""
    assert api.post(PATH, data=body).json == {"error": "Invalid JSON", "status": 400}
    assert engine.calls == []


@pytest.mark.parametrize(
    "body,text",
    [
        ('{"title": "t", "detail": "d", "status": 503}', "d"),
        ('{"title": "t", "detail": "", "status": 503}', "t"),
        ('{"status": 503}', "Service Unavailable"),
        ('{"status": 799}', ""),
        ('{"Detail": "d"}', "d"),
        ("{}", ""),
        ("null", ""),
    ],
)
@pytest.mark.parametrize("content_type", [PROBLEM, PROBLEM + "; charset=utf-8", "Application/Problem+JSON;x=y"])
def test_a_problem_fails_the_item(api, engine, body, text, content_type):
    """Whatever its status says; the text is the most telling member."""
    res = api.post(PATH, data=body, content_type=content_type)
    assert (res.status_code, res.data) == (200, b"")
    assert engine.calls == [("fail_work", "f", "s", "t", text)]


@pytest.mark.parametrize(
    "body", ["", "[]", "x", '{"status": "503"}', '{"status": 503.0}', '{"detail": 1}', '{"type": []}']
)
def test_a_faulty_problem_leaves_the_item_alone(api, engine, body):
    """400 `Invalid problem JSON`."""
    assert api.post(PATH, data=body, content_type=PROBLEM).json == {"error": "Invalid problem JSON", "status": 400}
    assert engine.calls == []


@pytest.mark.parametrize(
    "content_type,text", [("application/json", "Failed to complete work"), (PROBLEM, "Failed to record work failure")]
)
def test_an_internal_error_has_its_own_words(api, engine, content_type, text):
    """500 that says what could not be done."""
    engine.error = errors.UndecodableEventError("flow f", 3, "truncated")
    assert api.post(PATH, data="{}", content_type=content_type).json == {"error": text, "status": 500}
