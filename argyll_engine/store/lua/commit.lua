-- SPDX-License-Identifier: Apache-2.0
-- Appends the events of one decision and everything that follows from it, or nothing at all.
--
-- KEYS 1 log  2 snapshot  3 claims  4 statuses  5 due  6 active  7 completed  8 failed (sorted sets of root flows)
--      9 feed (a stream of notes), then one set a label, then the broker's queues, then, if deliveries are
--      acknowledged, the streams that they are in, or the broker's hash and sorted set of unacknowledged messages; last,
--      if the commit rests on another log, that log and its snapshot.
-- ARGV 1 expected sequence  2 status to enter, '' for none  3 since when (ms)  4 flow id  5 '1' for a root flow
--      6 due: '' unchanged, '0' never again, else ms  7 number of words for deliveries  8 of events  9 of claims
--      10 of released claims  11 of labels  12 of queues  13 name of the log in the feed  14 notes that the feed keeps
--      at least  15 consumer group of the streams that deliveries are in, or ''  16 how the last event begins that the
--      decision saw, '' for not known  17 types of the events, '' for not known  18 sequence after the last event of the log that it
--      rests on, '' for none  19 how that event begins, '' for not known  20 type of the last event if the note in the feed is to
--      bring it, '' otherwise; then the events, for each claim its
--      token and worker, the released tokens, for each queue its form ('list', 'stream', 'delayed'), its number of
--      messages, a channel for those that wait, and the messages, each delayed one after the time when it is due (ms);
--      then the deliveries: with a group, the place of the stream among those and the entry of each, else its tag.
-- Returns {1, next sequence}, on a conflict {0, next sequence, missed events}, or {2} if the log that it rests on has
-- changed.
-- Atomic: the first command that writes is one that Redis refuses when it is full or read-only; once it went through,
-- none of the others can be refused for the state of Redis.

-- Lua takes no more than a few thousand arguments from unpack; a list grows just as well in pieces.
local CHUNK = 128

local log, snapshot, claims, statuses, due = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local ranks = {active = KEYS[6], completed = KEYS[7], failed = KEYS[8]}
local expected, status, at, flow, is_root = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
local due_at, delivery_words = ARGV[6], tonumber(ARGV[7])
local event_count, claim_count, released_count = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local label_count, queue_count = tonumber(ARGV[11]), tonumber(ARGV[12])
local feed_name, feed_length = ARGV[13], ARGV[14]
local group = ARGV[15]
local mark, types = ARGV[16], ARGV[17]
local other_sequence, other_mark = ARGV[18], ARGV[19]
local last_type = ARGV[20]
local place = 21

local function apply(command, key, count)
  for first = place, place + count - 1, CHUNK do
    redis.call(command, key, unpack(ARGV, first, math.min(first + CHUNK, place + count) - 1))
  end
  place = place + count
end

local function delay(key, wake)
  local due, message = ARGV[place], ARGV[place + 1]
  place = place + 2
  redis.call('ZADD', key, due, message)
  if redis.call('ZRANGE', key, 0, 0)[1] == message then redis.call('PUBLISH', wake, '') end
end

local function enqueue(key)
  local form, count, wake = ARGV[place], tonumber(ARGV[place + 1]), ARGV[place + 2]
  place = place + 3
  if form == 'list' then return apply('LPUSH', key, count) end
  for _ = 1, count do
    if form == 'delayed' then
      delay(key, wake)
    else
      redis.call('XADD', key, '*', 'm', ARGV[place])
      place = place + 1
    end
  end
end

local function enter(new)
  local old = redis.call('HGET', statuses, flow)
  if old == new then return end
  redis.call('HSET', statuses, flow, new)
  if not is_root then return end
  redis.call('ZADD', ranks[new], at, flow)
  if old then redis.call('ZREM', ranks[old], flow) end
end

-- Whether the other log is as the decision saw it. Without events since its snapshot there is none to look at.
local function is_other_same()
  local other, other_trimmed = KEYS[#KEYS - 1], redis.call('HGET', KEYS[#KEYS], 'trimmed')
  local count = redis.call('LLEN', other)
  if (tonumber(other_trimmed) or 0) + count ~= tonumber(other_sequence) then return false end
  return other_mark == '' or count == 0 or string.sub(redis.call('LINDEX', other, -1), 1, #other_mark) == other_mark
end

if other_sequence ~= '' and not is_other_same() then return {2} end
local kept = redis.call('HMGET', snapshot, 'trimmed', 'digest')
local trimmed = tonumber(kept[1]) or 0
local next_sequence = trimmed + redis.call('LLEN', log)
-- Nothing is ever added to an archived flow.
if kept[2] then return {0, next_sequence, {}} end
if mark ~= '' and expected > trimmed and expected <= next_sequence then
  local last = redis.call('LINDEX', log, expected - 1 - trimmed)
  if not last or string.sub(last, 1, #mark) ~= mark then return {0, next_sequence, {}} end
end
if expected ~= next_sequence then
  if expected < trimmed or expected > next_sequence then return {0, next_sequence, {}} end
  return {0, next_sequence, redis.call('LRANGE', log, expected - trimmed, -1)}
end

apply('RPUSH', log, event_count)
if event_count > 0 then
  local note = {'stream', feed_name, 'first', expected, 'count', event_count, 'types', types}
  if last_type ~= '' then
    for _, word in ipairs({'last_type', last_type, 'last', ARGV[place - 1]}) do note[#note + 1] = word end
  end
  redis.call('XADD', KEYS[9], 'MAXLEN', '~', feed_length, '*', unpack(note))
end
if status ~= '' then enter(status) end
for index = 1, label_count do redis.call('SADD', KEYS[9 + index], flow) end
if due_at == '0' then
  redis.call('ZREM', due, flow)
elseif due_at ~= '' then
  redis.call('ZADD', due, due_at, flow)
end
apply('HSET', claims, 2 * claim_count)
apply('HDEL', claims, released_count)
if status ~= '' and status ~= 'active' then redis.call('DEL', claims) end
for index = 1, queue_count do enqueue(KEYS[9 + label_count + index]) end
local broker = 9 + label_count + queue_count
if group ~= '' then
  for word = place, place + delivery_words - 1, 2 do
    local stream, entry = KEYS[broker + tonumber(ARGV[word])], ARGV[word + 1]
    redis.call('XACK', stream, group, entry)
    redis.call('XDEL', stream, entry)
  end
else
  for word = place, place + delivery_words - 1 do
    redis.call('HDEL', KEYS[broker + 1], ARGV[word])
    redis.call('ZREM', KEYS[broker + 2], ARGV[word])
  end
end
return {1, next_sequence + event_count}
