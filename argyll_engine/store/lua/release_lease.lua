-- SPDX-License-Identifier: Apache-2.0
-- Ends a lease if the owner still holds it: after its end it may be somebody else's.
--
-- KEYS 1 lease
-- ARGV 1 owner
-- Returns 1 if it was ended, else 0. Atomic.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
