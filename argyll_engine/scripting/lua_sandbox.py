# SPDX-License-Identifier: Apache-2.0
"""The Lua half of the Lua sandbox, run once in every new interpreter before any script. Only `lua.py` reads it.

It closes over what it needs of the real libraries, empties the global table, and gives back six functions:

    compile(source)      → function, or nil and a message
    bind(count, ...)     keeps the arguments of the next run
    run(chunk, stop_at)  → "ok", "error", "time", "memory" or "steps"; never a value, see below
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
- The hook looks at the clock every 500 instructions, and every 20 as long as those are slow: one instruction may copy
  as much as the memory limit allows.
- Native calls whose cost is not bounded by what is in memory are guarded: `string.rep`, and the functions of
  `table` that trust `__len`. The pattern functions are those of `lua_patterns.py`, handed in as text: they run
  natively only where that is cheap, and otherwise as Lua, which the time limit stops.
- `math.randomseed` does nothing: the generator belongs to the process, not to the script.
"""

from typing import Final

SANDBOX: Final = rb"""
local seconds, memory_bytes, max_steps, thread_seconds, patterns, plans = ...
local MANY, FEW = max_steps < 500 and max_steps or 500, 20 -- instructions between two looks at the clock
local SLOW, QUICK = 0.002, 0.0005 -- seconds from one look to the next
local LIMIT, NO_MEMORY = "limit reached", "not enough memory"

local error, next, type, unpack = error, next, type, table.unpack
local rawget, setmetatable = rawget, setmetatable
local load, pcall, xpcall, tonumber, tostring = load, pcall, xpcall, tonumber, tostring
local sethook, join, metatable_of = debug.sethook, debug.upvaluejoin, debug.getmetatable
local process_seconds, rep, find, gsub = os.clock, string.rep, string.find, string.gsub
local OWN_PLACE = '^%[string "<python>"%]:%d+: ' -- what native functions called from here prefix their errors with

local tripped, held, arguments, count, stop_at, look_at, seen_at, left_steps, interval

-- limits --------------------------------------------------------------------------------------

local function trip(limit)
  tripped = limit
  error(LIMIT, 0)
end

-- The clock of the process is cheap and never behind that of the thread, so it says when to ask Python.
local function look()
  if tripped then error(LIMIT, 0) end
  seen_at = process_seconds()
  if seen_at < look_at then return end
  local left = stop_at - thread_seconds()
  if left <= 0 then trip("time") end
  look_at = seen_at + left
end

local on_count

local function look_every(instructions)
  interval = instructions
  sethook(on_count, "", instructions)
end

function on_count()
  left_steps = left_steps - interval
  if left_steps < 0 and not tripped then trip("steps") end
  local before = seen_at
  look()
  local taken = seen_at - before
  if taken > SLOW and interval ~= FEW then look_every(FEW)
  elseif taken < QUICK and interval ~= MANY then look_every(MANY) end
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
  return rep(text, times, separator)
end

local function by_true_length(name, native)
  return function(list, ...)
    if type(list) ~= "table" then
      error("bad argument #1 to '" .. name .. "' (table expected, got " .. type(list) .. ")", 2)
    end
    local meta = metatable_of(list)
    if meta and rawget(meta, "__len") ~= nil then
      error("table." .. name .. " takes no table with __len", 2)
    end
    return native(list, ...)
  end
end

local charge -- counts the cost of native calls, see lua_patterns.py

local function by_size(name, native)
  return function(text)
    local kind = type(text)
    if kind ~= "string" and kind ~= "number" then
      error("bad argument #1 to '" .. name .. "' (string expected, got " .. kind .. ")", 2)
    end
    charge(#(text .. ""))
    return native(text)
  end
end

local function safe_tonumber(...)
  local value = ...
  if type(value) == "string" then charge(#value) end
  return tonumber(...)
end

local function safe_setmetatable(value, meta)
  if type(meta) == "table" and rawget(meta, "__gc") ~= nil then error("__gc is not available", 2) end
  return setmetatable(value, meta)
end

-- globals -------------------------------------------------------------------------------------

string.rep, string.dump = safe_rep, nil
string.find, string.match, string.gmatch, string.gsub, charge = load(patterns, "=patterns", "t")(look, plans)
for _, name in next, {"lower", "upper", "reverse"} do string[name] = by_size(name, string[name]) end
math.randomseed = function() end
for _, name in next, {"insert", "remove", "sort"} do
  table[name] = by_true_length(name, table[name])
end
metatable_of("").__metatable = false

local libraries = {string = string, table = table, math = math, bit32 = bit32}
local functions = {
  collectgarbage = function() return 0 end, print = function() end,
  pcall = safe_pcall, xpcall = safe_xpcall, setmetatable = safe_setmetatable, tonumber = safe_tonumber,
}
for _, name in next, {"_VERSION", "assert", "error", "getmetatable", "ipairs", "next", "pairs", "rawequal",
                      "rawget", "rawlen", "rawset", "select", "tostring", "type"} do
  functions[name] = _G[name]
end

local function copy(source)
  local fresh = {}
  for name, value in next, source do fresh[name] = value end
  return fresh
end

-- Globals that a chunk may reach. Whoever does not write `_G` or `_ENV` reaches them by their written names only.
local function needed_by(source)
  local plan = {functions = {}, libraries = {}}
  plan.all = find(source, "_G", 1, true) or find(source, "_ENV", 1, true)
  for kind, names in next, {functions = functions, libraries = libraries} do
    for name in next, names do
      if plan.all or find(source, name, 1, true) then plan[kind][#plan[kind] + 1] = name end
    end
  end
  return plan
end

local function fresh_globals(plan)
  local globals = {}
  for at = 1, #plan.functions do globals[plan.functions[at]] = functions[plan.functions[at]] end
  for at = 1, #plan.libraries do globals[plan.libraries[at]] = copy(libraries[plan.libraries[at]]) end
  if plan.all then globals._G = globals end
  return globals
end

local function no_globals() return libraries end

local everything = _G
for name in next, copy(everything) do everything[name] = nil end
everything.debug = false -- lupa looks here for a traceback on each call, and may not allocate the key

-- entries -------------------------------------------------------------------------------------

local plans_of = setmetatable({}, {__mode = "k"})

local function compile(source)
  local chunk, problem = load(source, "=script", "t", libraries)
  if not chunk then return nil, problem end
  plans_of[chunk] = needed_by(source)
  return chunk
end

local function bind(n, ...)
  arguments, count = {...}, n
end

local function run(chunk, until_second)
  tripped, held, stop_at, left_steps = nil, nil, until_second, max_steps
  seen_at = process_seconds()
  look_at = seen_at + seconds
  local ok, result = pcall(function()
    local globals = fresh_globals(plans_of[chunk])
    join(chunk, 1, function() return globals end, 1)
    look_every(MANY)
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
  if kind == "string" or kind == "number" then return (gsub(problem, OWN_PLACE, "")) end
  local message = kind == "table" and rawget(problem, "message")
  if type(message) == "string" then return message end
  return kind == "nil" and "error without a message" or "error value is a " .. kind
end

local function array(...) return {...} end

return compile, bind, run, take, describe, array
"""
