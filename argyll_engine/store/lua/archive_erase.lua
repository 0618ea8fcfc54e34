-- SPDX-License-Identifier: Apache-2.0
-- Forgets flows, live or archived, and writes down that it did.
--
-- KEYS 1 statuses  2 due  3 archiving  4 archivers  5 erasures  6 audit log  7 feed, then, in any order and number, the
--      sorted sets of root flows, then the sets of labels of all flows, then every key of the flows' own
-- ARGV 1 number of sorted sets  2 of label sets  3 of flows  4 sequence by which a note says that a flow was erased, then
--      the flows, then names and values of the record
-- Returns nothing of use. Atomic: the first command that writes is one that Redis takes even when it is full.

local sorted_count, label_count, flow_count = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local erased = ARGV[4]
local labels, own = 7 + sorted_count, 7 + sorted_count + label_count


for index = own + 1, #KEYS do redis.call('UNLINK', KEYS[index]) end
for place = 5, 4 + flow_count do
  local flow = ARGV[place]
  for index = 8, labels do redis.call('ZREM', KEYS[index], flow) end
  for index = labels + 1, own do redis.call('SREM', KEYS[index], flow) end
  redis.call('HDEL', KEYS[1], flow)
  redis.call('ZREM', KEYS[2], flow)
  redis.call('ZREM', KEYS[3], flow)
  redis.call('HDEL', KEYS[4], flow)
  redis.call('XADD', KEYS[7], '*', 'stream', 'flow:' .. flow, 'first', erased, 'count', 1)
end
redis.call('INCR', KEYS[5])
redis.call('XADD', KEYS[6], '*', unpack(ARGV, 5 + flow_count))
return 1
