-- SPDX-License-Identifier: Apache-2.0
-- Takes a lease that is free, or prolongs the one that its owner holds.
--
-- KEYS 1 lease
-- ARGV 1 owner  2 duration (ms)
-- Returns 1 if the owner holds it now, else 0. Atomic.

local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
