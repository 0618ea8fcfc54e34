-- SPDX-License-Identifier: Apache-2.0
-- Reads what a caller does not have of a stream.
--
-- KEYS 1 log  2 snapshot
-- ARGV 1 sequence after the last event the caller has  2 how that event begins, or ''
-- Returns {next sequence, sequence of the first event below, snapshot or false, events, digest or false, mark}. The mark is
-- how the last event begins, '' where the caller has that event or gets it, or nobody knows it. An archived flow has a
-- digest and no events; its next sequence is what it was.
-- Atomic; it only reads.

-- As in `model/stored.py` and `archive_replace.lua`.
local MARK_BYTES = 42

local log, snapshot, known = KEYS[1], KEYS[2], tonumber(ARGV[1])
local kept = redis.call('HMGET', snapshot, 'sequence', 'trimmed', 'digest', 'mark')
local covered, trimmed = tonumber(kept[1]) or 0, tonumber(kept[2]) or 0
local next_sequence = trimmed + redis.call('LLEN', log)

-- Whoever knows more than there is knows another log. Of an archived one there is nothing to add to a part of it.
if known > next_sequence or (kept[3] and known < next_sequence) then known = 0 end
if kept[3] then
  -- The id may have been erased and used again since: only who names the last event may keep what it has.
  if ARGV[2] == '' or kept[4] ~= ARGV[2] then known = 0 end
elseif ARGV[2] ~= '' and known > trimmed then
  local last = redis.call('LINDEX', log, known - 1 - trimmed)
  if not last or string.sub(last, 1, #ARGV[2]) ~= ARGV[2] then known = 0 end
end

local first, payload = known, false
if covered > 0 and (known == 0 or known < trimmed) then
  first, payload = covered, redis.call('HGET', snapshot, 'payload')
end

local mark = ''
if first == next_sequence and next_sequence > trimmed and (first ~= known or ARGV[2] == '') then
  mark = string.sub(redis.call('LINDEX', log, -1), 1, MARK_BYTES)
end

return {next_sequence, first, payload, redis.call('LRANGE', log, first - trimmed, -1), kept[3], mark}
