-- SPDX-License-Identifier: Apache-2.0
-- Replaces the log of an ended flow by its digest, for its archiver only, and only if the log has not changed.
--
-- KEYS 1 log  2 snapshot  3 claims  4 due  5 archiving  6 archivers  7 live flows of its status  8 archived ones
-- ARGV 1 flow  2 owner  3 number of events  4 digest  5 '1' for a root flow
-- Returns 1 if it was replaced, else 0. Atomic: the first command that writes is one that Redis takes even when it is
-- full, for this is what makes room.

-- As in `model/stored.py` and `load.lua`.
local MARK_BYTES = 42

local log, snapshot, live, archived = KEYS[1], KEYS[2], KEYS[7], KEYS[8]
local flow, owner, count, digest, is_root = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'

if redis.call('HGET', KEYS[6], flow) ~= owner then return 0 end
if redis.call('LLEN', log) ~= tonumber(count) then return 0 end
local at = is_root and redis.call('ZSCORE', live, flow)
if is_root and not at then return 0 end

local mark = string.sub(redis.call('LINDEX', log, -1) or '', 1, MARK_BYTES)
local objects = redis.call('HGET', snapshot, 'objects')
redis.call('UNLINK', log, snapshot, KEYS[3])
redis.call('HSET', snapshot, 'trimmed', count, 'digest', digest, 'mark', mark)
if objects then redis.call('HSET', snapshot, 'objects', objects) end
if is_root then
  redis.call('ZREM', live, flow)
  redis.call('ZADD', archived, at, flow)
end
redis.call('ZREM', KEYS[4], flow)
redis.call('ZREM', KEYS[5], flow)
redis.call('HDEL', KEYS[6], flow)
return 1
