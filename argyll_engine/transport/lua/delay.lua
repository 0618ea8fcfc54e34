-- SPDX-License-Identifier: Apache-2.0
-- Puts a message aside until it is due, and tells consumers when it is the next one.
--
-- KEYS 1 delayed.  ARGV 1 due (ms)  2 member: priority, space, message  3 channel.

redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
if redis.call('ZRANGE', KEYS[1], 0, 0)[1] == ARGV[2] then redis.call('PUBLISH', ARGV[3], '') end
return 1
