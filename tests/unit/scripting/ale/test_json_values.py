# SPDX-License-Identifier: Apache-2.0
"""JSON to values and back. Source: the contract, scripts §1.4, §1.5, D1–D3."""

from types import MappingProxyType

import pytest

from argyll_engine.scripting.ale import AleError, Limits, Meter, evaluate
from argyll_engine.scripting.ale.json_values import from_json, to_json
from argyll_engine.scripting.ale.printer import render


def outcome(source: str) -> object:
    """The value of a program, as JSON."""
    return to_json(Meter(Limits()), evaluate(source))


@pytest.mark.parametrize(
    ("json", "text"),
    [
        (None, "()"), (True, "#t"), (5, "5"), (5.0, "5.0"), (2**70, str(2**70)), ("a", '"a"'), ([], "[]"), ({}, "{}"),
        ([1, [2, None]], "[1 [2 ()]]"), ({"a": {"b c": [True]}, "d": 1}, "{:a {:b c [#t]} :d 1}"),
        (MappingProxyType({"a": (1, 2)}), "{:a [1 2]}"),
    ],
)  # fmt: skip
def test_json_comes_in(json: object, text: str) -> None:
    """Numbers keep their kind, keys are keywords."""
    assert text == render(from_json(json))


@pytest.mark.parametrize(
    ("source", "json"),
    [
        ("null", None), ("[]", []), ("'()", None), ("{}", {}), ("5", 5), ("5.0", 5), ("2.5", 2.5), ("1/4", 0.25),
        ("(* 9223372036854775807 4)", 36893488147419103228), (":a", "a"), ("'a/b", "a/b"), ("(cons 1 2)", "(1 . 2)"),
        ("(map inc [1 2])", [2, 3]), ("(filter even? [1])", []), ("[(range 2) '(3)]", [[0, 1], [3]]),
        ("#{:b \"c\" 1}", ["c", 1, "b"]), ("#b[1 2]", [1, 2]), ("{\"k\" 1 :j 2 3 4 true 5 1/2 6}",
        {"k": 1, "j": 2, "3": 4, "true": 5, "1/2": 6}), ("1e21", 1e21), ("{:a {:b [1 {:c null}]}}",
        {"a": {"b": [1, {"c": None}]}}),
    ],
)  # fmt: skip
def test_values_go_out(source: str, json: object) -> None:
    """As JSON of the same meaning; types too, where Python tells 5 and 5.0 apart."""
    result = outcome(source)
    assert (json, type(json)) == (result, type(result))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("inc", "a procedure cannot be a result"),
        ("{:f [(lambda () 1)]}", "a procedure cannot be a result"),
        ("(delay 1)", "a promise cannot be a result"),
        ("+inf", "result has a number that JSON cannot carry: inf"),
        ("[nan]", "result has a number that JSON cannot carry: nan"),
        ("(define (f n v) (if (= n 0) v (f (dec n) [v v]))) (f 40 1)", "script result is larger than 16777216 bytes"),
        ("(define (f n v) (if (= n 0) v (f (dec n) [v]))) (f 300 1)", "script result nests deeper than 200 levels"),
        ("(fold-left * (range 1 3000))", "integer has too many digits for a result"),
    ],
)
def test_what_is_no_result(source: str, reason: str) -> None:
    """An error says why."""
    with pytest.raises(AleError) as caught:
        outcome(source)
    assert reason == caught.value.reason


def test_depth() -> None:
    """JSON of any depth comes in."""
    json: object = 0
    for _ in range(50_000):
        json = [json]
    assert "[" * 50_000 + "0" + "]" * 50_000 == render(from_json(json))
