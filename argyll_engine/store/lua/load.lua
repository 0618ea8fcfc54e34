-- SPDX-License-Identifier: Apache-2.0
-- Reads what a caller does not have of a stream.
--
-- KEYS 1 log  2 snapshot  3 how often flows were erased
-- ARGV 1 sequence after the last event the caller has  2 how that event begins, or ''
-- Returns {next sequence, sequence of the first event below, snapshot or false, events, digest or false, erasures}. An
-- archived flow has a digest and no events; its next sequence is what it was.
-- Atomic; it only reads.

local log, snapshot, known = KEYS[1], KEYS[2], tonumber(ARGV[1])
local kept = redis.call('HMGET', snapshot, 'sequence', 'trimmed', 'digest')
local covered, trimmed = tonumber(kept[1]) or 0, tonumber(kept[2]) or 0
local next_sequence = trimmed + redis.call('LLEN', log)

-- Whoever knows more than there is knows another log. Of an archived one there is nothing to add to a part of it.
if known > next_sequence or (kept[3] and known < next_sequence) then known = 0 end
if ARGV[2] ~= '' and known > trimmed and not kept[3] then
  local last = redis.call('LINDEX', log, known - 1 - trimmed)
  if not last or string.sub(last, 1, #ARGV[2]) ~= ARGV[2] then known = 0 end
end

local first, payload = known, false
if covered > 0 and (known == 0 or known < trimmed) then
  first, payload = covered, redis.call('HGET', snapshot, 'payload')
end

return {next_sequence, first, payload, redis.call('LRANGE', log, first - trimmed, -1), kept[3], redis.call('GET', KEYS[3]) or '0'}
