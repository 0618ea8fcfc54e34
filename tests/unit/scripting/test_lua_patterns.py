# SPDX-License-Identifier: Apache-2.0
"""Lua patterns: the same as in the native functions, but stopped by the time limit."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lupa import lua52

from argyll_engine.errors import ScriptRunError
from argyll_engine.scripting.limits import ScriptLimits
from argyll_engine.scripting.lua import LuaLanguage
from argyll_engine.scripting.lua_pattern_plans import PLANS
from argyll_engine.scripting.lua_patterns import PATTERNS

HASTY = LuaLanguage(ScriptLimits(timeout_ms=50, memory_mb=16))
TOO_LONG = "script exceeded its time limit of 50 ms"

COMPARE = rb"""
local patterns, plans = ...
local ours, native = {}, string
ours.find, ours.match, ours.gmatch, ours.gsub = load(patterns)(function() end, plans)

local function described(ok, ...)
  local count = select("#", ...)
  local parts = {tostring(ok)}
  for place = 1, count do
    local value = select(place, ...)
    parts[#parts + 1] = type(value) .. ":" .. tostring(value):gsub("^[^:]*:%d+: ", "")
  end
  return table.concat(parts, " | ")
end

local replacements = {
  table = setmetatable({a = "<A>", b = false, ab = 7}, {
    __index = function(_, key) return key == 2 and "two" or nil end,
  }),
  ["function"] = function(...) return select("#", ...) .. table.concat({...}, ",") end,
  silent = function() end,
  wrong = function() return {} end,
}

local function call(library, name, text, pattern, third, fourth)
  if name == "gmatch" then
    local all = {}
    for first, second in library.gmatch(text, pattern) do
      all[#all + 1] = tostring(first) .. "/" .. tostring(second)
    end
    return table.concat(all, ";")
  end
  if name == "gsub" then return library.gsub(text, pattern, replacements[third] or third, fourth) end
  return library[name](text, pattern, third, fourth)
end

return function(...)
  return described(pcall(call, native, ...)), described(pcall(call, ours, ...))
end
"""


def compare_with(patterns: bytes) -> Any:
    """A function that gives what the native function and ours make of one call, as two texts."""
    return lua52.LuaRuntime(encoding=None).execute(COMPARE, patterns, PLANS)


assert b"MAX_STEPS = 1e6" in PATTERNS
ALWAYS_OURS = compare_with(PATTERNS.replace(b"MAX_STEPS = 1e6", b"MAX_STEPS = 0"))
AS_USED = compare_with(PATTERNS)

SINGLES = st.sampled_from(
    [b"a", b"b", b".", b"%a", b"%d", b"%.", b"[ab]", b"[^a]", b"[a-b1]", b"[%d.]", b"[]a]", b"\0"]
)
QUANTIFIED = st.builds(lambda single, sign: single + sign, SINGLES, st.sampled_from([b"", b"", b"*", b"+", b"-", b"?"]))
OTHERS = st.sampled_from([b"()", b"%bab", b"%f[a]", b"%f[^b]", b"$", b"^", b"-"])
PIECES = st.lists(st.one_of(QUANTIFIED, QUANTIFIED, OTHERS), max_size=4).map(b"".join)
CAPTURED = st.tuples(PIECES, PIECES, st.sampled_from([b"", b"%1"]), PIECES).map(
    lambda parts: parts[0] + b"(" + parts[1] + b")" + parts[2] + parts[3]
)
VALID = st.tuples(st.sampled_from([b"", b"", b"^"]), st.one_of(PIECES, CAPTURED)).map(b"".join)
TEXTS = st.lists(st.sampled_from([b"a", b"b", b"1", b".", b"\0"]), max_size=9).map(b"".join)
STARTS = st.one_of(st.none(), st.integers(-11, 11))


@settings(max_examples=400, deadline=None)
@given(name=st.sampled_from([b"find", b"match"]), text=TEXTS, pattern=VALID, start=STARTS, plain=st.booleans())
def test_find_and_match(name: bytes, text: bytes, pattern: bytes, start: int | None, plain: bool) -> None:
    """Finding gives what the native functions give, from every place, plain or not."""
    expected, actual = ALWAYS_OURS(name, text, pattern, start, plain)
    assert expected == actual


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, pattern=VALID)
def test_gmatch(text: bytes, pattern: bytes) -> None:
    """Going over all matches gives the same captures in the same order."""
    expected, actual = ALWAYS_OURS(b"gmatch", text, pattern)
    assert expected == actual


REPLACEMENTS = st.sampled_from(
    [b"", b"x", b"<%0>", b"%1%%", b"%2", b"%", b"%x", b"table", b"function", b"silent", b"wrong", 5]
)


@settings(max_examples=400, deadline=None)
@given(text=TEXTS, pattern=VALID, replacement=REPLACEMENTS, limit=st.one_of(st.none(), st.integers(-1, 4)))
def test_gsub(text: bytes, pattern: bytes, replacement: bytes | int, limit: int | None) -> None:
    """Replacing by texts, tables and functions gives the same text, number and error."""
    for compare in (ALWAYS_OURS, AS_USED):
        expected, actual = compare(b"gsub", text, pattern, replacement, limit)
        assert expected == actual


@pytest.mark.parametrize("name", [b"find", b"match", b"gmatch"])
@pytest.mark.parametrize(
    "pattern",
    [b"a%", b"[a", b"[", b"[]", b"[%", b"%b", b"%bx", b"%f", b"%fa", b"(a", b"a)", b"(a%1)", b"%1", b"%0", b"(()a",
     b"()" * 33, b"()%1", b"z[", b"a?" * 210],
)  # fmt: skip
def test_broken_patterns(name: bytes, pattern: bytes) -> None:
    """A mistake in a pattern is the same error, and none where the text does not lead to it."""
    for compare in (ALWAYS_OURS, AS_USED):
        expected, actual = compare(name, b"a" * 210, pattern)
        assert expected == actual


@pytest.mark.parametrize(
    "arguments",
    [
        (True, b"a"),
        (b"a", True),
        (None, b"a"),
        (5, 5),
        (b"1212", b"2", b"-3"),
        (b"abab", b"b", 2.5),
        (b"abab", b"a", -2.5),
        (b"a", b"a", True),
    ],
)
def test_arguments(arguments: tuple[object, ...]) -> None:
    """Numbers are texts and texts numbers where they can be; all else is the same error."""
    for name in (b"find", b"match", b"gsub"):
        expected, actual = AS_USED(name, *arguments)
        assert expected.replace(b"'?'", b"'" + name + b"'") == actual


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nstring.find('a', '[')", "script:2: malformed pattern (missing ']')"),
        ("for _ in ('a'):gmatch('%') do end", "script:1: malformed pattern (ends with '%')"),
        ("string.gsub('a', 'a', '%x')", "script:1: invalid use of '%' in replacement string"),
        ("string.match(nil, 'a')", "script:1: bad argument #1 to 'match' (string expected, got nil)"),
        ("local x = ('a'):find({})", "script:1: bad argument #1 to 'find' (string expected, got table)"),
    ],
)
def test_where_errors_are(text: str, message: str) -> None:
    """Errors name the line of the script, not one of ours."""
    with pytest.raises(ScriptRunError) as caught:
        HASTY.compile(text, ()).evaluate({})
    assert message == str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "string.find(string.rep('a', 200000), string.rep('.-', 30) .. 'b')",
        "string.match(string.rep('a', 30), string.rep('a?', 60) .. 'b')",
        "for _ in string.gmatch(string.rep('a', 200000), '.*.*b') do end",
        "string.gsub(string.rep('a', 200000), '.-.-b', '')",
        "string.find(string.rep('(', 200000), '%b()')",
        "string.find(string.rep('a', 2000000), string.rep('a', 1000000) .. 'b', 1, true)",
        "pcall(string.find, string.rep('a', 200000), '.-.-.-b') return 1",
        "while true do string.find(string.rep('a', 90), '.-.-b') end",
    ],
)
def test_the_time_limit(text: str) -> None:
    """A pattern that goes on for ever is stopped soon."""
    program = HASTY.compile(text, ())
    started = time.thread_time()
    with pytest.raises(ScriptRunError) as caught:
        program.evaluate({})
    assert (TOO_LONG, True) == (str(caught.value), time.thread_time() - started < 0.5)


def test_long_plain_texts() -> None:
    """A plain text is found wherever it lies in a long one."""
    script = "local s = ('x'):rep(n) return {(s .. 'ab' .. s):find('ab', 1, true)}"
    program = LuaLanguage(ScriptLimits(timeout_ms=1_000, memory_mb=16)).compile(script, ("n",))
    for size in (65_534, 65_535, 65_536, 131_071, 300_000):
        assert [size + 1, size + 2] == program.evaluate({"n": size})
