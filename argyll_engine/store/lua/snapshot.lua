-- SPDX-License-Identifier: Apache-2.0
-- Keeps a projection unless a newer one is kept; in a trimmed store the log loses what the projection covers.
--
-- KEYS 1 log  2 snapshot
-- ARGV 1 sequence that the projection covers up to  2 projection  3 '1' to trim the log
-- Returns 1 if it was kept, else 0. Atomic: a reader sees the old pair of snapshot and log or the new one.

local log, snapshot, sequence = KEYS[1], KEYS[2], tonumber(ARGV[1])
local kept = redis.call('HMGET', snapshot, 'sequence', 'trimmed', 'digest')
local covered, trimmed = tonumber(kept[1]) or 0, tonumber(kept[2]) or 0

-- One that covers more than was ever recorded belongs to another log; an archived flow keeps none.
if kept[3] or sequence <= covered or sequence > trimmed + redis.call('LLEN', log) then return 0 end

redis.call('HSET', snapshot, 'sequence', ARGV[1], 'payload', ARGV[2])
if ARGV[3] == '1' then
  redis.call('LTRIM', log, sequence - trimmed, -1)
  redis.call('HSET', snapshot, 'trimmed', ARGV[1])
end
return 1
