-- SPDX-License-Identifier: Apache-2.0
-- A consumer's sign of life. When there was none from anybody for long (Redis was away), nobody is taken for dead
-- until all had the time to come back.
--
-- KEYS 1 alive  2 pulse.  ARGV 1 consumer  2 lease (ms).

local now, lease = now_ms(), tonumber(ARGV[2])
local last = tonumber(redis.call('HGET', KEYS[2], 'at'))
if last and now - last > lease / 2 then redis.call('HSET', KEYS[2], 'grace', now + lease) end
redis.call('HSET', KEYS[2], 'at', now)
redis.call('ZADD', KEYS[1], now + lease, ARGV[1])
return 1
