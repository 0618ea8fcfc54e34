# SPDX-License-Identifier: Apache-2.0
"""Every known way to hang or fill a script sandbox, by the name of the trap. Ways out of one are in `test_ways_out.py`.

Source: the contract, scripts §1.8 and D6; `lua_sandbox.py` and `ale/meter.py` say how each is closed.
"""

import gc
import time

import pytest

from argyll_engine.errors import ScriptRunError
from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.model.ids import Name
from argyll_engine.scripting.ale.footprint import resident_bytes
from argyll_engine.scripting.limits import ScriptLimits
from argyll_engine.scripting.lua import LuaLanguage
from tests.unit.scripting.limited import (
    HASTY,
    MEMORY,
    MEMORY_MB,
    RESULT,
    ROOMY,
    SHORT,
    SMALL,
    STEPS,
    TERSE,
    TIME,
    TIMEOUT_MS,
    refusal,
    run,
)

GROW = "(define (grow n v step) (if (= n 0) v (grow (dec n) (step v) step)))"
"""Ale: `(grow n v step)` takes a step on a value n times."""

TREE = '(grow 12 "ha" (lambda (v) [v v v v v v v v v v]))'
"""Ale: a billion laughs, of little memory and endless text."""

LUA_LAUGHS = "local t = 'ha' for _ = 1, 12 do t = {t, t, t, t, t, t, t, t, t, t} end return t"


# ---- time ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "while true do end",
        "local function f() return f() end return f()",
        "while true do pcall(function() while true do end end) end",  # pcall swallows what a hook raises
        "pcall(function() while true do end end) return 1",
        "repeat until xpcall(function() while true do end end, function() end) == 1",
        "return tostring(setmetatable({}, {__tostring = function() while true do end end}))",
        "setmetatable(_G, {__index = function() while true do end end}) return anything",
        "table.sort({3, 2, 1}, function() while true do end end)",
        "for _ = 1, 1e12 do collectgarbage('collect') end",
        "::again:: goto again",
    ],
)
def test_lua_loops(text: str) -> None:
    """Loops end at the limit of time, whatever they catch."""
    assert TIME == refusal(HASTY, "lua", text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("return x:find(('a*'):rep(12) .. 'b')", 500),
        ("return x:find('.-.-.-.-.-.-b')", 5_000),
        ("return x:match(('(.-)'):rep(10) .. 'b')", 2_000),
        ("return x:find(('a?'):rep(30) .. ('a'):rep(31))", 30),
        ("return x:gsub('.-.-.-b', 'c')", 20_000),
        ("for _ in x:gmatch('(.-)(.-)%1%2b') do end", 5_000),
        ("for _ = 1, 1e9 do x:find('(.-)(.-)b') end", 200),
        ("return x:find(('%a*'):rep(6) .. '%b()')", 5_000),
    ],
)
def test_lua_patterns(text: str, size: int) -> None:
    """No hook runs inside of a native call, so costly patterns are matched where one does."""
    assert TIME == refusal(HASTY, "lua", text, x="a" * size)


@pytest.mark.parametrize(
    "text",
    [
        "while true do local y = x:upper() end",
        "while true do local y = x:reverse() end",
        "while true do tonumber(x, 36) end",
        "while true do local y = x .. 'a' end",
        "while true do local y = ('x'):rep(4e6) end",
        "local y = x .. 'b' x = x .. 'a' while true do local z = x < y end",
    ],
)
def test_lua_few_but_long_instructions(text: str) -> None:
    """Instructions that copy much are interrupted sooner than others."""
    before = time.thread_time()
    assert TIME == refusal(HASTY, "lua", text, x="z" * 4_000_000)
    assert time.thread_time() - before < 20 * TIMEOUT_MS / 1_000


@pytest.mark.parametrize(
    "text",
    [
        "(define (f) (f)) (f)",
        "(declare g) (define (f) (g)) (define (g) (f)) (f)",
        "(first (drop 1000000000 (range)))",
        "(recover (thunk (let-rec [f (lambda () (f))] (f))) (lambda (e) 1))",
        "(try (let-rec [f (lambda () (f))] (f)) (catch [e any?] 1))",
        "(define (f n) (f (eval (list '+ n 1)))) (f 0)",
        "(define (f n) (recover (lambda () (raise n)) (lambda (e) (f n)))) (f 0)",
        f"{GROW} (eq {TREE} {TREE})",
        f"{GROW} (str {TREE})",
    ],
)
def test_ale_loops(text: str) -> None:
    """What goes on for ever ends at the limit of time, whatever it catches."""
    assert refusal(HASTY, "ale", text).startswith(TIME)


def test_jpath_descends_again_and_again() -> None:
    """Recursive filters visit a document more often than it has values, and end."""
    tree: object = {}
    for _ in range(9):
        tree = dict.fromkeys("abc", tree)
    assert TIME == refusal(HASTY, "jpath", "$..[?@..[?@..[?@..x]]]", x=tree)


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|aa)+$b", "(a|a?)+b", "(.*)*b", "([a-z]+)*b", "a{1,100}b"])
def test_jpath_patterns(pattern: str) -> None:
    """Patterns that make others backtrack for ever take linear time."""
    assert (False, None) == run(HASTY, "jpath", f"$[?search(@, '{pattern}')]", x=["a" * 100_000])


# ---- memory ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "return string.rep('x', 2^31 - 1)",
        "return ('x'):rep(1e6, ('y'):rep(1e4))",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = {} end",
        "local t = {} for i = 1, 1e9 do t[i] = i .. '' end",
        "pcall(string.rep, 'x', 1e9) return 1",
        "pcall(function() local t = {} while true do t[#t + 1] = {} end end) return 1",
        "local t = {} for i = 1, 400 do t[i] = x end return #table.concat(t)",
        "local t = {} for i = 1, 200 do t[i] = x end return #string.format(('%s'):rep(200), table.unpack(t))",
        "return #x:gsub('z+', ('%0'):rep(1000))",
        "local function f() return 1 + f() end return f()",
        "local t = {} for i = 1, 1e7 do t = {t} end return t",
    ],
)
def test_lua_memory(text: str) -> None:
    """Neither one long text nor many small values get past the limit, whatever catches the error."""
    assert MEMORY == refusal(SMALL, "lua", text, x="z" * 100_000)


@pytest.mark.parametrize(
    "text",
    [
        "(seq->vector (range))",
        "(range)",  # realised on the way out
        "(apply + (range))",
        f'{GROW} (length (grow 40 "ab" (lambda (s) (str s s))))',
        f"{GROW} (length (grow 1000000 () (lambda (kept) (cons (str x 1) kept))))",
        f"{GROW} (length (grow 1000000 () (lambda (kept) (cons (append [1 2 3] kept) kept))))",
        f"{GROW} (length (grow 1000000 () (lambda (kept) (cons (object :a kept) kept))))",
        f"(define many (seq->vector (range 5000))) {GROW} "
        "(length (grow 1000000 () (lambda (kept) (cons (append many 1) kept))))",
        f"{GROW} (define big (grow 15 3 (lambda (n) (* n n)))) "
        "(grow 1000000 [big] (lambda (kept) (cons (inc (first kept)) kept)))",
    ],
)
def test_ale_memory(text: str) -> None:
    """What a script keeps counts, whatever it is made of."""
    assert refusal(SMALL, "ale", text, x="z" * 100_000).startswith(MEMORY)


def test_jpath_memory() -> None:
    """Selecting everything a thousand times is refused."""
    union = f"[{','.join(['*'] * 1_000)}]"
    assert MEMORY == refusal(SMALL, "jpath", f"${union}{union}", x=[list(range(100))] * 100)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ale", f"{GROW} (length (grow 1000000 () (lambda (kept) (cons (str x 1) kept))))"),
        ("ale", "(seq->vector (range))"),
        ("lua", "local t = {} while true do t[#t + 1] = {} end"),
        ("lua", "local s = x while true do s = s .. s end"),
    ],
)
def test_memory_comes_back(language: str, text: str) -> None:
    """Ten bombs leave no more behind than one; nothing waits for the collector of cycles."""
    bomb = ScriptConfig(language=language, script=text)
    inputs = {Name("x"): "z" * 100_000}
    gc.disable()
    try:
        before = 0
        for round_number in range(11):
            with pytest.raises(ScriptRunError):
                SMALL.run(bomb, tuple(inputs), inputs)
            before = before or (resident_bytes() if round_number else 0)
        assert resident_bytes() - before < 2 * MEMORY_MB * 1_048_576
    finally:
        gc.enable()


def test_a_lua_state_at_its_limit_is_thrown_away() -> None:
    """A state that met its limit keeps its memory, so the next script gets a fresh one."""
    language = LuaLanguage(ScriptLimits(timeout_ms=5_000, memory_mb=4))
    bomb, honest = (
        language.compile("local t = {} while true do t[#t + 1] = {} end", ()),
        language.compile("return 1", ()),
    )
    with language.interpreter() as before:
        pass
    with pytest.raises(ScriptRunError):
        bomb.evaluate({})
    assert 1 == honest.evaluate({})
    with language.interpreter() as after:
        assert after is not before


# ---- steps -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("lua", "while true do end"),
        ("lua", "while true do pcall(function() while true do end end) end"),
        ("lua", "for _ = 1, 300000 do local x = 1 end"),
        ("ale", "(define (f) (f)) (f)"),
        ("ale", "(length! (range))"),
        ("ale", "(define-macro (m) (length! (range))) (m)"),
        ("jpath", "$[?$[?$[?@ == 1]]]"),
    ],
)
def test_steps(language: str, text: str) -> None:
    """The limit of steps is the same on every machine."""
    assert refusal(SHORT, language, text, x=[0] * 100).startswith(STEPS)


@pytest.mark.parametrize(
    ("language", "text"),
    [("lua", "for _ = 1, 50000 do local x = 1 end return 1"), ("ale", "(length! (range 100000))"), ("jpath", "$[0]")],
)
def test_enough_steps(language: str, text: str) -> None:
    """A script within its steps is left alone."""
    assert run(SHORT, language, text, x=[1]) in ({"result": 1}, {"result": 100_000}, (True, 1))


# ---- results and depth -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ale", f"{GROW} {TREE}"),
        ("ale", f"{GROW} {{:laughs (list 1 {TREE})}}"),
        ("ale", "(range 100000)"),
        ("lua", LUA_LAUGHS),
        ("lua", "return {a = ('x'):rep(100001)}"),
        ("jpath", "$[*,*,*,*,*,*,*,*,*,*]"),
    ],
)
def test_results(language: str, text: str) -> None:
    """A result counts at its full length, however much of it is shared (a billion laughs)."""
    assert RESULT == refusal(TERSE, language, text, x=["z" * 20_000])


@pytest.mark.parametrize(
    ("language", "text", "error"),
    [
        ("ale", f"{GROW} {{{TREE} 1}}", "text is longer than its limit"),
        ("ale", "(define (f n) (+ 1 (f n))) (f 1)", "recursion is too deep"),
        ("ale", f"{GROW} (grow 1000 1 (lambda (v) [v]))", "script result nests deeper than 200 levels"),
        ("ale", f"{GROW} (eval (grow 20000 1 (lambda (v) (list '+ 1 v))))", "recursion is too deep"),
        ("ale", f"{GROW} (seq->vector (grow 20000 [1] (lambda (s) (map inc s))))", "recursion is too deep"),
        ("ale", f"{GROW} (grow 40 3 (lambda (n) (* n n)))", "integer exceeds its limit of 65536 bits"),
        ("ale", "(define-macro (m x) (list 'm (list '+ x x))) (m 1)", "macro expands for ever"),
        ("ale", f'{GROW} (read (grow 20 "9" (lambda (s) (str s s))))', "number is longer than 4300 characters"),
        ("lua", "local t = {} t.t = t return t", 'output "t.t.'),
        (
            "lua",
            "return string.rep('(', 300):gsub('.', '%0') and table.unpack({}, 1, 1e8)",
            "too many results to unpack",
        ),
        ("lua", f"return {'(' * 300}1{')' * 300}", "too many C levels"),
        ("jpath", f"${'[?@' * 100}{']' * 100}", "too many operators, filters and parentheses"),
        ("jpath", f"{'(' * 400}$.a{')' * 400}", "too many operators, filters and parentheses"),
    ],
)
def test_depth_and_size_of_single_values(language: str, text: str, error: str) -> None:
    """Whatever nests or grows without end is refused with a text of its own; the stack never runs out."""
    assert error in refusal(ROOMY, language, text, x=[])
