-- SPDX-License-Identifier: Apache-2.0
-- Remembers a result unless there is one under its key, and drops what was not used for longest when there are too many.
--
-- KEYS 1 results  2 their order
-- ARGV 1 key  2 result  3 capacity
-- Returns the result that was there before, or nil. Atomic.

local MOST_DROPPED = 64 -- at once: after the capacity was lowered, each call takes its share, and none takes long

local kept = redis.call('HGET', KEYS[1], ARGV[1])
if kept then return kept end
local newest = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], string.format('%.0f', (newest[2] or 0) + 1), ARGV[1])
local excess = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[3])
if excess > 0 then
  local dropped = redis.call('ZPOPMIN', KEYS[2], math.min(excess, MOST_DROPPED))
  for i = 1, #dropped, 2 do redis.call('HDEL', KEYS[1], dropped[i]) end
end
return false
