-- SPDX-License-Identifier: Apache-2.0
-- Forgets flows, live or archived, and writes down that it did; none of them if one is running.
--
-- KEYS 1 statuses  2 due  3 archiving  4 archivers  5 erasures  6 audit log  7 feed, then, in any order and number, the
--      sorted sets of root flows, then the sets of labels of all flows, then every key of the flows' own
-- ARGV 1 number of sorted sets  2 of label sets  3 of flows  4 sequence by which a note says that a flow was erased, then
--      for each flow its id, its number of labels and the places of their sets among those, then names and values of the
--      record
-- Returns 1, or 0 if nothing was done: the id of one of them is in use again. Atomic: the first command that writes is one
-- that Redis takes even when it is full.

local sorted_count, label_count, flow_count = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local erased = ARGV[4]
local labels, own = 7 + sorted_count, 7 + sorted_count + label_count

-- Calls back with each flow and where its labels begin; gives the place after the last flow.
local function each(visit)
  local place = 5
  for _ = 1, flow_count do
    visit(ARGV[place], place + 2, tonumber(ARGV[place + 1]))
    place = place + 2 + tonumber(ARGV[place + 1])
  end
  return place
end

local is_running = false
each(function(flow) is_running = is_running or redis.call('HGET', KEYS[1], flow) == 'active' end)
if is_running then return 0 end

for index = own + 1, #KEYS do redis.call('UNLINK', KEYS[index]) end
local record = each(function(flow, first, count)
  for index = 8, labels do redis.call('ZREM', KEYS[index], flow) end
  for place = first, first + count - 1 do redis.call('SREM', KEYS[labels + tonumber(ARGV[place])], flow) end
  redis.call('HDEL', KEYS[1], flow)
  redis.call('ZREM', KEYS[2], flow)
  redis.call('ZREM', KEYS[3], flow)
  redis.call('HDEL', KEYS[4], flow)
  redis.call('XADD', KEYS[7], '*', 'stream', 'flow:' .. flow, 'first', erased, 'count', 1)
end)
redis.call('INCR', KEYS[5])
redis.call('XADD', KEYS[6], '*', unpack(ARGV, record))
return 1
