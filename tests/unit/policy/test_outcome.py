# SPDX-License-Identifier: Apache-2.0
"""HTTP answers of steps, row by row of the contract, execution §3.5 and http §3.2."""

import pytest

from argyll_engine.model.attribute import MappingConfig
from argyll_engine.model.invocation import Accepted, Failed, NotCompleted, Succeeded
from argyll_engine.model.step import HttpConfig, Step, StepType
from argyll_engine.policy.outcome import (
    Answer,
    Problem,
    classify,
    is_problem,
    not_completed,
    parse_problem,
    read_outputs,
    too_large,
)
from tests.definitions import output

PROBLEM = "application/problem+json; charset=utf-8"


def a_step(step_type: str = StepType.SYNC, **outputs: MappingConfig | None) -> Step:
    """A step with an output `result`, or with these outputs and their mappings."""
    named = outputs or {"result": None}
    attributes = {name: output(mapping=mapping) for name, mapping in named.items()}
    return Step(id="s", name="S", type=step_type, attributes=attributes, http=HttpConfig(endpoint="http://s/"))


def failed(text: str) -> Failed:
    """A permanent failure with the text that HTTP errors begin with."""
    return Failed(error=f"step returned HTTP error: status {text}")


def transient(text: str) -> NotCompleted:
    """A failure to be tried again, with the text that HTTP errors begin with."""
    return NotCompleted(error=f"work not completed\nstep returned HTTP error: status {text}")


@pytest.mark.parametrize(
    ("status", "body", "outputs"),
    [
        (200, b"", None),
        (200, b" \r\n\t", None),
        (204, b"", None),
        (200, b"null", None),
        (200, b"{}", {}),
        (201, b'{"result": 1}', {"result": 1}),
        (299, b' {"a": {"b": [1.5]}} ', {"a": {"b": [1.5]}}),
        (200, b'{"n": 123456789012345678901234567890}', {"n": 123456789012345678901234567890}),
    ],
)
def test_a_success_with_an_object_or_nothing(status: int, body: bytes, outputs: dict[str, object] | None) -> None:
    """Any 2xx with an object, null or nothing succeeds with just that."""
    assert Succeeded(outputs=outputs) == classify(a_step(), Answer(status=status, body=body))


@pytest.mark.parametrize("body", [b"", b"  ", b"null", b"{}", b'{"ignored": 1}'])
def test_an_acknowledgement(body: bytes) -> None:
    """The 2xx of an asynchronous step accepts the work, whatever outputs it holds."""
    assert Accepted() == classify(a_step(StepType.ASYNC), Answer(status=202, body=body))


@pytest.mark.parametrize("step_type", [StepType.SYNC, StepType.ASYNC])
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[1]", "expected an object, got an array"),
        (b'"text"', "expected an object, got a string"),
        (b"5", "expected an object, got a number"),
        (b"true", "expected an object, got a boolean"),
    ],
)
def test_a_success_that_is_no_object(step_type: str, body: bytes, reason: str) -> None:
    """A 2xx with another body fails for good, and says what was there."""
    assert Failed(error=f"invalid output JSON: {reason}") == classify(a_step(step_type), Answer(status=200, body=body))


@pytest.mark.parametrize("step_type", [StepType.SYNC, StepType.ASYNC])
@pytest.mark.parametrize(
    "body", [b"<html>", b"{} {}", b'{"a": NaN}', b'{"a": 1', b"\xff\xfe", b"\xef\xbb\xbf{}", b"[" * 100_000]
)
def test_a_success_that_is_no_json(step_type: str, body: bytes) -> None:
    """A 2xx that is not JSON fails for good; a byte order mark and bottomless nesting make none."""
    outcome = classify(a_step(step_type), Answer(status=200, body=body))
    assert isinstance(outcome, Failed)
    assert outcome.error.startswith("invalid output JSON: ")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"a": "\xff"}', "\ufffd"),
        (b'{"a": "\\ud800"}', "\ufffd"),
        (b'{"a": "\\udc00\\ud83d\\ude00"}', "\ufffd\U0001f600"),
        (b'{"a": "\\\\ud800"}', "\\ud800"),
    ],
)
def test_what_is_no_character_becomes_a_replacement(body: bytes, text: str) -> None:
    """As in the bodies of requests: bytes that are no UTF-8, and halves of surrogate pairs."""
    assert Succeeded(outputs={"a": text}) == classify(a_step(), Answer(status=200, body=body))


def test_a_problem_is_cleaned_too() -> None:
    """Its detail is text that can be kept."""
    answer = Answer(status=422, content_type=PROBLEM, body=b'{"detail": "no \xff\\ud800"}')
    assert failed("422: no \ufffd\ufffd") == classify(a_step(), answer)


@pytest.mark.parametrize("step_type", [StepType.SYNC, StepType.ASYNC])
@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_a_server_error(step_type: str, status: int) -> None:
    """A status of 500 and above is tried again."""
    assert transient(str(status)) == classify(a_step(step_type), Answer(status=status, body=b"oops"))


@pytest.mark.parametrize("step_type", [StepType.SYNC, StepType.ASYNC])
@pytest.mark.parametrize("status", [300, 301, 304, 307, 400, 401, 404, 408, 409, 422, 425, 429, 499])
def test_any_other_status(step_type: str, status: int) -> None:
    """Every other status fails for good, 408, 425 and 429 among them."""
    assert failed(str(status)) == classify(a_step(step_type), Answer(status=status, body=b"oops"))


@pytest.mark.parametrize(
    ("content_type", "body", "suffix"),
    [
        (PROBLEM, b'{"title": "T", "detail": "D", "status": 404}', ": D"),
        (PROBLEM, b'{"title": "T", "detail": ""}', ": T"),
        (PROBLEM, b'{"type": "about:blank", "status": 404}', ": Not Found"),
        (PROBLEM, b'{"status": 404}', ""),  # says neither type nor title nor detail
        (PROBLEM, b'{"type": "about:blank"}', ""),  # nothing to say
        (PROBLEM, b'{"type": "about:blank", "status": 799}', ""),
        (PROBLEM, b'{"detail": "D", "status": "404"}', ""),
        (PROBLEM, b"[]", ""),
        (PROBLEM, b"oops", ""),
        (PROBLEM, b'{"detail": null, "title": "T", "extra": 1}', ": T"),
        ("Application/Problem+JSON", b'{"detail": "D"}', ": D"),
        ("application/json", b'{"detail": "D"}', ""),
        ("", b'{"detail": "D"}', ""),
    ],
)
def test_a_problem_document(content_type: str, body: bytes, suffix: str) -> None:
    """The text of a problem document is appended to either kind of failure."""
    bad = Answer(status=422, content_type=content_type, body=body)
    worse = Answer(status=503, content_type=content_type, body=body)
    assert [failed(f"422{suffix}"), transient(f"503{suffix}")] == [classify(a_step(), bad), classify(a_step(), worse)]


def test_a_problem_with_a_fractional_status_is_none() -> None:
    """The status of a problem is an integer."""
    assert parse_problem(b'{"detail": "D", "status": 404.5}') is None


def test_the_text_of_an_empty_problem() -> None:
    """A problem that says nothing has an empty text."""
    assert Problem().text == ""


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [("application/problem+json", True), (" APPLICATION/problem+json ;a=b", True), ("application/json", False)],
)
def test_what_is_a_problem(content_type: str, expected: bool) -> None:
    """The media type decides, in any case and with any parameters."""
    assert expected == is_problem(content_type)


def test_texts_of_calls_without_a_usable_answer() -> None:
    """A call without an answer is tried again; a huge answer is not."""
    expected = (
        NotCompleted(error="work not completed\nconnection refused"),
        Failed(error="step response exceeds the limit of 9 bytes"),
    )
    assert expected == (not_completed("connection refused"), too_large(9))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"success": False, "error": "no stock"}, Failed(error="no stock")),
        ({"success": False}, Failed(error="step reported failure")),
        ({"success": False, "error": {"code": 1}}, Failed(error="step reported failure")),
        ({"success": True, "outputs": {"a": 1}}, Succeeded(outputs={"a": 1})),
        ({"success": True, "outputs": [1]}, Succeeded(outputs={"success": True, "outputs": [1]})),
        ({"success": True, "a": 1}, Succeeded(outputs={"success": True, "a": 1})),
        ({"success": 0, "a": 1}, Succeeded(outputs={"success": 0, "a": 1})),
        ({"outputs": {"a": 1}}, Succeeded(outputs={"outputs": {"a": 1}})),
        (None, Succeeded(outputs=None)),
    ],
)
def test_the_older_form(body: dict[str, object] | None, expected: Succeeded | Failed) -> None:
    """`success` and `outputs` have their old meaning where a step declares neither."""
    assert expected == read_outputs(a_step(), body)


@pytest.mark.parametrize("declared", [{"success": None}, {"outputs": None}, {"ok": MappingConfig(name="success")}])
def test_the_older_form_where_its_names_are_declared(declared: dict[str, MappingConfig | None]) -> None:
    """A step that declares one of the names, as its inner name, means it."""
    body = {"success": False, "outputs": {"a": 1}, "error": "no"}
    assert Succeeded(outputs=body) == read_outputs(a_step(**declared), body)


def test_the_older_form_where_only_an_outer_name_is_the_same() -> None:
    """An output called `success` that the step knows by another name declares nothing."""
    step = a_step(success=MappingConfig(name="ok"))
    assert Failed(error="no") == read_outputs(step, {"success": False, "error": "no"})


def test_an_acknowledgement_that_reports_failure() -> None:
    """An asynchronous step can refuse in its acknowledgement."""
    answer = Answer(status=200, body=b'{"success": false, "error": "closed"}')
    assert Failed(error="closed") == classify(a_step(StepType.ASYNC), answer)


def test_an_answer_nested_too_deeply_is_refused() -> None:
    """It could be read, but not written into an event; 500 levels are fine."""
    step = a_step("s")
    fine, deep = (Answer(status=200, content_type="", body=b'{"a":' + b"[" * n + b"]" * n + b"}") for n in (499, 500))

    assert isinstance(classify(step, fine), Succeeded)
    assert Failed(error="invalid output JSON: nested deeper than 500 levels") == classify(step, deep)
