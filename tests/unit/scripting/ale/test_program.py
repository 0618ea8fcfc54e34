# SPDX-License-Identifier: Apache-2.0
"""Programs and scripts: definitions, tail calls, depth, and errors with their place.

What each form and procedure gives is in the conformance rows; here is what they do not say.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from argyll_engine.scripting.ale import (
    AleCompileError,
    AleError,
    AleLimitError,
    AleRunError,
    compile_script,
    evaluate,
    tagged,
)
from argyll_engine.scripting.ale.printer import render


def text(source: str) -> str:
    """The value of a program, as text."""
    return render(evaluate(source))


# ---- what the contract asks for beyond its rows ------------------------------------------------


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("", "()"),
        ("; nothing", "()"),
        ("(define (f n) (if (zero? n) :d (f (dec n)))) [(f 3) (f 2)]", "[:d :d]"),
        ("(define first 5) first", "5"),
        ("(let () 4)", "4"),
        ("(let* () 5)", "5"),
        ("(seq->vector (take 3 (range 1 2 0)))", "[1 1 1]"),
        ("(seq->vector (take 2.5 (range)))", "[0 1 2]"),
        ("(seq->vector (take -1 [1]))", "[]"),
        ("(seq->vector (drop -1 [1]))", "[1]"),
        ("(seq->vector (concat [1] '(2) #b[3] \"a\" {:b 4}))", '[1 2 3 "a" (:b . 4)]'),
        ("(str '())", '""'),
        ("(let [when (lambda (a b) :shadow)] (when false 1))", "()"),
        ("(let [if (lambda (a b c) :shadow)] (if 1 2 3))", ":shadow"),
        ("(let [first last] (first [1 2]))", "2"),
        ("(define-macro (mine a b) `(let [t# ,a] (if t# t# ,b))) (let [t 5] (mine false t))", "5"),
        ("(define :macro (m x) `(inc ,x)) (m 4)", "5"),
        ("(eval '(define x 3)) (inc x)", "4"),
        ("(try (raise \"a\" 1) (catch [e string?] (str e \"!\")))", '"a1!"'),
        ("(try (raise \"late\") (catch [e (eq \"soon\")] 1) (catch [e (eq \"late\")] 2))", "2"),
        ("(try 1 (finally 2))", "1"),
        ("(try)", "()"),
        ("(for-each ([x [1 2]] [y [3 4]]) (+ x y))", "6"),
        ("(eq (gensym) (gensym))", "#f"),
        ("(recover (thunk (read \"(a\")) identity)", '"( is not closed, ) expected"'),
        ("(recover (thunk (eval '(undefined))) identity)", '"name not declared: undefined"'),
        ("(recover (thunk (sym \"a/\")) identity)", '"not a symbol: a/"'),
        ("(comp)", "#<procedure>"),
        ("((comp inc (partial * 2)) 4)", "10"),
        ("(caddr '(1 2 3))", "3"),
        ("(mod -7 2/3)", "1/3"),
        ("(+ 1e308 1e308)", "+inf"),
        ("(* 1.5 (* 9223372036854775807 2))", "2.7670116110564327e+19"),
    ],
)  # fmt: skip
def test_programs(source: str, value: str) -> None:
    """Each program has its value."""
    assert value == text(source)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{:a 1, :b 2}", "name not declared: ale/unquote (a comma does not separate, it unquotes)"),
        ("(println 1)", "not available to scripts: println"),
        ("*out*", "not available to scripts: *out*"),
        ("(fold-left + 1 2 3)", "got 4 arguments, expected 2 to 3"),
        ("(:a)", "got 0 arguments, expected 1 to 2"),
        ('("abc" 1 2 3)', "got 3 arguments, expected 1 to 2"),
        ("(lambda [(x) 1] [(y) 2])", "a case can never be reached"),
        ("(lambda (x x) x)", "a parameter comes twice"),
        ("(lambda (x . x) x)", "a parameter comes twice"),
        ("(let ([x 1] [x 2]) x)", "a name is bound twice"),
        ("(other/name)", "name not declared: other/name"),
        ("(define-macro (m x) `(m ,x)) (m 1)", "macro expands for ever"),
    ],
)
def test_what_does_not_compile(source: str, reason: str) -> None:
    """A program that cannot be right is refused before it runs."""
    with pytest.raises(AleCompileError) as caught:
        evaluate(source)
    assert reason == caught.value.reason


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("(define x 1) (define x 2)", "name is already bound: x"),
        ("(partition 0 [1])", "size and step of a partition are at least 1"),
        ("(declare f) (f 1)", "name is not bound yet: f"),
        ("(let-rec [a (lambda () b)] (let-rec [b (a)] b))", None),
        ("((lambda (x) x))", "wrong number of arguments for lambda"),
        ("(let [f (lambda (x) x)] (f 1 2))", "wrong number of arguments for f"),
        ("(define f (lambda (x) x)) (f)", "wrong number of arguments for f"),
        ("(let [c cond] (c [1 2]))", "got macro, expected procedure"),
        ("(define (f x) x) (inc (f 1 2))", "wrong number of arguments for f"),
        ("(define-lambda f [(x) 1] [(x y) 2]) (f)", "wrong number of arguments for f: 0"),
        ("(apply map [])", "wrong number of arguments for map"),
        ("(let [x 1.5] (x 1))", "got float, expected procedure"),
        ("(try (raise \"a\") (catch [e (eq \"b\")] 1))", "a"),
        ("(try (raise \"a\") (finally 3))", "a"),
        ("(partial :a {:a 1})", "got keyword, expected procedure"),
        ("(+ true 1)", "got boolean, expected number"),
    ],
)  # fmt: skip
def test_what_fails(source: str, reason: str | None) -> None:
    """Every failure is an error of Ale with a text of its own."""
    with pytest.raises(AleError) as caught:
        evaluate(source)
    assert reason in (None, caught.value.reason)


# ---- places ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("(let [x 1]\n  (+ x :a))", (2, 3, "(+ x :a)")),
        ("(define (f x)\n   (+ x :a))\n(inc (f 1))", (2, 4, "(+ x :a)")),
        ("[1\n (undefined 2)]", (2, 3, "undefined")),
        ("(seq->vector (map (lambda (x)\n (nth x 1)) [[]]))", (2, 2, "(nth x 1)")),
        ("(when true\n  (cond [5\n (raise \"x\")]))", (3, 2, '(raise "x")')),
        ("(-> 1\n  (+ 2)\n  (str)\n  (inc))", (4, 3, "(inc)")),
        ("1\n(inc (eval (read \"\n\n(inc :a)\")))", (2, 6, '(eval (read " (inc :a)"))')),
        ("(let [é \"ü\"]\n (inc é))", (2, 2, "(inc é)")),
    ],
)  # fmt: skip
def test_an_error_shows_the_form(source: str, place: tuple[int, int, str]) -> None:
    """Line and column of the innermost form, and its text, also for what a macro made of it."""
    with pytest.raises(AleError) as caught:
        evaluate(source)
    assert place == (caught.value.line, caught.value.column, caught.value.form)


def test_the_text_of_an_error() -> None:
    """Reason, place and form in one line."""
    with pytest.raises(AleRunError, match=r"^divide by zero at line 1, column 6: \(/ 1 0\)$"):
        evaluate("(inc (/ 1 0))")


# ---- tail calls and depth ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("(define (loop n) (if (= n 0) :done (loop (dec n)))) (loop 100000)", ":done"),
        ("(letfn [(lambda-rec e (n) (if (= n 0) true (o (dec n)))) (lambda-rec o (n) (if (= n 0) false (e (dec n))))]"
         " (e 100000))", "#t"),
        ("(define (f n) (and true (or false (begin 1 (let [m (dec n)] (cond [(= m 0) :ok] [1 (f m)])))))) (f 50000)",
         ":ok"),
        ("(define (f . xs) (if (= (0 xs) 0) :ok (apply f [(dec (0 xs))]))) (f 50000)", ":ok"),
        ("(define-lambda f [(n) (f n 0)] [(n sum) (if (= n 0) sum (f (dec n) (+ sum n)))]) (f 50000)", "1250025000"),
        ("(define (f n . rest) (if (= n 0) rest (f (dec n) n))) (f 5000)", "[1]"),
    ],
)  # fmt: skip
def test_tail_calls_take_no_depth(source: str, value: str) -> None:
    """Calls of itself, of each other and by `apply`, wherever the tail position is."""
    assert value == text(source)


def test_procedures_keep_the_values_of_their_round() -> None:
    """A loop whose variables are held on to is none in Python."""
    source = (
        "(define (loop n fs) (if (= n 0) (map! (lambda (f) (f)) fs) (loop (dec n) (conj fs (thunk n))))) (loop 3 [])"
    )
    assert "(3 2 1)" == text(source)


def test_recursion_of_ten_thousand_levels() -> None:
    """More than Python's own stack holds."""
    assert 50_005_000 == evaluate("(define (sum n) (if (= n 0) 0 (+ n (sum (dec n))))) (sum 10000)")


@pytest.mark.parametrize(
    "source",
    [
        "(define (f) (inc (f))) (f)",
        "(seq->vector (fold-left (lambda (s x) (map inc s)) [1] (range 5000)))",
        "(+ " * 2_000 + "1" + ")" * 2_000,
    ],
)
def test_recursion_without_end(source: str) -> None:
    """Is an error as clean as any other."""
    with pytest.raises(AleLimitError, match=r"^recursion is too deep"):
        evaluate(source)


@pytest.mark.parametrize(
    "source",
    [
        "(let [make (lambda-rec make (n v) (if (= n 0) v (make (dec n) [v])))] (eq (make 50000 0) (make 50000 0)))",
        "(let [make (lambda-rec make (n v) (if (= n 0) v (make (dec n) (list v))))] (string? (str (make 50000 0))))",
        "(let [make (lambda-rec make (n v) (if (= n 0) v (make (dec n) [v])))] (contains? {(make 50000 0) 1} [1]))",
        "(let-rec [skip (lambda (n) (lazy-seq (if (= n 0) [true] (skip (dec n)))))] (first (skip 50000)))",
        "(eq 49999 (last! (filter (lambda (x) (> x 49998)) (range 50000))))",
    ],
)
def test_deep_values_take_no_depth(source: str) -> None:
    """Values of fifty thousand levels are compared, printed and forced."""
    assert evaluate(source) in (True, False)


# ---- scripts -----------------------------------------------------------------------------------


def test_a_script_is_a_procedure_of_its_arguments() -> None:
    """Values come in the order of the names."""
    script = compile_script("(define k 10) (+ (* k a) b)", ["a", "b"])
    assert [12, 34] == [script(1, 2), script(3, 4)]


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("(define k 1) (+ k x)", 6),
        ("(define (ev n) (if (= n 0) true (od (dec n)))) (define (od n) (if (= n 0) false (ev (dec n)))) (ev x)",
         False),
        ("(define (f n) (if (= n 0) x (f (dec n)))) (f 3)", 5),
        ("(define-macro (twice e) `(+ ,e ,e)) (twice x)", 10),
        ("(define k x)", 5),
        ("(+ x 1) ; the end", 6),
        ("(eval '(define y 2)) (eval '(+ 1 1))", 2),
        ("(define x 7) x", 7),
    ],
)  # fmt: skip
def test_definitions_of_a_script(source: str, value: object) -> None:
    """They are variables of the run, and may call each other. Source: the contract, scripts D5."""
    script = compile_script(source, ["x"])
    assert [value, value] == [script(5), script(5)]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "script has no form"),
        ("; nothing", "script has no form"),
        ("{:a 1}) (lambda () {:b 2}", "unexpected )"),
        ("(if x (define y 1))", "define belongs at the top of a script: y"),
        ("(define k 1) (define k 2) k", "name is already bound: k"),
        ("(missing x)", "name not declared: missing"),
    ],
)
def test_what_is_no_script(source: str, reason: str) -> None:
    """A text that closes its wrapper, or is empty, is refused like any other. Source: the contract, scripts §6."""
    with pytest.raises(AleCompileError) as caught:
        compile_script(source, ["x"])
    assert reason == caught.value.reason


def test_an_argument_that_is_no_name() -> None:
    """It is named in the error."""
    with pytest.raises(AleCompileError, match=r'^argument name is not an Ale symbol: "a b"$'):
        compile_script("1", ["a b"])


def test_a_script_runs_in_many_threads() -> None:
    """Nothing of one run is seen by another."""
    script = compile_script("(define (sum n) (if (= n 0) 0 (+ n (sum (dec n))))) (sum x)", ["x"])
    with ThreadPoolExecutor(4) as pool:
        assert [n * (n + 1) // 2 for n in range(40)] == list(pool.map(script, range(40)))


def test_tags() -> None:
    """Every type has its own tag."""
    value = evaluate("[1 1/2 \"s\" :k 'a/b '(1) {:a 1} #{1} #b[1] (cons 1 2) null true]")
    expected = [
        1, {"$ratio": [1, 2]}, "s", {"$kw": "k"}, {"$sym": "a/b"}, {"$list": [1]}, {"$obj": [[{"$kw": "a"}, 1]]},
        {"$set": [1]}, {"$bytes": [1]}, {"$cons": [1, 2]}, None, True,
    ]  # fmt: skip
    assert {"$vec": expected} == tagged(value)
