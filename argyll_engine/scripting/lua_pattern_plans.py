# SPDX-License-Identifier: Apache-2.0
"""The Lua text that turns a pattern into a plan: its steps, and a bound on what matching it natively may cost.

Only `lua.py` reads it, and hands it to `lua_patterns.py`. The chunk takes the function that counts costs, and gives
back `plan_of(pattern, may_anchor)`. What it relies on:

- Patterns have no alternatives, so which captures are open at a place is known before matching.
- Which bytes a class takes is asked of the native `find`, one byte at a time, and remembered.
- A mistake in a pattern becomes a step, which the matcher raises when it is reached, as the native functions do.
- Native cost: for each start in the text, every `*`, `+`, `-`, `%b` and back reference multiplies by the length of
  the text (`power`), every `?` by two, and each way costs at most the length of the pattern (both in `weight`).

Source: the Lua 5.2 reference manual, section 6.4.1.
"""

from typing import Final

PLANS: Final = rb"""
local charge = ...
local MAX_CAPTURES, MAX_DEPTH = 32, 200 -- as in the native functions
local MAX_CACHED, MAX_CACHED_BYTES = 64, 64

local byte, char, sub, find = string.byte, string.char, string.sub, string.find
local tonumber, setmetatable, rawset = tonumber, setmetatable, rawset

local function class_set(class)
  return setmetatable({}, {__index = function(set, c)
    local taken
    charge(#class)
    if #class == 1 and class ~= "." then taken = byte(class) == c
    else taken = find(char(c), "^" .. class) ~= nil end
    rawset(set, c, taken)
    return taken
  end})
end

-- The place after the class that begins here, or nil and what is wrong.
local function class_end(pattern, at)
  local c = sub(pattern, at, at)
  if c == "%" then
    if at == #pattern then return nil, "malformed pattern (ends with '%')" end
    return at + 2
  end
  if c ~= "[" then return at + 1 end
  at = at + 1
  if sub(pattern, at, at) == "^" then at = at + 1 end
  repeat
    if at > #pattern then return nil, "malformed pattern (missing ']')" end
    at = at + ((sub(pattern, at, at) == "%" and at < #pattern) and 2 or 1)
  until sub(pattern, at, at) == "]"
  return at + 1
end

local function open_capture(plan, pattern, at)
  if plan.captures >= MAX_CAPTURES then return nil, "too many captures" end
  plan.captures = plan.captures + 1
  if sub(pattern, at + 1, at + 1) == ")" then
    return {kind = "position", index = plan.captures}, at + 2
  end
  plan.open[#plan.open + 1] = plan.captures
  plan.is_open[plan.captures] = true
  return {kind = "open", index = plan.captures}, at + 1
end

local function close_capture(plan, at)
  local index = plan.open[#plan.open]
  if not index then return nil, "invalid pattern capture" end
  plan.open[#plan.open], plan.is_open[index] = nil, nil
  return {kind = "close", index = index}, at + 1
end

local function balance(plan, pattern, at)
  if at + 3 > #pattern then return nil, "malformed pattern (missing arguments to '%b')" end
  plan.power = plan.power + 1
  return {kind = "balance", left = byte(pattern, at + 2), right = byte(pattern, at + 3)}, at + 4
end

local function frontier(pattern, at)
  if sub(pattern, at + 2, at + 2) ~= "[" then return nil, "missing '[' after '%f' in pattern" end
  local after, problem = class_end(pattern, at + 2)
  if not after then return nil, problem end
  return {kind = "frontier", set = class_set(sub(pattern, at + 2, after - 1))}, after
end

local function back_reference(plan, digit, at)
  local index = tonumber(digit)
  if index == 0 or index > plan.captures or plan.is_open[index] then
    return nil, "invalid capture index %" .. digit
  end
  plan.power = plan.power + 1
  return {kind = "back", index = index}, at + 2
end

local QUANTIFIERS = {["*"] = "many", ["+"] = "many", ["-"] = "few", ["?"] = "optional"}

local function single(plan, pattern, at)
  local after, problem = class_end(pattern, at)
  if not after then return nil, problem end
  local sign = sub(pattern, after, after)
  local kind = QUANTIFIERS[sign]
  local class = sub(pattern, at, after - 1)
  if not kind then
    plan.ones[class] = plan.ones[class] or {kind = "one", set = class_set(class)}
    return plan.ones[class], after
  end
  plan.depth = plan.depth + 1
  if plan.depth >= MAX_DEPTH then return nil, "pattern too complex" end
  if kind == "optional" then plan.forks = plan.forks + 1 else plan.power = plan.power + 1 end
  return {kind = kind, set = class_set(class), least = sign == "+" and 1 or 0}, after + 1
end

-- The step that begins here and the place after it, or nil and what is wrong.
local function step_at(plan, pattern, at)
  local c, following = sub(pattern, at, at), sub(pattern, at + 1, at + 1)
  if c == "(" then return open_capture(plan, pattern, at) end
  if c == ")" then return close_capture(plan, at) end
  if c == "$" and at == #pattern then return {kind = "end"}, at + 1 end
  if c == "%" then
    if following == "b" then return balance(plan, pattern, at) end
    if following == "f" then return frontier(pattern, at) end
    if find(following, "^%d") then return back_reference(plan, following, at) end
  end
  return single(plan, pattern, at)
end

local function new_plan(pattern, may_anchor)
  local plan = {captures = 0, open = {}, is_open = {}, ones = {}, power = 0, forks = 0, depth = 0}
  plan.anchored = may_anchor and sub(pattern, 1, 1) == "^"
  local at = plan.anchored and 2 or 1
  while not plan.broken and at <= #pattern do
    local step, after = step_at(plan, pattern, at)
    if not step then step, plan.broken = {kind = "problem", message = after}, true end
    plan[#plan + 1], at = step, after
  end
  if not plan.broken and #plan.open > 0 then
    plan[#plan + 1], plan.broken = {kind = "problem", message = "unfinished capture"}, true
  end
  if not plan.anchored then plan.power = plan.power + 1 end
  -- what the native functions could refuse is not for them: their errors would name our lines
  local may_fail = plan.broken or plan.depth + 2 * plan.captures >= MAX_DEPTH
  plan.weight = may_fail and 1 / 0 or 2 ^ plan.forks * (#pattern + 1)
  return plan
end

local plans, plan_count = {[true] = {}, [false] = {}}, 0

local function plan_of(pattern, may_anchor)
  local plan = plans[may_anchor][pattern]
  if plan then return plan end
  plan = new_plan(pattern, may_anchor)
  if #pattern <= MAX_CACHED_BYTES then
    if plan_count >= MAX_CACHED then plans, plan_count = {[true] = {}, [false] = {}}, 0 end
    plans[may_anchor][pattern], plan_count = plan, plan_count + 1
  end
  return plan
end

return plan_of
"""
