-- SPDX-License-Identifier: Apache-2.0
-- Leases the oldest ended root flows that nobody has leased.
--
-- KEYS 1 archiving  2 archivers, then the sorted sets of live root flows that have ended
-- ARGV 1 owner  2 duration (ms)  3 highest score, as ZRANGEBYSCORE takes it  4 most flows
-- Returns the flows, oldest first; ties by id. Atomic: the first command that writes is one that Redis takes even when it
-- is full, for archiving is what makes room.

local archiving, archivers, owner, until_ms = KEYS[1], KEYS[2], ARGV[1], 0
local before, wanted = ARGV[3], tonumber(ARGV[4])
local PAGE = 256

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
until_ms = now + tonumber(ARGV[2])

-- The free flows of one set, one a call, then nil.
local function free_flows(key)
  local offset, rows, place = 0, {}, 1
  return function()
    while true do
      if place > #rows then
        rows = redis.call('ZRANGEBYSCORE', key, '-inf', before, 'WITHSCORES', 'LIMIT', offset, PAGE)
        offset, place = offset + PAGE, 1
        if #rows == 0 then return nil end
      end
      local flow, at = rows[place], tonumber(rows[place + 1])
      place = place + 2
      local leased = redis.call('ZSCORE', archiving, flow)
      if not leased or tonumber(leased) <= now then return {flow, at} end
    end
  end
end

local sources, heads = {}, {}
for index = 3, #KEYS do
  sources[#sources + 1] = free_flows(KEYS[index])
  heads[#heads + 1] = sources[#sources]() or false
end

local chosen = {}
while #chosen < wanted do
  local first
  for index = 1, #heads do
    if heads[index] and (not first or heads[index][2] < heads[first][2]) then first = index end
  end
  if not first then break end
  chosen[#chosen + 1] = heads[first][1]
  heads[first] = sources[first]() or false
end

for _, flow in ipairs(chosen) do
  redis.call('ZREM', archiving, flow)
  redis.call('ZADD', archiving, until_ms, flow)
  redis.call('HSET', archivers, flow, owner)
end
return chosen
