-- SPDX-License-Identifier: Apache-2.0
-- Gives one entry back, or makes it a dead letter.
--
-- KEYS 1 returned  2 dead  3 stream.  ARGV 1 group  2 entry  3 limit of deliveries  4 reason for a dead letter, or ''
-- 5 what counts as failed deliveries.
-- Returns 1, or 0 when somebody else has it by now.

local pending = redis.pcall('XPENDING', KEYS[3], ARGV[1], ARGV[2], ARGV[2], 1)
if pending.err or not pending[1] then return 0 end
local place = {returned = KEYS[1], dead = KEYS[2], group = ARGV[1], limit = tonumber(ARGV[3])}
give_back(place, KEYS[3], ARGV[2], tonumber(ARGV[5]), ARGV[4])
return 1
