# SPDX-License-Identifier: Apache-2.0
"""Every known way to leave a script sandbox. What hangs or fills one is in `test_traps.py`.

Source: the contract, scripts §1.8 and D6; `lua_sandbox.py` says how each is closed.
"""

import pytest

from argyll_engine.errors import ScriptCompileError, ScriptRunError
from argyll_engine.model.attribute import ScriptConfig
from argyll_engine.scripting.limits import ScriptLimits
from argyll_engine.scripting.lua import LuaLanguage
from tests.unit.scripting.limited import HASTY, ROOMY, SMALL, lua, refusal, run

# ---- ways out of the Lua sandbox -------------------------------------------------------------


GONE = """python debug load loadstring loadfile dofile require module package io os coroutine setfenv getfenv newproxy
    ffi jit gcinfo unpack string.dump _G.python _ENV.debug _G._G.load string.python math.python table.python"""

SEEN = """_G _VERSION assert bit32 collectgarbage error getmetatable ipairs math next pairs pcall print rawequal rawget
    rawlen rawset select setmetatable string table tonumber tostring type xpcall"""


@pytest.mark.parametrize("name", GONE.split())
def test_lua_names_that_are_gone(name: str) -> None:
    """Neither what lupa puts in, nor what loads code or touches the machine."""
    assert lua(f"return {name} == nil") is True


def test_lua_sees_exactly_these_globals() -> None:
    """A new version of lupa brings nothing in unnoticed."""
    names = "local t = {} for name in pairs(_G) do t[#t + 1] = name end table.sort(t) return t"
    assert lua(names) == SEEN.split()


def test_lua_values_are_no_python_objects() -> None:
    """Arguments are of Lua's own types all the way down, so there is no attribute to look up."""
    probe = """
        local function kinds(value, seen)
          seen[type(value)] = true
          if type(value) == "table" then
            assert(getmetatable(value) == nil)
            for key, member in pairs(value) do kinds(key, seen) kinds(member, seen) end
          end
          return seen
        end
        return kinds(x, {})"""
    assert run(ROOMY, "lua", probe, x={"a": [1, 2.5, True, {"b": ["c"]}]}) == dict.fromkeys(
        ("table", "string", "number", "boolean"), True
    )


@pytest.mark.parametrize(
    "text",
    [
        "return getmetatable('').__index",
        "getmetatable('').__index = nil",
        "setmetatable('', {})",
        "rawset(getmetatable(''), '__index', {})",
    ],
)
def test_lua_metatable_of_strings(text: str) -> None:
    """The one metatable that all runs share is out of reach."""
    refusal(ROOMY, "lua", text)
    assert lua("return ('a'):upper()") == "A"


@pytest.mark.parametrize(
    "vandal",
    [
        "string.upper = nil",
        "table.insert = function() end",
        "_G.pairs = nil",
        "setmetatable(_G, {__index = function() return 1 end})",
        "setmetatable(string, {__index = function() return 1 end})",
        "local all = _G for name in pairs(all) do all[name] = nil end",
        "leaked = 1",
        "math.leaked = 1",
        "rawset(_G, 'leaked', 1)",
        "_ENV.leaked = 1",
        "math.pi = 3",
    ],
)
def test_lua_runs_share_nothing(vandal: str) -> None:
    """What a run does to its globals and libraries, no other run sees, on the same interpreter."""
    language = LuaLanguage(ScriptLimits(timeout_ms=1_000, memory_mb=16))
    language.compile(vandal, ()).evaluate({})
    probe = "local t = {} table.insert(t, ('a'):upper()) for _, v in pairs(t) do return v .. tostring(leaked) .. "
    probe += "tostring(math.leaked) .. math.floor(math.pi * 100) end"
    assert "Anilnil314" == language.compile(probe, ()).evaluate({})


@pytest.mark.parametrize("text", ["\x1bLua", "\x1bLuaR\x00\x01\x04\x04\x04\x08\x00", "\x1bLJ\x02"])
def test_lua_bytecode(text: str) -> None:
    """Compiled chunks, which could read any memory, are refused."""
    with pytest.raises(ScriptCompileError):
        ROOMY.check(ScriptConfig(language="lua", script=text), ())


@pytest.mark.parametrize(
    "text",
    [
        "setmetatable({}, {__gc = function() while true do end end}) return 1",
        "return setmetatable({}, {__gc = true})",
    ],
)
def test_lua_finalizers(text: str) -> None:
    """Finalizers run without hooks, and so not at all."""
    assert "__gc is not available" in refusal(ROOMY, "lua", text)


def test_lua_finalizers_set_too_late() -> None:
    """A finalizer that is added to a metatable in use is never called."""
    text = "local m = {} for i = 1, 1000 do setmetatable({}, m) end m.__gc = function() while true do end end return 1"
    assert run(HASTY, "lua", text) == {"result": 1}
    assert run(HASTY, "lua", "local t = {} for i = 1, 1e5 do t = {} end return 1") == {"result": 1}


@pytest.mark.parametrize("function", ["sort", "insert", "remove"])
def test_lua_tables_that_lie_about_their_length(function: str) -> None:
    """Native functions that trust `__len` would walk two thousand million elements."""
    text = f"table.{function}(setmetatable({{}}, {{__len = function() return 2^31 - 2 end}}))"
    assert "takes no table with __len" in refusal(HASTY, "lua", text)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("error(setmetatable({}, {__tostring = function() error('again') end}))", "error value is a table"),
        ("error(setmetatable({}, {__tostring = function() while true do end end}))", "error value is a table"),
        ("error(setmetatable({}, {__index = function() while true do end end}))", "error value is a table"),
        ("error(print)", "error value is a function"),
        ("error()", "error without a message"),
        ("error({message = {}})", "error value is a table"),
        ("error({message = 'plain'})", "plain"),
        ("error(('x'):rep(10))", "script:1: xxxxxxxxxx"),
    ],
)
def test_lua_error_objects(text: str, error: str) -> None:
    """Reading an error runs none of its code."""
    assert error == refusal(HASTY, "lua", text)


def test_lua_collects_garbage_by_itself() -> None:
    """`collectgarbage` does nothing: neither stopping the collector nor tuning it helps a script past its limit."""
    text = "collectgarbage('stop') collectgarbage('setpause', 1e6) for i = 1, 1e6 do local t = {i} end return 1"
    assert run(SMALL, "lua", text) == {"result": 1}


def test_lua_random_seed_is_not_shared() -> None:
    """Seeding does not make the numbers of other scripts foreseeable."""
    drawn = {lua("math.randomseed(1) return math.random(1, 2^31 - 1)") for _ in range(4)}
    assert len(drawn) > 1


# ---- ways out of Ale -------------------------------------------------------------------------


UNKNOWN = """__import__ __builtins__ open exec getattr globals meter namespace type settle callee
    print println current-time go chan spawn asm special import *in* *out* *env*"""


@pytest.mark.parametrize("name", UNKNOWN.split())
def test_ale_names_that_are_no_names(name: str) -> None:
    """What compiled code calls behind the scenes, Python and the impure names are all unknown."""
    with pytest.raises(ScriptCompileError):
        ROOMY.check(ScriptConfig(language="ale", script=f"({name} 1)"), ())


@pytest.mark.parametrize(
    "name",
    ["meter", "namespace", "type", "int", "tuple", "settle", "callee", "None", "def", "lambda", "Vector", "main"],
)
def test_ale_arguments_named_like_python(name: str) -> None:
    """A name is only a name: none collides with what compiled code uses."""
    text = f"(let [f (label g (lambda (n) (if (= n 0) {name} (g (dec n)))))] [(f 3) (map inc [1]) (+ {name} 1)])"
    if name == "lambda":
        text = f"[{name} [2] (+ {name} 1)]"
    assert run(ROOMY, "ale", text, **{name: 5}) == {"result": [5, [2], 6]}


@pytest.mark.parametrize(
    "text",
    ["(:__class__ x)", '(get x "__class__")', "(x :__dict__)", "(get 'a :name)", "(:at 'a)", "(:message (delay 1))"],
)
def test_ale_sees_no_attributes(text: str) -> None:
    """Looking something up never reaches what Python keeps under that name."""
    try:
        assert run(ROOMY, "ale", text, x={"a": 1}) == {"result": None}
    except ScriptRunError as error:
        assert "Python" not in str(error) and "object at 0x" not in str(error)


def test_ale_runs_share_nothing() -> None:
    """Definitions, also those made while running, are gone with their run."""
    define = ScriptConfig(language="ale", script="(define first 1) (eval '(define leaked 2)) first")
    assert [{"result": 1}] * 2 == [ROOMY.run(define, (), {}) for _ in range(2)]
    assert run(ROOMY, "ale", "(first [7])") == {"result": 7}
    with pytest.raises(ScriptCompileError):
        ROOMY.check(ScriptConfig(language="ale", script="leaked"), ())
