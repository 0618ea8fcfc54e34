-- SPDX-License-Identifier: Apache-2.0
-- Turns a claim into one that no worker holds: the child flow was started.
--
-- KEYS 1 claims
-- ARGV 1 token
-- Returns 1, or 0 if there is no claim: the child was faster, and its commit has ended it. Atomic.

if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], 'accepted')
return 1
