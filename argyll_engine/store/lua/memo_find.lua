-- SPDX-License-Identifier: Apache-2.0
-- What is remembered under a key; it is the most recently used one then.
--
-- KEYS 1 results  2 their order
-- ARGV 1 key
-- Returns the result, or nil. Atomic.

local result = redis.call('HGET', KEYS[1], ARGV[1])
if not result then return false end
local newest = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if newest[1] ~= ARGV[1] then
  redis.call('ZADD', KEYS[2], string.format('%.0f', (newest[2] or 0) + 1), ARGV[1])
end
return result
