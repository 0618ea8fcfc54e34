-- SPDX-License-Identifier: Apache-2.0
-- How many messages of a queue are ready: in a stream, and taken by nobody.
--
-- KEYS the streams of the queue.  ARGV 1 group.

local count = 0
for _, stream in ipairs(KEYS) do
  local pending = redis.pcall('XPENDING', stream, ARGV[1])
  count = count + redis.call('XLEN', stream) - (pending.err and 0 or pending[1])
end
return count
