# SPDX-License-Identifier: Apache-2.0
"""A conversation: definitions stay, may be made anew, and every form has limits of its own."""

import threading
import time

import pytest

from argyll_engine.scripting.ale import AleError, AleLimitError, Limits, Session, is_unfinished


def test_definitions_stay():
    """Also those before a form that failed."""
    session = Session()
    assert ["1"] == list(session.evaluate("(define x 1)"))
    with pytest.raises(AleError):
        list(session.evaluate("(define y 2) (raise :no)"))
    assert ["[1 2]"] == list(session.evaluate("[x y]"))


def test_a_definition_may_be_made_anew():
    """What was compiled before calls the new one."""
    session = Session()
    list(session.evaluate("(define (f) 1) (define (g) (f))"))
    assert ["2"] == list(session.evaluate('(define (f) "2") (define f 5) (define (f) 2) (g)'))[-1:]


def test_macros_stay():
    """Each form is expanded on a meter of its own."""
    session = Session(Limits(max_steps=1_000))
    list(session.evaluate("(define-macro (twice form) `(begin ,form ,form))"))
    for _ in range(50):
        assert ["3"] == list(session.evaluate("(twice (+ 1 2))"))


def test_limits_are_those_of_each_form():
    """A form that hits one spoils nothing."""
    session = Session(Limits(max_steps=5_000))
    assert ["3000", "3000"] == list(session.evaluate("(length! (range 3000)) (length! (range 3000))"))
    with pytest.raises(AleLimitError, match="limit of 5000 steps"):
        list(session.evaluate("(length! (range))"))
    assert ["3000"] == list(session.evaluate("(length! (range 3000))"))


def test_places_count_the_lines_of_the_conversation():
    """A fault in an earlier definition shows that definition's form."""
    session = Session()
    list(session.evaluate("(define (f x)\n  (+ x 1))"))
    with pytest.raises(AleError) as caught:
        list(session.evaluate('(str 1)\n(f "a")'))
    assert (2, 3, "(+ x 1)") == (caught.value.line, caught.value.column, caught.value.form)
    with pytest.raises(AleError) as caught:
        list(session.evaluate("nowhere"))
    assert (5, 1, "nowhere") == (caught.value.line, caught.value.column, caught.value.form)


def test_another_thread_can_end_an_evaluation():
    """However long it would have gone on; deep recursion runs in threads of its own."""
    session = Session(Limits(timeout_ms=60_000))
    for endless in ("(length! (range))", "(define (deep n) (+ 1 (deep (inc n)))) ((lambda-rec f (n) (f (inc n))) 0)"):
        stopping = threading.Timer(0.2, session.stop)
        stopping.start()
        began_at = time.monotonic()
        with pytest.raises(AleLimitError):
            list(session.evaluate(endless))
        stopping.join()
        assert time.monotonic() - began_at < 30


def test_names():
    """Those of the core and of the conversation."""
    session = Session()
    list(session.evaluate("(define amount 1)"))
    assert {"amount", "map", "if", "cond"} <= set(session.names())


@pytest.mark.parametrize(
    ("source", "expected"),
    [("(+ 1", True), ('"a', True), ("#| a", True), ("'", True), ("(+ 1)", False), (")", False), ("", False),
     ("|#", False), ("[1 (2", True), ("12ab (", False)],
)  # fmt: skip
def test_what_is_unfinished(source, expected):
    """More of it may still make it whole."""
    assert expected is is_unfinished(source)
