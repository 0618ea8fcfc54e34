-- SPDX-License-Identifier: Apache-2.0
-- Takes what consumers of a queue hold that show no sign of life any more; each delivery of theirs counts as failed.
--
-- KEYS 1 returned  2 dead  3 alive  4 pulse  5 guard  6.. the streams of the queue.
-- ARGV 1 group  2 limit of deliveries  3 pause between two of these (ms)  4 how many entries at most.
-- Returns how many entries were taken, or -1 when another consumer has just looked.

if not redis.call('SET', KEYS[5], '1', 'NX', 'PX', ARGV[3]) then return -1 end
local now, budget, taken = now_ms(), tonumber(ARGV[4]), 0
if now < (tonumber(redis.call('HGET', KEYS[4], 'grace')) or 0) then return 0 end
local place = {returned = KEYS[1], dead = KEYS[2], group = ARGV[1], limit = tonumber(ARGV[2])}
local gone = {}

local function is_alive(consumer)
  local last = redis.call('ZSCORE', KEYS[3], consumer)
  return last and tonumber(last) >= now
end

local function look_at(stream, row)
  local name
  for index = 1, #row, 2 do
    if row[index] == 'name' then name = row[index + 1] end
  end
  if is_alive(name) then return end
  local moved = take_from(place, stream, name, 1, budget)
  budget, taken = budget - moved, taken + moved
  if budget > 0 then redis.call('XGROUP', 'DELCONSUMER', stream, ARGV[1], name) end
end

for index = 6, #KEYS do
  local rows = redis.pcall('XINFO', 'CONSUMERS', KEYS[index], ARGV[1])
  for _, row in ipairs(rows.err and {} or rows) do
    if budget <= 0 then return taken end
    look_at(KEYS[index], row)
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', '(' .. now)
return taken
