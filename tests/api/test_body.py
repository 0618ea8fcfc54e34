# SPDX-License-Identifier: Apache-2.0
"""Reading bodies: sizes, encodings, what counts as JSON, and where a fault is."""

import io
import json

import pytest

from argyll_api.app import create_app
from argyll_api.config import ApiConfig

READERS = [
    ("POST", "/engine/step"),
    ("PUT", "/engine/step/x"),
    ("POST", "/engine/plan"),
    ("POST", "/engine/flow"),
    ("POST", "/engine/flow/query"),
]
BROKEN = [
    b"",
    b" \n\t ",
    b"{",
    b"hello",
    b"{'id': 1}",
    b'{"a": 1,}',
    b'{"a": NaN}',
    b'{"a": -Infinity}',
    b'{"a": 1e400}',
    b'{"a": 1' + b"0" * 400 + b"}",
    b'{"a": 1' + b"0" * 5000 + b"}",
    b'{"a": "\x01"}',
    b'\xef\xbb\xbf{"a": 1}',
    b'{"a": "\\u12"}',
    b"/* */ {}",
    b"[" * 5000 + b"]" * 5000,
    b'{"a":' * 501 + b"1" + b"}" * 501,
    b"[]",
    b'"x"',
    b"1",
    b"true",
]


def started(engine):
    """The one start that reached the engine: id, goals, init, labels."""
    ((verb, *start),) = engine.calls
    assert verb == "start_flow"
    return start


@pytest.mark.parametrize("body", BROKEN)
@pytest.mark.parametrize("method,path", READERS)
def test_what_is_no_json_object_is_refused(api, engine, method, path, body):
    """400 that says so, and nothing happens."""
    res = api.open(path, method=method, data=body)
    assert (res.status_code, res.json["status"], engine.calls) == (400, 400, [])
    assert res.json["error"].startswith("invalid JSON request: ")


@pytest.mark.parametrize("body", [b"null", b"null trailing", b"{}"])
def test_null_is_an_empty_object(api, body):
    """It then fails the ordinary checks."""
    assert api.post("/engine/flow", data=body).json == {"error": "flow ID empty", "status": 400}


@pytest.mark.parametrize("tail", [" trailing", "{}", "}", "\n[1]", "[" * 600])
def test_only_the_first_value_is_read(api, engine, tail):
    """Bytes after it are ignored."""
    assert api.post("/engine/flow", data='{"id": "f", "goals": ["g"]}' + tail).status_code == 201


@pytest.mark.parametrize(
    "body,name",
    [
        (b'{"id": "f", "goals": ["g"], "labels": {"a": "\xff\xfe"}}', "\ufffd\ufffd"),
        (b'{"id": "f", "goals": ["g"], "labels": {"a": "\\ud800"}}', "\ufffd"),
        (b'{"id": "f", "goals": ["g"], "labels": {"a": "\\udc00\\ud83d\\ude00\\uD83D"}}', "\ufffd\U0001f600\ufffd"),
        (b'{"id": "f", "goals": ["g"], "labels": {"a": "\\\\ud800"}}', "\\ud800"),
        (b'{"id": "f", "goals": ["g"], "labels": {"a": "\\\\\\ud800"}}', "\\\ufffd"),
    ],
)
def test_what_is_no_character_becomes_a_replacement(api, engine, body, name):
    """Bytes that are no UTF-8 and halves of surrogate pairs; whole pairs and escaped backslashes stay."""
    api.post("/engine/flow", data=body)
    assert started(engine)[3] == {"a": name}


def test_the_last_of_equal_names_counts(api, engine):
    """As in every JSON reader that clients use."""
    api.post("/engine/flow", data='{"id": "a", "goals": ["g"], "id": "b"}')
    assert started(engine)[0] == "b"


def test_names_ignore_case_and_the_exact_one_wins(api, engine):
    """`ID` will do where there is no `id`."""
    api.post("/engine/flow", data='{"ID": "a", "id": "b", "Goals": ["g"], "INIT": {"X": [1]}}')
    assert started(engine)[:3] == ["b", ("g",), {"X": (1,)}]


def test_numbers_are_exact(api, engine):
    """Integers of any size that a double reaches, and the shortest text of a double."""
    api.post(
        "/engine/flow",
        data='{"id": "f", "goals": ["g"], "init": {"x": [9007199254740993, 1e300, 0.1, 1.0, 1' + "0" * 308 + "]}}",
    )
    given = started(engine)[2]["x"]
    assert given == (9007199254740993, 1e300, 0.1, 1.0, 10**308)
    assert [type(value) for value in given] == [int, float, float, float, int]


def test_nesting_up_to_the_limit_is_fine(api, engine):
    """Brackets inside of text are not counted."""
    deep = "[" * 497 + json.dumps("[" * 5000 + '"\\') + "]" * 497
    assert (
        api.post("/engine/flow", data='{"id": "f", "goals": ["g"], "init": {"x": [' + deep + "]}}").status_code == 201
    )


@pytest.mark.parametrize(
    "method,path,body,where",
    [
        ("POST", "/engine/flow", {"id": 5}, "id: must be a string, not a number"),
        ("POST", "/engine/flow", {"id": True}, "id: must be a string, not a boolean"),
        ("POST", "/engine/flow", {"goals": "x"}, "goals: must be a list, not a string"),
        ("POST", "/engine/flow", {"goals": ["x", ["y"]]}, "goals.1: must be a string, not a list"),
        ("POST", "/engine/flow", {"init": []}, "init: must be an object, not a list"),
        ("POST", "/engine/flow", {"labels": {"a": 1}}, "labels.a: must be a string, not a number"),
        ("POST", "/engine/plan", {"init": 5}, "init: must be an object, not a number"),
        ("POST", "/engine/flow/query", {"limit": "5"}, "limit: must be an integer, not a string"),
        ("POST", "/engine/flow/query", {"limit": True}, "limit: must be an integer, not a boolean"),
        ("POST", "/engine/flow/query", {"statuses": "active"}, "statuses: must be a list, not a string"),
        ("POST", "/engine/step", {"http": []}, "http: must be an object, not a list"),
        ("POST", "/engine/step", {"memoizable": 1}, "memoizable: must be a boolean, not a number"),
        ("POST", "/engine/step", {"attributes": {"x": 1}}, "attributes.x: must be an object, not a number"),
        ("PUT", "/engine/step/x", {"flow": {"goals": [1]}}, "flow.goals.0: must be a string, not a number"),
    ],
)
def test_a_fault_names_its_place(api, method, path, body, where):
    """The path of the member, what it must be and what it is."""
    res = api.open(path, method=method, json=body)
    assert res.json == {"error": f"invalid JSON request: {where}", "status": 400}


@pytest.mark.parametrize(
    "number", ["5.0", "5e0", "5.5", '"5"', "true", "9223372036854775808", "-9223372036854775809", "[]"]
)
def test_integers_are_integer_literals(api, number):
    """Of at most 64 bits."""
    body = '{"id": "s", "http": {"endpoint": "u", "timeout": ' + number + "}}"
    assert api.post("/engine/step", data=body).json["error"].startswith("invalid JSON request: http.timeout: must ")


@pytest.mark.parametrize("number", [0, -5, 2**63 - 1, -(2**63)])
def test_integers_of_64_bits_are_taken(api, engine, number):
    """Also below zero, which the engine judges."""
    api.post("/engine/step", json={"id": "s", "http": {"timeout": number}})
    assert engine.calls[0][1].http.timeout_ms == number


@pytest.mark.parametrize(
    "method,path,limit",
    [("POST", "/engine/step", 524_288), ("PUT", "/engine/step/s", 524_288), ("POST", "/engine/flow", 1_048_576)],
)
def test_a_body_over_the_limit_is_refused(api, engine, method, path, limit):
    """400 and never 413, for one byte too many."""
    text = json.dumps({"id": "s", "goals": ["g"], "pad": ""})
    exact = json.dumps({"id": "s", "goals": ["g"], "pad": "a" * (limit - len(text))})
    assert api.open(path, method=method, data=exact).status_code in (200, 201)
    res = api.open(path, method=method, data=exact + " ")
    assert res.json == {"error": f"invalid JSON request: the body is larger than {limit} bytes", "status": 400}
    assert len(engine.calls) == 1


def test_other_bodies_may_be_larger(api, engine):
    """Plans, queries and webhooks of more than a mebibyte are read."""
    pad = "a" * 1_600_000
    assert api.post("/engine/plan", json={"goals": ["g"], "pad": pad}).status_code == 200
    assert api.post("/engine/flow/query", json={"pad": pad}).status_code == 200
    assert api.post("/webhook/f/s/t", json={"pad": pad}).status_code == 200


def test_the_caps_are_configurable(engine):
    """They come from the configuration."""
    api = create_app(ApiConfig(max_plan_bytes=10), engine).test_client()
    assert api.post("/engine/plan", data='{"goals":["g"]}').status_code == 400


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes at a time, as a socket does."""

    def __init__(self, body):
        self.body = io.BytesIO(body)

    def read(self, size=-1):
        """At most seven bytes."""
        return self.body.read(min(size, 7))


def chunked(body):
    """The environment of a request whose body has no length and ends by itself."""
    return {"wsgi.input": Trickle(body), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}


def test_a_body_without_length_is_read_to_its_end(api, engine):
    """As it arrives when it is sent in chunks."""
    api.post("/engine/flow", environ_overrides=chunked(b'{"id": "f", "goals": ["g"]}'))
    assert started(engine)[0] == "f"


def test_an_endless_body_is_refused(api):
    """Without a length the limit holds while reading."""
    res = api.post("/engine/flow", environ_overrides=chunked(b" " * 1_048_577))
    assert res.json["error"] == "invalid JSON request: the body is larger than 1048576 bytes"
