-- SPDX-License-Identifier: Apache-2.0
-- Puts the logs of archived flows back in the place of their digests: all of them, or none.
--
-- KEYS 1 archiving  2 archivers, then for each flow: log, snapshot, live flows of its status, archived ones
-- ARGV 1 for how long no archiver may take the flows (ms)  2 number of flows, then for each flow: its id, '1' for a root
--      flow, its digest, where its object is (a line of text), its number of events, and the events
-- Returns 1 if all are live now, 0 if one of them is neither archived with this digest nor live with so many
-- events. Atomic: the first
-- command that writes is one that Redis refuses when it is full or read-only.

local CHUNK = 128
local archiving, archivers, rest, flow_count = KEYS[1], KEYS[2], tonumber(ARGV[1]), tonumber(ARGV[2])

-- Calls back with each flow: its keys, id, whether it is a root, where its digest and its object's place are, number of
-- events, and where they begin.
local function each(visit)
  local place = 3
  for index = 1, flow_count do
    local key, count = 2 + 4 * (index - 1), tonumber(ARGV[place + 4])
    if not visit(KEYS[key + 1], KEYS[key + 2], KEYS[key + 3], KEYS[key + 4], ARGV[place], ARGV[place + 1] == '1', place + 2, count, place + 5) then
      return false
    end
    place = place + 5 + count
  end
  return true
end

local function is_archived(log, snapshot, digest)
  return redis.call('HGET', snapshot, 'digest') == digest and redis.call('LLEN', log) == 0
end

local function is_live(log, snapshot, count)
  return redis.call('HEXISTS', snapshot, 'digest') == 0 and redis.call('LLEN', log) == count
end

local fits = each(function(log, snapshot, _, _, _, _, words, count)
  return is_archived(log, snapshot, ARGV[words]) or is_live(log, snapshot, count)
end)
if not fits then return 0 end

local time = redis.call('TIME')
local until_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + rest

each(function(log, snapshot, live, archived, flow, is_root, words, count, place)
  if is_live(log, snapshot, count) then return true end
  for first = place, place + count - 1, CHUNK do
    redis.call('RPUSH', log, unpack(ARGV, first, math.min(first + CHUNK, place + count) - 1))
  end
  -- The object stays where it is: whoever erases the flow has to find it, wherever objects are written by then.
  local object, objects = ARGV[words + 1], redis.call('HGET', snapshot, 'objects')
  if not objects then
    objects = object
  elseif not string.find('\n' .. objects .. '\n', '\n' .. object .. '\n', 1, true) then
    objects = objects .. '\n' .. object
  end
  redis.call('DEL', snapshot)
  redis.call('HSET', snapshot, 'objects', objects)
  if is_root then
    local at = redis.call('ZSCORE', archived, flow)
    if at then
      redis.call('ZADD', live, at, flow)
      redis.call('ZREM', archived, flow)
    end
    redis.call('HDEL', archivers, flow)
    redis.call('ZADD', archiving, until_ms, flow)
  end
  return true
end)
return 1
