-- SPDX-License-Identifier: Apache-2.0
-- Forgets flows, live or archived, and writes down that it did; none of them if one is not as it was seen.
--
-- KEYS 1 statuses  2 due  3 archiving  4 archivers  5 audit log  6 feed, then, in any order and number, the sorted sets of
--      root flows, then the sets of labels of all flows, then the keys of each flow's own: log, snapshot, and two more
-- ARGV 1 number of sorted sets  2 of label sets  3 of flows  4 sequence by which a note says that a flow was erased
--      5 notes that the feed keeps at least, then for each flow its id, '1' if it is archived, its digest or else how its
--      last event begins, its number of events, its number of labels and the places of their sets among those, then names
--      and values of the record
-- Returns 1, or 0 if nothing was done: an id is in use again, or a flow has been archived or restored. Atomic: the first
-- command that writes is one that Redis takes even when it is full.

local OWN_KEYS = 4
local sorted_count, label_count, flow_count = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local erased, feed_length = ARGV[4], ARGV[5]
local labels, own = 6 + sorted_count, 6 + sorted_count + label_count

-- Calls back with each flow, its number among them, where its words begin and how many labels it has; gives the place
-- after the last flow.
local function each(visit)
  local place = 6
  for number = 1, flow_count do
    local count = tonumber(ARGV[place + 4])
    visit(ARGV[place], number, place, count)
    place = place + 5 + count
  end
  return place
end

local function is_as_seen(number, place)
  local log, snapshot = KEYS[own + OWN_KEYS * (number - 1) + 1], KEYS[own + OWN_KEYS * (number - 1) + 2]
  local is_archived, seen, count = ARGV[place + 1] == '1', ARGV[place + 2], tonumber(ARGV[place + 3])
  local digest = redis.call('HGET', snapshot, 'digest')
  if is_archived then return digest == seen end
  if digest or redis.call('LLEN', log) ~= count then return false end
  return count == 0 or string.sub(redis.call('LINDEX', log, -1), 1, #seen) == seen
end

local are_as_seen = true
each(function(_, number, place) are_as_seen = are_as_seen and is_as_seen(number, place) end)
if not are_as_seen then return 0 end

for index = own + 1, #KEYS do redis.call('UNLINK', KEYS[index]) end
local record = each(function(flow, _, place, count)
  for index = 7, labels do redis.call('ZREM', KEYS[index], flow) end
  for word = place + 5, place + 4 + count do redis.call('SREM', KEYS[labels + tonumber(ARGV[word])], flow) end
  redis.call('HDEL', KEYS[1], flow)
  redis.call('ZREM', KEYS[2], flow)
  redis.call('ZREM', KEYS[3], flow)
  redis.call('HDEL', KEYS[4], flow)
  redis.call('XADD', KEYS[6], 'MAXLEN', '~', feed_length, '*', 'stream', 'flow:' .. flow, 'first', erased, 'count', 1)
end)
redis.call('XADD', KEYS[5], '*', unpack(ARGV, record))
return 1
