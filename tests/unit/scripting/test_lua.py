# SPDX-License-Identifier: Apache-2.0
"""The Lua sandbox: what scripts see, how values cross, which limits hold. Source: the contract, scripts §3 and §6."""

import threading

import pytest

from argyll_engine.errors import ScriptCompileError, ScriptError, ScriptRunError
from argyll_engine.scripting.limits import ScriptLimits
from argyll_engine.scripting.lua import LuaLanguage

LUA = LuaLanguage(ScriptLimits(timeout_ms=1_000, memory_mb=16))
HASTY = LuaLanguage(ScriptLimits(timeout_ms=50, memory_mb=4))

TOO_LONG = "script exceeded its time limit of 50 ms"
TOO_MUCH = "script exceeded its memory limit of 4 MB"


def run(text: str, language: LuaLanguage = LUA, **arguments: object) -> object:
    """What the script returns for these arguments."""
    return language.compile(text, tuple(sorted(arguments))).evaluate(arguments)


def error(text: str, language: LuaLanguage = LUA, **arguments: object) -> str:
    """The text of the error that the script ends with."""
    with pytest.raises(ScriptError) as caught:
        run(text, language, **arguments)
    return str(caught.value)


# ---- values ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [None, True, False, 0, 5, -7, 2**53, -(2**53), 1.5, -0.25, "", "text", "ü \U0001f600 \x00", [1, 2], [[1], ["a"]],
     {"a": 1}, {"a": {"b": [True, {"c": "d"}]}}, {"1": 2}],
)  # fmt: skip
def test_values_come_back(value: object) -> None:
    """A JSON value passes through Lua unchanged, save for nulls and empty arrays inside."""
    back = run("return x", x=value)
    assert (value, type(value)) == (back, type(back))


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("return 2.0", 2),
        ("return 2^53", 2**53),
        ("return 1e300", 1e300),
        ("return -0.0", 0),
        ("return 1, 2", 1),
        ("return", None),
        ("return {{}}", [{}]),
        ("return {a = nil, b = 1}", {"b": 1}),
        ("return {[5] = 'a'}", {"5": "a"}),
        ("return {1, nil, 3}", {"1": 1, "3": 3}),
        ("return {[0] = 1, 2}", {"0": 1, "1": 2}),
        ("return {[2.5] = 1, [true] = 2, x = 3}", {"2.5": 1, "true": 2, "x": 3}),
        ("return {['1'] = 'text', [1] = 'number'}", {"1": "text"}),
        ("return {['1'] = 'a', ['2'] = 'b'}", {"1": "a", "2": "b"}),
        ("return {f = print}", {"f": None}),
        ("return '\\255x'", "\ufffdx"),
    ],
)
def test_results(text: str, result: object) -> None:
    """Tables from 1 on are arrays, all others objects with the text of their keys; whole numbers are integers."""
    assert result == run(text)


def test_members_of_a_result_are_in_order() -> None:
    """The order of members does not depend on Lua's hashing."""
    result = run("return {c = 1, a = 2, b = 3, d = 4}")
    assert isinstance(result, dict)
    assert list(result) == ["a", "b", "c", "d"]


def test_nulls_in_arguments() -> None:
    """A null member is absent, a null element a hole that the length counts, a null argument nil."""
    script = "return {n = #items, hole = items[2] == nil, member = object.a == nil, none = x == nil}"
    expected = {"n": 3, "hole": True, "member": True, "none": True}
    assert expected == run(script, items=[1, None, 3], object={"a": None}, x=None)


def test_integers_beyond_doubles_lose_precision() -> None:
    """Numbers in Lua are doubles."""
    assert run("return x", x=2**60 + 1) == 2**60


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("return {net = 0/0}", 'output "net" is a number that JSON cannot carry: nan'),
        ("return {a = {1, {b = -1/0}}}", 'output "a[2].b" is a number that JSON cannot carry: -inf'),
        ("return 1/0", 'output "result" is a number that JSON cannot carry: inf'),
        ("return {a = {[print] = 1}}", 'output "a" has a key that is neither string, number nor boolean'),
        ("local t = {} t.t = t return t", f'output "{"t." * 40}" nests deeper than 100 levels'),
        ("local t = 1 for _ = 1, 40 do t = {t, t} end return t", "script result is larger than 16777216 bytes"),
    ],
)
def test_results_that_cannot_leave(text: str, message: str) -> None:
    """A result that JSON cannot carry is an error that names the output."""
    assert message == error(text)


def test_arguments_that_cannot_enter() -> None:
    """A number beyond doubles and bottomless nesting are errors that name the argument."""
    deep: object = 1
    for _ in range(101):
        deep = [deep]
    expected = ('argument "x" is a number too large for Lua', 'argument "x" nests deeper than 100 levels')
    assert expected == (error("return 1", x=10**400), error("return 1", x=deep))


# ---- compiling -------------------------------------------------------------------------------


def test_arguments_are_locals_and_varargs() -> None:
    """Arguments have names and, in order of the names, places."""
    assert run("return {a, select(2, ...), select('#', ...)}", a=1, b=2) == [1, 2, 2]


@pytest.mark.parametrize("name", ["user-id", "1a", "a b", "", "ü", "end", "goto", "_ENV", "a=1;b", "a\n"])
def test_names_that_are_no_identifiers(name: str) -> None:
    """An argument that Lua cannot name is a compile error that names it."""
    with pytest.raises(ScriptCompileError) as caught:
        LUA.compile("return 1", (name,))
    assert f'argument name is not a Lua identifier: "{name}"' == str(caught.value)


@pytest.mark.parametrize("text", ["return {", "return 1 end return 2", "x = = 1", "goto nowhere"])
def test_texts_that_are_no_chunks(text: str) -> None:
    """A text that is no Lua chunk, or tries to close its own, does not compile."""
    with pytest.raises(ScriptCompileError, match=r"^script:1: "):
        LUA.compile(text, ())


@pytest.mark.parametrize("names", [(), ("a",)])
def test_bytecode(names: tuple[str, ...]) -> None:
    """Only text is compiled, also where it would be the first thing in the chunk."""
    with pytest.raises(ScriptCompileError):
        LUA.compile("\x1bLua", names)


def test_line_numbers() -> None:
    """Arguments do not shift the lines that errors tell."""
    assert error("local z\n\nerror('here')", a=1, b=2) == "script:3: here"


# ---- the sandbox -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["io", "os", "debug", "package", "require", "load", "loadfile", "dofile", "loadstring", "python", "coroutine",
     "string.dump", "_G.os", "_G.python", "_ENV.debug"],
)  # fmt: skip
def test_what_scripts_do_not_see(name: str) -> None:
    """Nothing that reaches out of the script is there."""
    assert run(f"return {name} == nil") is True


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("return _VERSION", "Lua 5.2"),
        ("return {string.match('k=v', '(%w)=(%w)')}", ["k", "v"]),
        ("return (('abc'):gsub('b', 'x'))", "axc"),
        ("return ('x'):rep(3, '-') .. string.rep(7, 2)", "x-x-x77"),
        ("return table.concat({1, 2}, ',') .. #table.pack(table.unpack({1, 2, 3}))", "1,23"),
        ("local t = {3, 1, 2} table.sort(t) table.insert(t, 1, 0) table.remove(t) return t", [0, 1, 2]),
        ("return bit32.band(6, 3) + math.pow(2, 3) + math.floor(2.7)", 12),
        ("return tostring(5.0) .. tonumber('0x10')", "516"),
        ("return {select(2, pcall(error, {code = 5})).code, (pcall(error))}", [5, False]),
        ("return {xpcall(error, function(m) return m .. '!' end, 'oh')}", [False, "oh!"]),
        ("return setmetatable({}, {__index = function(_, k) return k end}).foo", "foo"),
        ("print('nothing') math.randomseed(1) return collectgarbage('count')", 0),
        ("goto over ::over:: return 7/0 == math.huge", True),
        ("return {_ENV == _G, _G._G == _G, _G.string == string, rawget(_G, 'string') == string}", [True] * 4),
        ("local _ENV = {} return type == nil", True),
        ("local names = {} for name in pairs(string) do names[#names + 1] = name end return #names", 13),
        ("return {1e20, 2^63, -2^60, 1e21, 2.0, -0.0}", [10**20, 2**63, -(2**60), 1e21, 2, 0]),
        (
            "return {tonumber('5', nil), tonumber('zz', 36), tonumber('x') == nil, string.upper(12)}",
            [5, 1295, True, "12"],
        ),
    ],
)
def test_what_scripts_do_see(text: str, result: object) -> None:
    """The rest of Lua 5.2 works as usual."""
    assert result == run(text)


@pytest.mark.parametrize(
    ("leak", "probe"),
    [
        ("x = 1", "return x == nil"),
        ("_G.x = 1", "return x == nil"),
        (
            "string.x = 1 string.upper = nil",
            "return string.x == nil and ('a'):upper() == 'A' and string.upper('a') == 'A'",
        ),
        ("math.pi = 3", "return math.pi > 3.1"),
        ("pairs, _G = nil, nil", "return pairs ~= nil and _G.pairs == pairs"),
        ("setmetatable(_G, {__index = function() return 1 end})", "return nothing == nil"),
    ],
)
def test_nothing_leaks(leak: str, probe: str) -> None:
    """What one run does to its globals and libraries, another run in the same interpreter does not see."""
    language = LuaLanguage(ScriptLimits(timeout_ms=1_000, memory_mb=16))
    run(leak, language)
    assert run(probe, language) is True


def test_a_program_starts_anew() -> None:
    """The same program does not see what it did before."""
    program = LUA.compile("n = (n or 0) + 1 return n", ())
    assert [program.evaluate({}), program.evaluate({})] == [1, 1]


def test_the_metatable_of_strings_is_out_of_reach() -> None:
    """All scripts share how strings behave, so none can change it."""
    assert run("return {getmetatable('') == false, (pcall(setmetatable, '', {}))}") == [True, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("error('boom')", "script:1: boom"),
        ("error('boom', 0)", "boom"),
        ("error({code = 5})", "error value is a table"),
        ("error({message = 'told'})", "told"),
        ("error(42, 0)", "42"),
        ("error()", "error without a message"),
        ("local x = nil; return x.y", "script:1: attempt to index local 'x' (a nil value)"),
        ("setmetatable({}, {__gc = print})", "script:1: __gc is not available"),
        ("table.insert(setmetatable({}, {__len = function() return 2^31 - 2 end}), 1, 0)",
         "script:1: table.insert takes no table with __len"),
    ],
)  # fmt: skip
def test_errors(text: str, message: str) -> None:
    """The message of an error is kept; other error values are described."""
    assert message == error(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("string.upper()", "bad argument #1 to 'upper' (string expected, got nil)"),
        ("tonumber()", "bad argument #1 to 'tonumber' (value expected)"),
        ("string.rep('x')", "bad argument #2 to 'rep' (number expected, got nil)"),
        ("table.insert(nil, 1)", "script:1: bad argument #1 to 'insert' (table expected, got nil)"),
        ("table.sort({3, 2, 1, 3, 2, 1}, function() return true end)", "invalid order function for sorting"),
        ("string.format('%d', 'x')", "script:1: bad argument #2 to 'format' (number expected, got string)"),
    ],
)
def test_errors_of_guarded_functions(text: str, message: str) -> None:
    """Errors tell nothing of the guards that stand before some functions of the libraries."""
    assert message in error(text) and "python" not in error(text)


# ---- limits ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "pcall(pcall, function() while true do end end) return 1",
        "xpcall(function() while true do end end, function() while true do end end) return 1",
        "xpcall(error, function() while true do end end) return 1",
        "return tostring(setmetatable({}, {__tostring = function() while true do end end}))",
        "local function f() return f() end return f()",
        "table.sort({1, 2, 3}, function() while true do end end)",
        "('x'):gsub('x', function() while true do end end)",
    ],
)
def test_the_time_limit(text: str) -> None:
    """A script that goes on for ever is stopped, whatever it catches."""
    assert error(text, HASTY) == TOO_LONG


@pytest.mark.parametrize(
    "text",
    [
        "return string.rep('x', 2^31 - 1)",
        "return ('x'):rep('2e9')",
        "return ('x'):rep(1e6, 'separator')",
        "return #string.rep('', 2^31 - 1)",
        "pcall(string.rep, 'x', 1e9) return 1",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = {} end",
        "pcall(function() local t = {} while true do t[#t + 1] = {} end end) return 1",
        "xpcall(function() local t = {} while true do t[#t + 1] = {} end end, print) return 1",
    ],
)
def test_the_memory_limit(text: str) -> None:
    """A script that takes too much is stopped, whatever it catches."""
    assert error(text, HASTY) == TOO_MUCH


@pytest.mark.parametrize("size", [3_000_000, 4_150_000, 4_190_000, 4_194_304, 5_000_000])
def test_arguments_at_the_memory_limit(size: int) -> None:
    """Arguments count, and filling the memory with them ends the script, not the process."""
    assert error("return x .. x", HASTY, x="x" * size) == TOO_MUCH


def test_many_small_arguments_at_the_memory_limit() -> None:
    """The cost of tables is foreseen."""
    assert error("return 1", HASTY, x=[[0]] * 100_000) == TOO_MUCH


def test_after_a_limit() -> None:
    """A limit that one run met does not touch the next."""
    error("while true do end", HASTY)
    error("return string.rep('x', 1e9)", HASTY)
    assert run("return ('x'):rep(10)", HASTY) == "x" * 10


def test_threads() -> None:
    """Threads run scripts side by side, each with its own arguments."""
    program = LUA.compile("local n = 0 for i = 1, 20000 do n = n + x end return n", ("x",))
    results: dict[int, object] = {}

    def work(number: int) -> None:
        results[number] = [program.evaluate({"x": number}) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: [number * 20_000] * 5 for number in range(8)} == results


def test_a_run_error_is_a_script_error() -> None:
    """Failing and not compiling are told apart."""
    with pytest.raises(ScriptRunError):
        run("error('x')")
