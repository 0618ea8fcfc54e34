-- SPDX-License-Identifier: Apache-2.0
-- Reads a range of a log by the sequences of its events.
--
-- KEYS 1 log  2 snapshot
-- ARGV 1 sequence of the first event  2 sequence after the last
-- Returns {sequence after the last event of the log, events}, the events false if the log does not hold all of the range.
-- Atomic; it only reads.

local first, last = tonumber(ARGV[1]), tonumber(ARGV[2])
local trimmed = tonumber(redis.call('HGET', KEYS[2], 'trimmed')) or 0
local next_sequence = trimmed + redis.call('LLEN', KEYS[1])
if first < trimmed or last > next_sequence or first > last then return {next_sequence, false} end
if first == last then return {next_sequence, {}} end
return {next_sequence, redis.call('LRANGE', KEYS[1], first - trimmed, last - trimmed - 1)}
