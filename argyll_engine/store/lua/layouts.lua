-- SPDX-License-Identifier: Apache-2.0
-- Takes note of a layout of shards.
--
-- KEYS 1 layouts
-- ARGV 1 the present layout  2.. those that are taken for former ones where none is known
-- Returns all layouts. Atomic.

if redis.call('EXISTS', KEYS[1]) == 0 and #ARGV > 1 then
  redis.call('SADD', KEYS[1], unpack(ARGV, 2))
end
redis.call('SADD', KEYS[1], ARGV[1])
return redis.call('SMEMBERS', KEYS[1])
