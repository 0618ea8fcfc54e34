-- SPDX-License-Identifier: Apache-2.0
-- What the other scripts share; put before each of them when they are loaded.

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Takes an entry from its consumer: to those that go next, or, when it failed too often, to the dead letters.
-- `place` has the keys `returned` and `dead`, the consumer `group` and the `limit` of deliveries (0: none).
local function give_back(place, stream, id, penalty, reason)
  local entry = redis.call('XRANGE', stream, id, id)[1]
  if entry then
    local payload, deliveries = entry[2][2], tonumber(entry[2][4] or 0) + penalty
    if reason ~= '' or (place.limit > 0 and deliveries >= place.limit) then
      if reason == '' then reason = 'delivered ' .. deliveries .. ' times' end
      redis.call('XADD', place.dead, '*', 'm', payload, 'n', deliveries, 'r', reason)
    else
      redis.call('XADD', place.returned, '*', 'm', payload, 'n', deliveries)
    end
  end
  redis.call('XACK', stream, place.group, id)
  redis.call('XDEL', stream, id)
end

-- Takes up to `budget` entries from one consumer of a stream; returns how many there were.
local function take_from(place, stream, consumer, penalty, budget)
  local pending = redis.pcall('XPENDING', stream, place.group, '-', '+', budget, consumer)
  if pending.err then return 0 end
  for _, row in ipairs(pending) do give_back(place, stream, row[1], penalty, '') end
  return #pending
end
