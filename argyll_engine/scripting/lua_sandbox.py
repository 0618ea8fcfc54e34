# SPDX-License-Identifier: Apache-2.0
"""The Lua half of the Lua sandbox, run once in every new interpreter before any script. Only `lua.py` reads it.

It closes over what it needs of the real libraries, empties the global table, and gives back six functions:

    compile(source)      → function, or nil and a message
    bind(count, ...)     keeps the arguments of the next run
    run(chunk, stop_at)  → "ok", "error", "time" or "memory"; never a value, see below
    take()               → what the run gave back
    describe()           → the text of the error that the run ended with
    array(...)           → a table of exactly this length, so that `#` counts holes at the end too

Why it is cut like this:

- lupa turns arguments and results into Lua values outside of any protected call. If the memory limit struck there,
  Lua would abort the process. So limits hold only inside `run`, which takes and gives nothing that needs memory;
  values pass before and after it, through `bind` and `take`.
- Each run gets fresh globals, and a fresh upvalue cell for them, so that nothing of a run can be seen by another.
- A tripped limit is thrown again by `pcall` and `xpcall`. The message handler of `xpcall` is not called for it:
  an error out of a hook finds hooks switched off, so the handler could go on for ever. Finalizers (`__gc`) also
  run without hooks, and are refused.
- Coroutines are left out: the contract does not have them, and each would need a hook of its own.
- Native calls whose cost is not bounded by what is in memory are guarded: `string.rep`, and the functions of
  `table` that trust `__len`. The pattern functions are those of `lua_patterns.py`, handed in as text: they run
  natively only where that is cheap, and otherwise as Lua, which the time limit stops.
- `math.randomseed` does nothing: the generator belongs to the process, not to the script.
"""

from typing import Final

SANDBOX: Final = rb"""
local seconds, memory_bytes, thread_seconds, patterns, plans = ...
local INSTRUCTIONS = 1000 -- between two looks at the clock
local LIMIT, NO_MEMORY = "limit reached", "not enough memory"

local error, next, type, unpack = error, next, type, table.unpack
local rawget, setmetatable = rawget, setmetatable
local load, pcall, xpcall, tonumber, tostring = load, pcall, xpcall, tonumber, tostring
local sethook, join, metatable_of = debug.sethook, debug.upvaluejoin, debug.getmetatable
local process_seconds, native_rep = os.clock, string.rep

local tripped, held, arguments, count, stop_at, look_at

-- limits --------------------------------------------------------------------------------------

local function trip(limit)
  tripped = limit
  error(LIMIT, 0)
end

-- The clock of the process is cheap and never behind that of the thread, so it says when to ask Python.
local function on_count()
  if tripped then error(LIMIT, 0) end
  local now = process_seconds()
  if now < look_at then return end
  local left = stop_at - thread_seconds()
  if left <= 0 then trip("time") end
  look_at = now + left
end

local function settle(ok, ...)
  if tripped then error(LIMIT, 0) end
  if not ok and ... == NO_MEMORY then trip("memory") end
  return ok, ...
end

local function safe_pcall(f, ...)
  return settle(pcall(f, ...))
end

local function safe_xpcall(f, handler, ...)
  return settle(xpcall(f, function(message)
    if tripped then return message end
    return handler(message)
  end, ...))
end

local function length(value)
  local kind = type(value)
  return (kind == "string" or kind == "number") and #(value .. "") or 0
end

local function safe_rep(text, times, separator)
  local size = length(text) + length(separator)
  if (tonumber(times) or 0) * (size > 0 and size or 1) > memory_bytes then trip("memory") end
  return native_rep(text, times, separator)
end

local function by_true_length(name, native)
  return function(list, ...)
    local meta = metatable_of(list)
    if meta and rawget(meta, "__len") ~= nil then
      error("table." .. name .. " takes no table with __len", 2)
    end
    return native(list, ...)
  end
end

local function safe_setmetatable(value, meta)
  if type(meta) == "table" and rawget(meta, "__gc") ~= nil then error("__gc is not available", 2) end
  return setmetatable(value, meta)
end

-- globals -------------------------------------------------------------------------------------

string.rep, string.dump = safe_rep, nil
string.find, string.match, string.gmatch, string.gsub = load(patterns, "=patterns", "t")(on_count, plans)
math.randomseed = function() end
for _, name in next, {"insert", "remove", "sort"} do
  table[name] = by_true_length(name, table[name])
end
metatable_of("").__metatable = false

local libraries = {string = string, table = table, math = math, bit32 = bit32}
local functions = {
  collectgarbage = function() return 0 end, print = function() end,
  pcall = safe_pcall, xpcall = safe_xpcall, setmetatable = safe_setmetatable,
}
for _, name in next, {"_VERSION", "assert", "error", "getmetatable", "ipairs", "next", "pairs", "rawequal",
                      "rawget", "rawlen", "rawset", "select", "tonumber", "tostring", "type"} do
  functions[name] = _G[name]
end

local function copy(source)
  local fresh = {}
  for name, value in next, source do fresh[name] = value end
  return fresh
end

local function fresh_globals()
  local globals = copy(functions)
  for name, library in next, libraries do globals[name] = copy(library) end
  globals._G = globals
  return globals
end

local function no_globals() return libraries end

local everything = _G
for name in next, copy(everything) do everything[name] = nil end
everything.debug = false -- lupa looks here for a traceback on each call, and may not allocate the key

-- entries -------------------------------------------------------------------------------------

local function compile(source)
  return load(source, "=script", "t", libraries)
end

local function bind(n, ...)
  arguments, count = {...}, n
end

local function run(chunk, until_second)
  tripped, held, stop_at = nil, nil, until_second
  look_at = process_seconds() + seconds
  local ok, result = pcall(function()
    local globals = fresh_globals()
    join(chunk, 1, function() return globals end, 1)
    sethook(on_count, "", INSTRUCTIONS)
    return chunk(unpack(arguments, 1, count))
  end)
  sethook()
  join(chunk, 1, no_globals, 1)
  arguments, held = nil, result
  if tripped then return tripped end
  if ok then return "ok" end
  return result == NO_MEMORY and "memory" or "error"
end

local function take()
  local value = held
  held = nil
  return value
end

local function describe()
  local problem = take()
  local kind = type(problem)
  if kind == "string" or kind == "number" then return tostring(problem) end
  local message = kind == "table" and rawget(problem, "message")
  if type(message) == "string" then return message end
  return kind == "nil" and "error without a message" or "error value is a " .. kind
end

local function array(...) return {...} end

return compile, bind, run, take, describe, array
"""
