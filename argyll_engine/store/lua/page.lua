-- SPDX-License-Identifier: Apache-2.0
-- Reads from each of several sorted sets the rows that come next in the order of a query.
--
-- KEYS the sorted sets of root flows, one a status
-- ARGV 1 '1' for newest first  2 most rows of each set, 0 for all  3 timestamp and  4 id of the row to start after;
--      then for each set: 'skip', 'all' (from its start) or 'after' (that row)
-- Returns for each set {its size, {id, timestamp, ...}}; rows are the right ones, in no promised order.
-- Atomic and read-only: a flow that changes its status is seen once. The work is bounded by the number of rows and
-- the logarithm of a set's size; ties by id ascending come free in one direction and cost one more read in the other.

local descending, wanted, at, id = ARGV[1] == '1', tonumber(ARGV[2]), ARGV[3], ARGV[4]

-- Redis orders members by their bytes; Lua's own comparison would follow the server's locale.
local function is_before(one, other)
  for index = 1, math.min(#one, #other) do
    local left, right = one:byte(index), other:byte(index)
    if left ~= right then return left < right end
  end
  return #one < #other
end

-- Rank of the first member after (at, id), ascending. The row itself may be gone, so its own rank is of no use.
local function rank_after(key)
  local low = redis.call('ZCOUNT', key, '-inf', '(' .. at)
  local high = redis.call('ZCOUNT', key, '-inf', at)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if is_before(id, redis.call('ZRANGE', key, middle, middle)[1]) then high = middle else low = middle + 1 end
  end
  return low
end

local function upward(key, first, last)
  if wanted > 0 and (last < 0 or last > first + wanted - 1) then last = first + wanted - 1 end
  return redis.call('ZRANGE', key, first, last, 'WITHSCORES')
end

-- Adds up to `count` rows older than `top`. Where the oldest of them share a timestamp with rows that did not fit,
-- Redis has chosen by id descending: these few are read again the other way round.
local function add_downward(rows, key, top, count)
  local found = redis.call('ZREVRANGEBYSCORE', key, top, '-inf', 'WITHSCORES', 'LIMIT', 0, count)
  local whole = #found
  if count > 0 and #found == 2 * count then
    local last = found[#found]
    while whole > 0 and found[whole] == last do whole = whole - 2 end
    local ties = redis.call('ZRANGEBYSCORE', key, last, last, 'WITHSCORES', 'LIMIT', 0, count - whole / 2)
    for index = 1, #ties do rows[#rows + 1] = ties[index] end
  end
  for index = 1, whole do rows[#rows + 1] = found[index] end
  return rows
end

local function downward_after(key)
  local rows, first = {}, rank_after(key)
  local last = redis.call('ZCOUNT', key, '-inf', at) - 1
  if first <= last then rows = upward(key, first, last) end
  local missing = wanted - #rows / 2
  if wanted == 0 then missing = -1 end
  if missing == 0 then return rows end
  return add_downward(rows, key, '(' .. at, missing)
end

local function rows_of(key, part)
  if part == 'skip' then return {} end
  if descending then
    if part == 'after' then return downward_after(key) end
    return add_downward({}, key, '+inf', wanted > 0 and wanted or -1)
  end
  return upward(key, part == 'after' and rank_after(key) or 0, -1)
end

local answer = {}
for index, key in ipairs(KEYS) do
  answer[index] = {redis.call('ZCARD', key), rows_of(key, ARGV[4 + index])}
end
return answer
