# SPDX-License-Identifier: Apache-2.0
"""What one run may use. A limit cannot be caught by the program, and leaves nothing behind."""

import threading

import pytest

from argyll_engine.scripting.ale import AleLimitError, Limits, compile_script, evaluate

TIGHT = Limits(timeout_ms=10_000, memory_mb=512, max_steps=200_000)
HASTY = Limits(timeout_ms=50, memory_mb=512)
SMALL = Limits(timeout_ms=10_000, memory_mb=16)

STEPS = "script exceeded its limit of 200000 steps"
TIME = "script exceeded its time limit of 50 ms"
MEMORY = "script exceeded its memory limit of 16 MB"


def growing(step: str) -> str:
    """A definition of `grow`, which takes a step on a value again and again."""
    return f"(define (grow n v) (if (= n 0) v (grow (dec n) {step})))"


def refusal(source: str, limits: Limits) -> str:
    """The limit that a program hits."""
    with pytest.raises(AleLimitError) as caught:
        evaluate(source, limits)
    return caught.value.reason


@pytest.mark.parametrize(
    "source",
    [
        "(define (f) (f)) (f)",
        "(declare g) (define (f) (g)) (define (g) (f)) (f)",
        "(length! (range))",
        "(last! (map inc (range)))",
        "(first (filter (lambda (x) false) (range)))",
        "(fold-left + (range))",
        "(seq->vector (take 1000000000 (range)))",
        "(first (drop 1000000000 (range)))",
        "(index-of (range) -1)",
        "(recover (thunk (length! (range))) (lambda (e) 1))",
        "(try (length! (range)) (catch [e any?] 1))",
        "(let-rec [xs (lazy-seq xs)] (first xs))",
        "(define-macro (m) (length! (range))) (m)",
        "(define (f n) (f (eval (list '+ n 1)))) (f 0)",
        growing("[v v]") + " (str (grow 40 1))",
        growing("[v v]") + " (eq (grow 40 1) (grow 40 1))",
    ],
)
def test_steps(source: str) -> None:
    """Whatever goes on for ever takes steps."""
    assert STEPS == refusal(source, TIGHT)


def test_time() -> None:
    """Processor time is looked at now and then."""
    assert TIME == refusal("(define (f) (f)) (f)", HASTY)


@pytest.mark.parametrize("source", ["(seq->vector (range))", growing("(str v v)") + ' (length (grow 40 "ab"))'])
def test_memory(source: str) -> None:
    """Neither many small values nor one large one."""
    assert MEMORY == refusal(source, SMALL)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (growing("(* v v)") + " (grow 40 3)", "integer exceeds its limit of 65536 bits"),
        (growing("(* v v)") + " (grow 40 3/2)", "ratio exceeds its limit of 65536 bits"),
        (growing("[v v]") + " {(grow 40 1) 1}", "text is longer than its limit of 262144 characters"),
    ],
)
def test_single_values(source: str, reason: str) -> None:
    """A value that would take one step of endless work is not made."""
    assert reason == refusal(source, SMALL)


def test_the_next_run_has_its_own_account() -> None:
    """A script that hit a limit once works when asked for less."""
    script = compile_script("(length! (range n))", ["n"])
    with pytest.raises(AleLimitError):
        script(10**9, limits=TIGHT)
    assert 10 == script(10, limits=TIGHT)


def test_no_thread_is_left() -> None:
    """A deep recursion goes through threads of its own, and takes them back."""
    before = threading.active_count()
    evaluate("(define (sum n) (if (= n 0) 0 (+ n (sum (dec n))))) (sum 5000)")
    assert before == threading.active_count()


def test_time_is_counted_through_all_threads() -> None:
    """A deep recursion does not begin its time anew."""
    source = "(define (spin n) (if (= n 0) 0 (spin (dec n)))) (define (f n) (spin 500) (inc (f (dec n)))) (f 1)"
    assert TIME == refusal(source, HASTY)
