-- SPDX-License-Identifier: Apache-2.0
-- Ends leases of an owner: after their end they may be somebody else's.
--
-- KEYS 1 archiving  2 archivers
-- ARGV 1 owner  2 for how long nobody may take the flows (ms), or '' to forget them, then the flows
-- Returns how many were ended. Atomic; works on a Redis that is full, as `archive_reserve.lua` does.

local archiving, archivers, owner, rest = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local ended = 0
for index = 3, #ARGV do
  local flow = ARGV[index]
  if redis.call('HGET', archivers, flow) == owner then
    redis.call('HDEL', archivers, flow)
    redis.call('ZREM', archiving, flow)
    if rest ~= '' then redis.call('ZADD', archiving, now + tonumber(rest), flow) end
    ended = ended + 1
  end
end
return ended
