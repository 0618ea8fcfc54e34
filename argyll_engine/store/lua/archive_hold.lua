-- SPDX-License-Identifier: Apache-2.0
-- Leases flows for archiving: those that are named and free, or, without names, those whose lease is over.
--
-- KEYS 1 archiving  2 archivers
-- ARGV 1 owner  2 duration (ms)  3 most flows, where none are named, then the names
-- Returns the flows that the owner has leased now. Atomic; works on a Redis that is full, as `archive_reserve.lua` does.

local archiving, archivers, owner = KEYS[1], KEYS[2], ARGV[1]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local until_ms = now + tonumber(ARGV[2])

local function is_free(flow)
  local leased = redis.call('ZSCORE', archiving, flow)
  return not leased or tonumber(leased) <= now or redis.call('HGET', archivers, flow) == owner
end

local held = {}
if #ARGV == 3 then
  held = redis.call('ZRANGEBYSCORE', archiving, '-inf', now, 'LIMIT', 0, ARGV[3])
else
  for index = 4, #ARGV do
    if is_free(ARGV[index]) then held[#held + 1] = ARGV[index] end
  end
end

for _, flow in ipairs(held) do
  redis.call('ZREM', archiving, flow)
  redis.call('ZADD', archiving, until_ms, flow)
  redis.call('HSET', archivers, flow, owner)
end
return held
