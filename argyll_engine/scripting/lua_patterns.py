# SPDX-License-Identifier: Apache-2.0
"""The Lua text of `string.find`, `match`, `gmatch` and `gsub` as scripts see them. Only `lua.py` reads it.

No hook interrupts a native function, and a pattern can make one backtrack for ever. So the native functions run
only where a bound on their steps is small (`is_cheap`; the bound is made in `lua_pattern_plans.py`). All else goes
through a matcher written in Lua, which the sandbox interrupts like the script itself. What native calls are thought
to cost adds up, so that many small ones do not hide from the clock either.

The chunk takes the function that looks at the clock and the text of the plans, and gives back the four functions,
and one that counts costs.
A capture is always written anew before it is read, so nothing is undone when the matcher goes back.

Source: the Lua 5.2 reference manual, section 6.4.1.
"""

from typing import Final

PATTERNS: Final = rb"""
local look, plans_text = ...
local MAX_STEPS = 1e6 -- of one native call, and between two looks at the clock
local MAX_WINDOW = 65536 -- bytes of text searched at a time for a long plain text

local byte, sub, concat, floor, unpack = string.byte, string.sub, table.concat, math.floor, table.unpack
local error, type, tonumber = error, type, tonumber
local native_find, native_match, native_gmatch, native_gsub = string.find, string.match, string.gmatch, string.gsub
local getinfo = debug.getinfo

local spent = 0

local function charge(steps)
  spent = spent + steps
  if spent > MAX_STEPS then
    spent = 0
    look()
  end
end

local plan_of = load(plans_text, "=plans", "t")(charge)

local function is_cheap(plan, text)
  local steps = (#text + 1) ^ plan.power * plan.weight
  if steps > MAX_STEPS then return false end
  charge(steps)
  return true
end

-- matching ------------------------------------------------------------------------------------

local function balanced_end(text, i, left, right)
  if byte(text, i) ~= left then return nil end
  local depth = 1
  for at = i + 1, #text do
    local c = byte(text, at)
    if c == right then
      depth = depth - 1
      if depth == 0 then return at + 1 end
    elseif c == left then depth = depth + 1 end
  end
end

local function repeated_end(text, i, first, after)
  if not after then return nil end -- a position is no text to repeat
  local next_i = i + after - first
  if next_i > #text + 1 or byte(text, first) ~= byte(text, i) and after > first then return nil end
  charge(after - first)
  return sub(text, first, after - 1) == sub(text, i, next_i - 1) and next_i or nil
end

-- The place after the match of all steps from the k-th on, at this place of the text; or nil.
local function match_from(state, k, i)
  local plan, text = state.plan, state.text
  local step = plan[k]
  while step do
    local kind, set = step.kind, step.set
    local c = byte(text, i)
    if kind == "one" then
      if not (c and set[c]) then return nil end
      i = i + 1
    elseif kind == "many" then
      local last = i
      while c and set[c] do
        last = last + 1
        c = byte(text, last)
      end
      for at = last, i + step.least, -1 do
        local after = match_from(state, k + 1, at)
        if after then return after end
      end
      return nil
    elseif kind == "few" then
      local after = match_from(state, k + 1, i)
      while not after do
        if not (c and set[c]) then return nil end
        i = i + 1
        c, after = byte(text, i), match_from(state, k + 1, i)
      end
      return after
    elseif kind == "optional" then
      local after = c and set[c] and match_from(state, k + 1, i + 1)
      if after then return after end
    elseif kind == "open" then state.first[step.index] = i
    elseif kind == "close" then state.after[step.index] = i
    elseif kind == "position" then state.first[step.index], state.after[step.index] = i, false
    elseif kind == "end" then
      if c then return nil end
    elseif kind == "frontier" then
      if set[i > 1 and byte(text, i - 1) or 0] or not set[c or 0] then return nil end
    elseif kind == "problem" then
      state.problem = step.message
      return i
    else
      if kind == "balance" then i = balanced_end(text, i, step.left, step.right)
      else i = repeated_end(text, i, state.first[step.index], state.after[step.index]) end
      if not i then return nil end
    end
    k = k + 1
    step = plan[k]
  end
  return i
end

local function new_state(plan, text)
  return {plan = plan, text = text, first = {}, after = {}}
end

-- Where the first match from this place on begins, and the place after it. Called by the functions scripts see.
local function search(state, from)
  for i = from, state.plan.anchored and from or #state.text + 1 do
    local after = match_from(state, 1, i)
    if state.problem then error(state.problem, 3) end
    if after then return i, after end
  end
end

local function capture(state, index)
  local first, after = state.first[index], state.after[index]
  return after and sub(state.text, first, after - 1) or first
end

local function captures(state)
  local values = {}
  for index = 1, state.plan.captures do values[index] = capture(state, index) end
  return unpack(values, 1, state.plan.captures)
end

local function captures_or_whole(state, first, after)
  if state.plan.captures == 0 then return sub(state.text, first, after - 1) end
  return captures(state)
end

-- arguments, called by the functions scripts see ----------------------------------------------

local function refuse(place, name, value, expected)
  local problem = expected .. " expected" .. (place == 3 and name == "gsub" and "" or ", got " .. type(value))
  if getinfo(3, "n").namewhat == "method" then place = place - 1 end
  error("bad argument #" .. place .. " to '" .. name .. "' (" .. problem .. ")", 4)
end

local function text_of(value, place, name)
  if type(value) == "string" then return value end
  if type(value) ~= "number" then refuse(place, name, value, "string") end
  return value .. ""
end

local function integer_of(value, place, name, default)
  if value == nil then return default end
  local number = (type(value) == "number" or type(value) == "string") and tonumber(value)
  if not number then refuse(place, name, value, "number") end
  return number < 0 and -floor(-number) or floor(number)
end

local function start_of(init, text)
  if init < 0 then init = #text + init + 1 end
  return init >= 1 and init or 1
end

-- what scripts see ----------------------------------------------------------------------------

local function find_plain(text, part, from)
  local width = floor(MAX_STEPS / (#part + 1))
  width = width < 1 and 1 or width > MAX_WINDOW and MAX_WINDOW or width
  if from + width > #text then
    charge((#text - from + 1) * (#part + 1))
    return native_find(text, part, from, true)
  end
  for at = from, #text - #part + 1, width do
    charge(width * (#part + 1))
    local first, last = native_find(sub(text, at, at + width + #part - 2), part, 1, true)
    if first then return at + first - 1, at + last - 1 end
  end
  return nil
end

local function find(text, pattern, init, plain)
  text, pattern = text_of(text, 1, "find"), text_of(pattern, 2, "find")
  local from = start_of(integer_of(init, 3, "find", 1), text)
  if from > #text + 1 then return nil end
  if plain or not native_find(pattern, "[%^%$%*%+%?%.%(%[%%%-]") then return find_plain(text, pattern, from) end
  local plan = plan_of(pattern, true)
  if is_cheap(plan, text) then return native_find(text, pattern, from) end
  local state = new_state(plan, text)
  local first, after = search(state, from)
  if not first then return nil end
  return first, after - 1, captures(state)
end

local function match(text, pattern, init)
  text, pattern = text_of(text, 1, "match"), text_of(pattern, 2, "match")
  local from = start_of(integer_of(init, 3, "match", 1), text)
  if from > #text + 1 then return nil end
  local plan = plan_of(pattern, true)
  if is_cheap(plan, text) then return native_match(text, pattern, from) end
  local state = new_state(plan, text)
  local first, after = search(state, from)
  if not first then return nil end
  return captures_or_whole(state, first, after)
end

local function gmatch(text, pattern)
  text, pattern = text_of(text, 1, "gmatch"), text_of(pattern, 2, "gmatch")
  local plan = plan_of(pattern, false)
  if is_cheap(plan, text) then return native_gmatch(text, pattern) end
  local state, from = new_state(plan, text), 1
  return function()
    local first, after = search(state, from)
    if not first then
      from = #text + 2
      return nil
    end
    from = after > first and after or after + 1
    return captures_or_whole(state, first, after)
  end
end

-- The text that a match becomes by a replacement string; or nil and what is wrong.
local function filled(state, replacement, first, after)
  local pieces, at = {}, 1
  while true do
    local sign = native_find(replacement, "%", at, true)
    pieces[#pieces + 1] = sub(replacement, at, (sign or 0) - 1)
    if not sign then return concat(pieces) end
    local c = sub(replacement, sign + 1, sign + 1)
    local index = native_find(c, "^%d") and tonumber(c)
    if c == "%" then pieces[#pieces + 1] = c
    elseif not index then return nil, "invalid use of '%' in replacement string"
    elseif index == 0 or index == 1 and state.plan.captures == 0 then
      pieces[#pieces + 1] = sub(state.text, first, after - 1)
    elseif index > state.plan.captures then return nil, "invalid capture index"
    else pieces[#pieces + 1] = capture(state, index) end
    at = sign + 2
  end
end

local function replaced(state, replacement, first, after)
  local kind, value = type(replacement), nil
  if kind == "string" then return filled(state, replacement, first, after) end
  if kind == "function" then value = replacement(captures_or_whole(state, first, after))
  else value = replacement[(captures_or_whole(state, first, after))] end
  if not value then return sub(state.text, first, after - 1) end
  if type(value) == "string" or type(value) == "number" then return value end
  return nil, "invalid replacement value (a " .. type(value) .. ")"
end

local function gsub(text, pattern, replacement, limit)
  text, pattern = text_of(text, 1, "gsub"), text_of(pattern, 2, "gsub")
  local kind = type(replacement)
  if kind == "number" then replacement, kind = replacement .. "", "string" end
  if kind ~= "string" and kind ~= "function" and kind ~= "table" then
    refuse(3, "gsub", replacement, "string/function/table")
  end
  limit = integer_of(limit, 4, "gsub", #text + 1)
  if limit < 0 then limit = #text + 1 end -- as natively, where it has no sign
  local plan = plan_of(pattern, true)
  if kind == "string" and not native_find(replacement, "%", 1, true) and is_cheap(plan, text) then
    return native_gsub(text, pattern, replacement, limit)
  end
  local state, pieces, count, from = new_state(plan, text), {}, 0, 1
  while count < limit do
    local first, after = search(state, from)
    if not first then break end
    local piece, problem = replaced(state, replacement, first, after)
    if problem then error(problem, 2) end
    pieces[#pieces + 1] = sub(text, from, first - 1)
    pieces[#pieces + 1] = piece
    count, from = count + 1, after
    if after == first then
      pieces[#pieces + 1] = sub(text, after, after)
      from = after + 1
    end
    if plan.anchored or from > #text + 1 then break end
  end
  pieces[#pieces + 1] = sub(text, from)
  return concat(pieces), count
end

return find, match, gmatch, gsub, charge
"""
