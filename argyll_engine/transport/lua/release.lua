-- SPDX-License-Identifier: Apache-2.0
-- Gives back everything that one consumer of a queue has taken and not acknowledged, and forgets the consumer if told to.
--
-- KEYS 1 returned  2 dead  3 alive  4.. the streams of the queue.  ARGV 1 group  2 consumer  3 '1' to forget it.
-- Returns how many came back. The oldest first; what came back goes before what is new.

local place = {returned = KEYS[1], dead = KEYS[2], group = ARGV[1], limit = 0}
local count = 0
for index = 4, #KEYS do
  local moved
  repeat
    moved = take_from(place, KEYS[index], ARGV[2], 0, 1000)
    count = count + moved
  until moved == 0
  if ARGV[3] == '1' then redis.pcall('XGROUP', 'DELCONSUMER', KEYS[index], ARGV[1], ARGV[2]) end
end
if ARGV[3] == '1' then redis.call('ZREM', KEYS[3], ARGV[2]) end
return count
